/** The series of one run on demand, as blackbox_exporter answers them: without labels of our own, in order of their names. */
import { messageOf } from '../errors.ts';
import type { Clock, Log, OnDemandRun, ProbeTypes, Sample, SeriesFamily } from '../ports.ts';
import { CONTENT_TYPES, ExpositionWriter, renderLabels } from './writer.ts';

export interface OnDemandSeriesParts {
  readonly probeTypes: ProbeTypes;
  readonly clock: Clock;
  readonly log: Log;
  redact(text: string): string;
}

/** Samples of one family. */
const ITEM_LIMIT = 100;

export interface OnDemandSeries {
  readonly contentType: string;
  readonly body: Buffer;
}

export function renderOnDemand(run: OnDemandRun, parts: OnDemandSeriesParts): OnDemandSeries {
  const writer = new ExpositionWriter('text', parts.clock);
  const families = parts.probeTypes[run.module.type]?.families ?? [];
  const all = [...ownSeries(run), ...families.flatMap((family) => seriesOf(family, run, parts))];
  for (const { name, help, samples } of all.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    writer.head({ name, help, type: 'gauge' });
    for (const { labels, value } of samples.slice(0, ITEM_LIMIT)) {
      writer.sample(name, value, parts.redact(renderLabels(labels)));
    }
  }
  return { contentType: CONTENT_TYPES.text, body: writer.finish().text };
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

function single(name: string, help: string, value: number): Series {
  return { name, help, samples: [{ labels: {}, value }] };
}

/** What the run itself says, and what its checks do. */
function ownSeries({ module, verdict, durationMs, failedBy }: OnDemandRun): readonly Series[] {
  const of = (cause: OnDemandRun['failedBy']) => (failedBy === cause ? 1 : 0);
  const all = [
    single('probe_success', 'Whether the probe passed.', verdict.kind === 'fail' ? 0 : 1),
    single('probe_duration_seconds', 'How long the probe took.', durationMs / 1_000),
  ];
  if (module.type !== 'http') return all;
  return [
    ...all,
    single('probe_failed_due_to_regex', 'Whether a regular expression made the probe fail.', of('regex')),
    single('probe_failed_due_to_cel', 'Whether a condition on the JSON body made the probe fail.', of('cel')),
  ];
}

function seriesOf(
  { name, help, sample }: SeriesFamily,
  { observation }: OnDemandRun,
  { log }: OnDemandSeriesParts,
): Series[] {
  try {
    const sampled = sample(observation.fields, observation);
    if (sampled === undefined) return [];
    if (typeof sampled === 'number') return [single(name, help, sampled)];
    return sampled.length === 0 ? [] : [{ name, help, samples: sampled }];
  } catch (error) {
    log.error('metric_family_failed', { family: name, error: messageOf(error) });
    return [];
  }
}
