/** What a status page says of its service: `summary.json` of Atlassian's Statuspage, which others speak too. */
import { z } from 'zod';
import { ProbeFailure } from './failure.ts';

/** From good to bad. */
export const INDICATORS = ['none', 'maintenance', 'minor', 'major', 'critical'] as const;
export type Indicator = (typeof INDICATORS)[number];

/** Of each kind, that are observed. */
const MAX_ITEMS = 100;
const MAX_TEXT = 200;

const text = z.string().transform((written) => written.slice(0, MAX_TEXT));
const incident = z.object({
  ...{ name: text, status: text, impact: z.string() },
  /** What it is about; empty when it does not say. */
  components: z.array(z.object({ name: text })).catch([]),
});
const summary = z.object({
  status: z.object({ indicator: z.string(), description: text }),
  components: z.array(z.object({ name: text, status: z.string(), group: z.boolean().nullish() })).default([]),
  incidents: z.array(incident).default([]),
  scheduled_maintenances: z.array(z.object({ status: z.string() })).default([]),
});

export interface ServiceStatus {
  readonly indicator: Indicator;
  readonly description: string;
  /** Status by name; of several with one name the worst. */
  readonly components: ReadonlyMap<string, string>;
  readonly incidents: readonly z.output<typeof incident>[];
  readonly maintenance: boolean;
}

/** What a component's own status says, in the words of the whole. */
const COMPONENT_INDICATORS: Readonly<Record<string, Indicator>> = {
  operational: 'none',
  under_maintenance: 'maintenance',
  degraded_performance: 'minor',
  partial_outage: 'major',
  major_outage: 'critical',
};

/** Throws a ProbeFailure for what is no summary. */
export function readSummary(body: string): ServiceStatus {
  const parsed = parse(body);
  const indicator = INDICATORS.find((known) => known === parsed?.status.indicator);
  if (!parsed || indicator === undefined) {
    throw new ProbeFailure('protocol', 'what answers is not a status page with /api/v2/summary.json');
  }
  const components = new Map<string, string>();
  for (const { name, status, group } of parsed.components) {
    if (group !== true && worseOf(status, components.get(name))) components.set(name, status.slice(0, MAX_TEXT));
  }
  return {
    indicator,
    description: parsed.status.description,
    components,
    incidents: parsed.incidents,
    maintenance: parsed.scheduled_maintenances.some(({ status }) => ['in_progress', 'verifying'].includes(status)),
  };
}

function parse(body: string): z.output<typeof summary> | undefined {
  try {
    return summary.safeParse(JSON.parse(body)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function worseOf(status: string, known: string | undefined): boolean {
  return known === undefined || rankOf(indicatorOf(status)) > rankOf(indicatorOf(known));
}

/** A status that we do not know is no reason for an alarm. */
function indicatorOf(status: string): Indicator {
  return (Object.hasOwn(COMPONENT_INDICATORS, status) && COMPONENT_INDICATORS[status]) || 'none';
}

export function rankOf(indicator: Indicator): number {
  return INDICATORS.indexOf(indicator);
}

/** The same page, as if it had these components alone. Throws a ProbeFailure (`not_found`) for one that it has not. */
export function narrowed(status: ServiceStatus, names: readonly string[]): ServiceStatus {
  const chosen = names.map((name) => {
    const own = status.components.get(name);
    if (own !== undefined) return [name, own] as const;
    const known = [...status.components.keys()].slice(0, 10).join(', ');
    throw new ProbeFailure('not_found', `the page has no component "${name}"; it has ${known || 'none'}`);
  });
  const indicators = chosen.map(([, own]) => indicatorOf(own)).sort((one, other) => rankOf(other) - rankOf(one));
  const failing = chosen.filter(([, own]) => rankOf(indicatorOf(own)) > 0);
  const description = failing.map(([name, own]) => `${name}: ${own.replaceAll('_', ' ')}`).join(', ');
  const isAbout = (one: { readonly name: string }) => names.includes(one.name);
  return {
    ...status,
    incidents: status.incidents.filter(({ components }) => components.length === 0 || components.some(isAbout)),
    indicator: indicators[0] ?? 'none',
    description: description || 'All of these components are operational',
    components: new Map(chosen),
  };
}

export function fieldsOf({ indicator, description, components, incidents, maintenance }: ServiceStatus) {
  return {
    indicator,
    description,
    incidents: incidents.slice(0, MAX_ITEMS).map(({ name, status, impact }) => ({ name, status, impact })),
    components: Object.fromEntries([...components].slice(0, MAX_ITEMS)),
    maintenance,
  };
}
