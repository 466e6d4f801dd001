/** The families that have one or more series for each probe. */
import { type Probe, STATE_NAMES } from '../model.ts';
import type { LastRun, ProbeTypes, ProbeView, Sample, SeriesFamily } from '../ports.ts';
import type { Instruments } from './instruments.ts';
import type { ProbeLabels } from './probe-labels.ts';
import { type ExpositionWriter, type FamilyHead, renderLabels } from './writer.ts';

/** A probe whose last run says something about its target, now. */
export type ReportingView = ProbeView & { readonly last: LastRun };

export interface FamilyContext {
  readonly writer: ExpositionWriter;
  readonly labels: ProbeLabels;
  /** Counts samples that the cap left out. */
  dropped(count: number): void;
}

export interface ProbeFamily<View extends ProbeView> {
  /** Keys of the probe types that contribute to it. */
  readonly types: 'all' | readonly string[];
  write(views: readonly View[], context: FamilyContext): Promise<void>;
}

type Failed = (family: string, error: unknown) => void;
type Lines<View> = (view: View, context: FamilyContext) => void;

/** Samples that one probe may have in one family. */
const ITEM_LIMIT = 100;

/** What probes saw. Families that several types share by name are one family. */
export function probeFamilies(types: ProbeTypes, failed: Failed): readonly ProbeFamily<ReportingView>[] {
  const success = 'Whether the last run of the probe passed, conditions included.';
  const duration = 'How long the last run of the probe took.';
  return [
    fixed('probe_success', success, ({ last }) => (last.verdict.kind === 'fail' ? 0 : 1)),
    fixed('probe_duration_seconds', duration, ({ last }) => last.observation.latencyMs / 1_000),
    ...typeFamilies(types, failed),
    fieldFamily,
  ];
}

/** What the daemon knows about every probe, reporting or not. */
export function stateFamilies({ runs, overruns }: Instruments): readonly ProbeFamily<ProbeView>[] {
  return [
    eachProbe(gauge('brainstem_probe_state', 'Debounced state of the probe: 1 for the one it is in.'), writeStates),
    eachProbe(gauge(SINCE, 'Since when the probe is in the state it is in.'), ({ probe, state }, { writer, labels }) =>
      writer.sample(SINCE, state.since / 1_000, labels.name(probe)),
    ),
    eachProbe(gauge('brainstem_probe_info', 'Labels of the probe, for joins.'), ({ probe }, { writer, labels }) =>
      writer.sample('brainstem_probe_info', 1, labels.info(probe)),
    ),
    eachProbe(gauge(SLO_RATIO, 'Share of its runs that are to pass.'), ({ probe }, { writer, labels }) => {
      if (probe.slo) writer.sample(SLO_RATIO, ratioOf(probe.slo.objectivePercent), labels.name(probe));
    }),
    eachProbe(gauge(SLO_WINDOW, 'Time over which that share is counted.'), ({ probe }, { writer, labels }) => {
      if (probe.slo) writer.sample(SLO_WINDOW, probe.slo.windowMs / 1_000, labels.name(probe));
    }),
    eachProbe(gauge(LAST_RUN, 'When the last run of the probe started.'), ({ probe, last }, { writer, labels }) => {
      if (last !== undefined) writer.sample(LAST_RUN, last.observation.startedAt / 1_000, labels.name(probe));
    }),
    eachProbe(counter(RUNS, 'Runs of the probe by what they saw.'), ({ probe }, { writer, labels }) => {
      const name = labels.name(probe);
      for (const [reason, count] of Object.entries(runs.get(probe.name) ?? {})) {
        writer.sample(RUNS, count, name, `reason="${reason}"`);
      }
    }),
    eachProbe(counter(OVERRUNS, 'Runs left out because the one before had not ended.'), ({ probe }, context) =>
      context.writer.sample(OVERRUNS, overruns.get(probe.name) ?? 0, context.labels.name(probe)),
    ),
  ];
}

const SINCE = 'brainstem_probe_state_since_timestamp_seconds';
const SLO_RATIO = 'brainstem_probe_slo_objective_ratio';
const SLO_WINDOW = 'brainstem_probe_slo_window_seconds';
const LAST_RUN = 'brainstem_probe_last_run_timestamp_seconds';
const RUNS = 'brainstem_probe_runs_total';
const OVERRUNS = 'brainstem_probe_overruns_total';
const FIELD = 'brainstem_probe_field';

/** As a person would write it: 99.9 / 100 has a 1 behind fifteen digits. */
const ratioOf = (percent: number) => Number((percent / 100).toPrecision(12));

function gauge(name: string, help: string): FamilyHead {
  return { name, help, type: 'gauge' };
}

