/**
 * What Prometheus sees: the blackbox series and states of every probe, computed from the views at each scrape, and the
 * daemon's own instruments. A probe's series are absent whenever its last run says nothing about its target, so that
 * neither a stuck scheduler nor a paused probe ever looks healthy.
 */
import { messageOf } from '../errors.ts';
import { type Incident, SEVERITIES } from '../model.ts';
import type { Clock, Log, ProbeTypes, ProbeView, Views } from '../ports.ts';
import type { Instruments } from './instruments.ts';
import { probeFamilies, type ReportingView, stateFamilies } from './probe-families.ts';
import { createProbeLabels, type ProbeLabels } from './probe-labels.ts';
import { CONTENT_TYPES, ExpositionWriter, type Format, renderLabels } from './writer.ts';

export interface ExpositionParts {
  readonly views: Views;
  readonly instruments: Instruments;
  readonly probeTypes: ProbeTypes;
  readonly clock: Clock;
  readonly log: Log;
  /** Applied to every label value that comes from a definition or an observation. */
  redact(text: string): string;
}

export interface Exposition {
  render(format: Format): Promise<Scrape>;
}

export interface Scrape {
  readonly contentType: string;
  readonly body: Buffer;
  /** `body` was sent: its memory may serve the next scrape. Left out, it is only collected later. */
  release(): void;
}

/** Renders scrapes. A scrape reads one snapshot of the views, and yields to the event loop in between. */
export function createExposition(parts: ExpositionParts): Exposition {
  const labels = createProbeLabels(parts.redact);
  const families = probeFamilies(parts.probeTypes, reportOnce(parts.log));
  let declaredRevision = '';
  // Fresh megabytes at each scrape drive the collector: they cost more than writing them.
  let spare: Buffer | undefined;
  return {
    async render(format) {
      const configuration = parts.views.configuration();
      if (configuration.revision !== declaredRevision) parts.instruments.declare(configuration);
      declaredRevision = configuration.revision;
      const writer = new ExpositionWriter(format, parts.clock, spare);
      // Another scrape that begins meanwhile gets a buffer of its own.
      spare = undefined;
      await writeProbes(writer, parts, labels, families);
      writeDaemon(writer, parts);
      await writeInstruments(writer, parts.instruments);
      const { text, buffer } = writer.finish();
      const release = () => {
        spare = buffer;
      };
      return { contentType: CONTENT_TYPES[format], body: text, release };
    },
  };
}

/** What a daemon says that stands by: nothing of probes. */
export function createStandbyExposition({
  instruments,
  clock,
}: Pick<ExpositionParts, 'instruments' | 'clock'>): Exposition {
  return {
    async render(format) {
      const writer = new ExpositionWriter(format, clock);
      await writeInstruments(writer, instruments);
      return { contentType: CONTENT_TYPES[format], body: writer.finish().text, release() {} };
    },
  };
}

/** A family that throws is a bug of its probe type: said once, its series left out, the scrape unharmed. */
function reportOnce(log: Log): (family: string, error: unknown) => void {
  const reported = new Set<string>();
  return (family, error) => {
    if (!reported.has(family)) log.error('metric_family_failed', { family, error: messageOf(error) });
    reported.add(family);
  };
}

async function writeProbes(
  writer: ExpositionWriter,
  { views, instruments }: ExpositionParts,
  labels: ProbeLabels,
  families: ReturnType<typeof probeFamilies>,
): Promise<void> {
  const all = views.probes();
  const reporting = all.filter(isReporting);
  const byType = groupByType(reporting);
  const context = { writer, labels, dropped: (count: number) => instruments.dropped(count) };
  for (const family of families) {
    const concerned = family.types === 'all' ? reporting : family.types.flatMap((type) => byType.get(type) ?? []);
    if (concerned.length > 0) await family.write(concerned, context);
  }
  for (const family of stateFamilies(instruments)) await family.write(all, context);
}

function groupByType(views: readonly ReportingView[]): Map<string, ReportingView[]> {
  const groups = new Map<string, ReportingView[]>();
  for (const view of views) {
    const group = groups.get(view.probe.type);
    if (group === undefined) groups.set(view.probe.type, [view]);
    else group.push(view);
  }
  return groups;
}

/** The last run says something about the target, and says it about now. */
function isReporting(view: ProbeView): view is ReportingView {
  const { state } = view.state;
  if (view.last === undefined || view.stale || state === 'paused' || state === 'unconfigured') return false;
  return view.last.verdict.kind !== 'unknown';
}

function writeBySeverity(writer: ExpositionWriter, name: string, incidents: readonly Incident[]): void {
  for (const severity of SEVERITIES) {
    const count = incidents.filter((incident) => incident.severity === severity).length;
    writer.sample(name, count, renderLabels({ severity }));
  }
}

function writeDaemon(writer: ExpositionWriter, { views, clock }: ExpositionParts): void {
  const open = views.openIncidents();
  const silenced = open.filter((incident) => views.silencedBy(incident) !== undefined);
  writer.head({ name: 'brainstem_incidents_open', help: 'Incidents that are open now.', type: 'gauge' });
  writeBySeverity(writer, 'brainstem_incidents_open', open);
  const help = 'Open incidents that a silence keeps from people.';
  writer.head({ name: 'brainstem_incidents_silenced', help, type: 'gauge' });
  writeBySeverity(writer, 'brainstem_incidents_silenced', silenced);
  writer.head({ name: 'brainstem_silences_active', help: 'Silences that last now.', type: 'gauge' });
  const now = clock.now();
  writer.sample('brainstem_silences_active', views.silences().filter(({ startsAt }) => startsAt <= now).length);
  writer.head({
    name: 'brainstem_healing_held',
    help: 'What holds healing back: 1 for the freeze, for blindness and for a mode that is not auto; how many remediations are disarmed.',
    type: 'gauge',
  });
  for (const [reason, value] of Object.entries(healingHeld(views))) {
    writer.sample('brainstem_healing_held', value, renderLabels({ reason }));
  }
  writer.head({ name: 'brainstem_notification_queue', help: 'Notifications that wait for delivery.', type: 'gauge' });
  const queues = views.queues();
  for (const notifier of views.configuration().notifiers.keys()) {
    writer.sample('brainstem_notification_queue', queues.get(notifier) ?? 0, renderLabels({ notifier }));
  }
}

function healingHeld(views: Views): Record<string, number> {
  const { mode } = views.configuration().settings.healing;
  return {
    frozen: views.frozen() === undefined ? 0 : 1,
    blind: views.blindSince() === undefined ? 0 : 1,
    disarmed: views.disarmed().length,
    off: mode === 'off' ? 1 : 0,
    observe: mode === 'observe' ? 1 : 0,
    approve: mode === 'approve' ? 1 : 0,
  };
}

async function writeInstruments(writer: ExpositionWriter, { registry }: Instruments): Promise<void> {
  for (const metric of await registry.getMetricsAsJSON()) {
    // prom-client's declaration says enum members; its values are these strings.
    const type = String(metric.type) as 'gauge' | 'counter' | 'histogram' | 'summary';
    writer.head({ name: metric.name, help: metric.help, type });
    for (const { labels, value, ...sample } of metric.values) {
      const name = 'metricName' in sample ? String(sample.metricName) : metric.name;
      writer.sample(name, value, renderLabels(labels));
    }
    await writer.breathe();
  }
}
