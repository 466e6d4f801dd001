import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Panel, readDashboard, targetsOf } from '../estate/dashboard.ts';

const METRICS_PAGE = readFileSync(join(resolve(import.meta.dirname, '../..'), 'docs/metrics.md'), 'utf8');
const GRID_WIDTH = 24;

const dashboard = readDashboard('overview');
const shown = dashboard.panels.filter(({ type }) => type !== 'row');

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

describe('the dashboard', () => {
  it('has panels with ids of their own', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(ids.every((id) => id > 0)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('places its panels on the grid, none upon another, no line with a gap', () => {
    const { panels } = dashboard;
    const overlaps = panels.flatMap((panel, index) =>
      panels.slice(index + 1).flatMap((other) => (overlap(panel, other) ? [`${panel.title} and ${other.title}`] : [])),
    );
    expect(overlaps).toEqual([]);
    const widths = new Map<number, number>();
    for (const { gridPos } of panels) widths.set(gridPos.y, (widths.get(gridPos.y) ?? 0) + gridPos.w);
    expect([...widths.values()].filter((width) => width !== GRID_WIDTH)).toEqual([]);
  });

  it('begins with what is wrong and for how long', () => {
    expect(dashboard.panels.slice(0, 9).map(({ title }) => title)).toEqual([
      'Down',
      'Degraded',
      'Unknown',
      'Open incidents',
      'Healing held back',
      'Silenced',
      'Sight',
      'Brainstem',
      'What is wrong, and for how long',
    ]);
  });

  it.each(shown.map((panel) => [panel.title, panel] as const))(
    'explains %s, in a unit, and asks the chosen Prometheus',
    (_title, panel) => {
      expect(panel.description).toMatch(/^\S.{10,}\.$/s);
      expect(panel.fieldConfig?.defaults.unit).toMatch(/\S/);
      expect(panel.datasource?.uid).toBe('${datasource}');
      const targets = panel.targets ?? [];
      expect(targets.length).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      expect(targets.map(({ datasource }) => datasource.uid)).toEqual(targets.map(() => '${datasource}'));
    },
  );

  it('names metrics that the page of metrics knows, and variables that it declares', () => {
    const text = JSON.stringify(dashboard);
    const metrics = targetsOf(dashboard).flatMap(
      ({ expr }) => expr.match(/\b(brainstem|probe|process|nodejs)_\w+/g) ?? [],
    );
    const families = new Set(metrics.map((name) => name.replace(/_(bucket|count)$/, '')));
    expect([...families].filter((name) => !METRICS_PAGE.includes(`| \`${name}\` |`))).toEqual([]);
    const named = new Set([...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name));
    expect([...named].sort()).toEqual(dashboard.templating.list.map(({ name }) => name).sort());
  });
});