function counter(name: string, help: string): FamilyHead {
  return { name, help, type: 'counter' };
}

function eachProbe<View extends ProbeView>(head: FamilyHead, lines: Lines<View>): ProbeFamily<View> {
  return {
    types: 'all',
    async write(views, context) {
      context.writer.head(head);
      for (const view of views) {
        lines(view, context);
        const pause = context.writer.breathe();
        if (pause !== undefined) await pause;
      }
    },
  };
}

function fixed(name: string, help: string, value: (view: ReportingView) => number): ProbeFamily<ReportingView> {
  return eachProbe(gauge(name, help), (view, { writer, labels }) =>
    writer.sample(name, value(view), labels.target(view.probe)),
  );
}

/** All seven states of a probe change together, and rarely. */
function writeStates({ probe, state }: ProbeView, { writer, labels }: FamilyContext): void {
  const name = labels.name(probe);
  for (const [candidate, label] of STATE_LABELS) {
    writer.sample('brainstem_probe_state', candidate === state.state ? 1 : 0, name, label);
  }
}

const STATE_LABELS = STATE_NAMES.map((state) => [state, Buffer.from(renderLabels({ state }))] as const);

function typeFamilies(types: ProbeTypes, failed: Failed): ProbeFamily<ReportingView>[] {
  const byName = new Map<string, Map<string, SeriesFamily>>();
  for (const [type, { families }] of Object.entries(types)) {
    for (const family of families) {
      const members = byName.get(family.name) ?? new Map<string, SeriesFamily>();
      byName.set(family.name, members.set(type, family));
    }
  }
  return [...byName.values()].map((members) => typeFamily(members, failed));
}

/** `members`: the family as each contributing type samples it, by type. */
function typeFamily(members: ReadonlyMap<string, SeriesFamily>, failed: Failed): ProbeFamily<ReportingView> {
  const [first] = members.values();
  const head = gauge(first?.name ?? '', first?.help ?? '');
  return {
    types: [...members.keys()],
    async write(views, context) {
      let headed = false;
      for (const view of views) {
        const sampled = sampleOf(members.get(view.probe.type), view.last, failed);
        if (sampled === undefined) continue;
        if (!headed) context.writer.head(head);
        headed = true;
        writeSampled(head.name, view.probe, sampled, context);
        const pause = context.writer.breathe();
        if (pause !== undefined) await pause;
      }
    },
  };
}

function sampleOf(family: SeriesFamily | undefined, last: LastRun, failed: Failed): ReturnType<SeriesFamily['sample']> {
  if (family === undefined) return undefined;
  try {
    const sampled = family.sample(last.observation.fields, last.observation);
    return Array.isArray(sampled) && sampled.length === 0 ? undefined : sampled;
  } catch (error) {
    failed(family.name, error);
    return undefined;
  }
}

function writeSampled(name: string, probe: Probe, sampled: number | readonly Sample[], context: FamilyContext): void {
  const target = context.labels.target(probe);
  if (typeof sampled === 'number') {
    context.writer.sample(name, sampled, target);
    return;
  }
  for (const { labels, value } of capped(sampled, context)) {
    context.writer.sample(name, value, target, context.labels.sample(labels));
  }
}

function capped<Item>(items: readonly Item[], { dropped }: FamilyContext): readonly Item[] {
  if (items.length <= ITEM_LIMIT) return items;
  dropped(items.length - ITEM_LIMIT);
  return items.slice(0, ITEM_LIMIT);
}

/** Numeric fields that definitions ask to export; each item of a map or list of numbers is a series of its own. */
const fieldFamily: ProbeFamily<ReportingView> = eachProbe(
  gauge(FIELD, 'A field that the last run of the probe observed, in the unit of that field.'),
  ({ probe, last }, context) => {
    for (const field of probe.exportFields) {
      const value = fieldAt(last.observation.fields, field);
      const name = context.labels.name(probe);
      if (isNumeric(value)) context.writer.sample(FIELD, Number(value), name, renderLabels({ field }));
      else writeItems(name, field, value, context);
    }
  },
);

function writeItems(name: Uint8Array, field: string, value: unknown, context: FamilyContext): void {
  if (typeof value !== 'object' || value === null) return;
  const items = Object.entries(value).filter(([, item]) => isNumeric(item));
  for (const [item, amount] of capped(items, context)) {
    const labels = `${renderLabels({ field })},${context.labels.sample({ item })}`;
    context.writer.sample(FIELD, Number(amount), name, labels);
  }
}

function isNumeric(value: unknown): value is number | boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

function fieldAt(fields: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((value, key) => (isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined), fields);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
