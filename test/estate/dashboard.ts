/** A dashboard as Grafana reads it: the JSON file, and the parts of it that tests look at. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const DASHBOARDS = resolve(import.meta.dirname, '../../dashboards');

interface Source {
  readonly uid: string;
}

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly instant?: boolean;
  readonly datasource: Source;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: Source;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
}

export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
}

export function readDashboard(name: string): Dashboard {
  return JSON.parse(readFileSync(join(DASHBOARDS, `${name}.json`), 'utf8')) as Dashboard;
}

/** Every query of the panels, with the title of its panel. */
export function targetsOf({ panels }: Dashboard): readonly (Target & { readonly title: string })[] {
  return panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ ...target, title })));
}
