/**
 * Every instrument of the daemon about itself. Label sets that a configuration makes known exist at 0 before anything
 * happens, so that the first increase is seen; those of removed definitions go away with them.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ATTEMPT_STATES, type Configuration, REASONS, REFUSALS, type Reason, SEVERITIES } from '../model.ts';
import type { Meter } from '../ports.ts';
import { BUCKETS } from './buckets.ts';
import { namedHistogram } from './named-histogram.ts';

/** Outcomes with which an attempt that was begun can end. */
const OUTCOMES = ['healed', 'failed', 'unknown'] as const;
const PINGS = ['sent', 'failed', 'withheld'] as const;
const DELIVERIES = ['delivered', 'retried', 'dropped', 'digested'] as const;
/** `healed_by` of an incident that ended without a fix. */
const NOBODY = 'none';
/** Gauges of prom-client that carry the suffix of counters; `promtool check metrics` rejects them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];
/**
 * prom-client's sampler of the event loop wakes the process a hundred times a second (over 1 % of a core, as much as
 * 50 probes a second), so it is put to sleep and its gauges left out: `brainstem_event_loop_lag_seconds` says the same.
 */
const SAMPLED = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(
  (kind) => `nodejs_eventloop_lag_${kind}_seconds`,
);
const SAMPLING_MS = 3_600_000;

/** Runs of one probe; a plain object, of which there may be thousands, is a quarter of a Map's size. */
type RunCounts = { [Kind in Reason]?: number };

export interface Instruments {
  readonly meter: Meter;
  /** Everything but what is counted by probe. */
  readonly registry: Registry;
  /** Runs by probe and reason, and overruns by probe: rendered by the exposition, because there are many. */
  readonly runs: ReadonlyMap<string, RunCounts>;
  readonly overruns: ReadonlyMap<string, number>;
  /** Creates the label sets of this configuration at 0, and drops those that it no longer has. */
  declare(configuration: Configuration): void;
  /** Counts series that the exposition left out because of its cap. */
  dropped(count: number): void;
}

/** One meter and its own registry. `startedAt`, ms since the epoch, is when the first configuration was loaded. */
export function createMeter(about: { readonly version: string; readonly startedAt: number }): Instruments {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: SAMPLING_MS });
  for (const name of [...MISNAMED, ...SAMPLED]) registry.removeSingleMetric(name);
  const instruments = createInstruments(registry);
  presetInstruments(instruments, about);
  const runs = new Map<string, RunCounts>();
  const overruns = new Map<string, number>();
  let declared: Configuration | undefined;
  return {
    registry,
    runs,
    overruns,
    meter: createRecorder(instruments, runs, overruns),
    declare(configuration) {
      if (declared !== undefined) forget(declared, configuration, instruments);
      declared = configuration;
      declareProbes(configuration, runs, overruns);
      declareRemediations(configuration, instruments);
      declareNotifiers(configuration, instruments);
    },
    dropped: (count) => instruments.seriesDropped.inc(count),
  };
}

type InstrumentSet = ReturnType<typeof createInstruments>;

/** Literal table of the instruments. */
function createInstruments(registry: Registry) {
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `brainstem_${name}`, help, labelNames, registers: [registry] });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `brainstem_${name}`, help, labelNames, registers: [registry] });
  const histogram = (name: string, help: string, buckets: readonly number[], labelNames: string[] = []) =>
    new Histogram({ name: `brainstem_${name}`, help, buckets: [...buckets], labelNames, registers: [registry] });
  const named = (name: string, help: string, buckets: readonly number[], label: string) =>
    namedHistogram(histogram(name, help, buckets, [label]), label);
  return {
    buildInfo: gauge('build_info', 'Version of the daemon, as labels of a constant 1.', ['version', 'node_version']),
    scheduleDelay: histogram('probe_schedule_delay_seconds', 'How late probes start.', BUCKETS.scheduleDelay),
    incidents: counter('incidents_total', 'Incidents opened.', ['severity', 'reason']),
    timeToDetect: histogram(
      'time_to_detect_seconds',
      'From the first failing run to the incident.',
      BUCKETS.timeToDetect,
    ),
    timeToRecover: named(
      'time_to_recover_seconds',
      'From the opening of an incident to its end, by the remediation that healed it, or none.',
      BUCKETS.timeToRecover,
      'healed_by',
    ),
    attempts: counter('remediation_attempts_total', 'Attempts that ended.', ['remediation', 'outcome']),
    refusals: counter('remediation_refusals_total', 'Attempts that the plan refused.', ['remediation', 'reason']),
    remediation: named(
      'remediation_duration_seconds',
      'Duration of attempts, verification included.',
      BUCKETS.remediation,
      'remediation',
    ),
    notifications: counter('notifications_total', 'Notifications by what became of them.', ['notifier', 'outcome']),
    reloadSuccessful: gauge('config_last_reload_successful', '1 when the last load of the home succeeded.'),
    reloadedAt: gauge('config_last_reload_success_timestamp_seconds', 'When the running configuration was loaded.'),
    storeUp: gauge('store_up', '1 while the store answers.'),
    blind: gauge(
      'blind',
      '1 while no vantage probe answers: nothing is judged over the network, and nothing is healed.',
    ),
    brain: gauge('brain', '1 for the daemon that probes, heals and alerts; 0 for one that stands by in a cluster.'),
    buffered: gauge('store_buffered_results', 'Results that wait to be stored.'),
    resultsDropped: counter(
      'store_dropped_results_total',
      'Results lost: the buffer before the store was full, or the store did not take them.',
    ),
    historyOldest: gauge('history_oldest_timestamp_seconds', 'Start of the oldest day of which results are kept.'),
    storeBytes: gauge('store_used_bytes', 'Size of what the store holds.'),
    logLinesDropped: counter(
      'log_lines_dropped_total',
      'Lines of the log lost because the backlog before Papertrail was full.',
    ),
    loopLag: histogram('event_loop_lag_seconds', 'How late the event loop ran its timers.', BUCKETS.eventLoopLag),
    pauses: counter('process_pauses_total', 'Times the whole process stood still and was noticed afterwards.'),
    pausedSeconds: counter('process_paused_seconds_total', 'Time during which the whole process stood still.'),
    watchdogPings: counter(
      'watchdog_pings_total',
      'Pings of the watchdog that were due; withheld: something of our own did not work.',
      ['outcome'],
    ),
    seriesDropped: counter('series_dropped_total', 'Series left out of scrapes by the cap on items of one probe.'),
  };
}

/** A daemon starts only with a valid configuration and an open store. */
function presetInstruments(instruments: InstrumentSet, about: { version: string; startedAt: number }): void {
  instruments.buildInfo.set({ version: about.version, node_version: process.version }, 1);
  instruments.reloadSuccessful.set(1);
  instruments.reloadedAt.set(about.startedAt / 1_000);
  instruments.storeUp.set(1);
  instruments.blind.set(0);
  instruments.brain.set(1);
  instruments.timeToRecover.begin(NOBODY);
  for (const outcome of PINGS) instruments.watchdogPings.inc({ outcome }, 0);
  for (const severity of SEVERITIES) {
    for (const reason of REASONS) instruments.incidents.inc({ severity, reason }, 0);
  }
}

function createRecorder(
  instruments: InstrumentSet,
  runs: Map<string, RunCounts>,
  overruns: Map<string, number>,
): Meter {
  return {
    probeRun: (probe, reason) => countRun(runs, probe, reason),
    scheduleDelay: (seconds) => instruments.scheduleDelay.observe(seconds),
    probeOverrun: (probe) => void overruns.set(probe, (overruns.get(probe) ?? 0) + 1),
    incidentOpened: ({ severity, reason }) => instruments.incidents.inc({ severity, reason }),
    timeToDetect: (seconds) => instruments.timeToDetect.observe(seconds),
    timeToRecover: (seconds, by) => instruments.timeToRecover.observe(by ?? NOBODY, seconds),
    attemptEnded(remediation, outcome, seconds) {
      instruments.attempts.inc({ remediation, outcome });
      instruments.remediation.observe(remediation, seconds);
    },
    refused: (remediation, reason) => instruments.refusals.inc({ remediation, reason }),
    notification: (notifier, outcome) => instruments.notifications.inc({ notifier, outcome }),
    reloaded(success, at) {
      instruments.reloadSuccessful.set(success ? 1 : 0);
      if (success) instruments.reloadedAt.set(at / 1_000);
    },
    resultsBuffered: (count) => instruments.buffered.set(count),
    resultsDropped: (count) => instruments.resultsDropped.inc(count),
    historyKept(oldestAt, bytes) {
      if (oldestAt === undefined) instruments.historyOldest.remove();
      else instruments.historyOldest.set(oldestAt / 1_000);
      instruments.storeBytes.set(bytes);
    },
    storeUp: (up) => instruments.storeUp.set(up ? 1 : 0),
    logLinesDropped: (count) => instruments.logLinesDropped.inc(count),
    blind: (blind) => instruments.blind.set(blind ? 1 : 0),
    brain: (isBrain) => instruments.brain.set(isBrain ? 1 : 0),
    loopLag: (seconds) => instruments.loopLag.observe(seconds),
    processPaused(seconds) {
      instruments.pauses.inc();
      instruments.pausedSeconds.inc(seconds);
    },
    watchdogPing: (outcome) => instruments.watchdogPings.inc({ outcome }),
  };
}

function countRun(runs: Map<string, RunCounts>, probe: string, reason: Reason): void {
  let reasons = runs.get(probe);
  if (reasons === undefined) {
    reasons = { ok: 0 };
    runs.set(probe, reasons);
  }
  reasons[reason] = (reasons[reason] ?? 0) + 1;
}

/** Only `ok` exists from the start: all reasons of all probes would be a scrape of mostly zeros. */
function declareProbes({ probes }: Configuration, runs: Map<string, RunCounts>, overruns: Map<string, number>): void {
  for (const counted of [runs, overruns]) {
    for (const probe of counted.keys()) if (!probes.has(probe)) counted.delete(probe);
  }
  for (const probe of probes.keys()) {
    if (!runs.has(probe)) runs.set(probe, { ok: 0 });
    if (!overruns.has(probe)) overruns.set(probe, 0);
  }
}

function declareRemediations({ remediations }: Configuration, instruments: InstrumentSet): void {
  for (const remediation of remediations.keys()) {
    for (const outcome of OUTCOMES) instruments.attempts.inc({ remediation, outcome }, 0);
    for (const reason of REFUSALS) instruments.refusals.inc({ remediation, reason }, 0);
    instruments.remediation.begin(remediation);
    instruments.timeToRecover.begin(remediation);
  }
}

function declareNotifiers({ notifiers }: Configuration, instruments: InstrumentSet): void {
  for (const notifier of notifiers.keys()) {
    for (const outcome of DELIVERIES) instruments.notifications.inc({ notifier, outcome }, 0);
  }
}

function forget(before: Configuration, now: Configuration, instruments: InstrumentSet): void {
  for (const remediation of before.remediations.keys()) {
    if (now.remediations.has(remediation)) continue;
    for (const outcome of ATTEMPT_STATES) instruments.attempts.remove({ remediation, outcome });
    for (const reason of REFUSALS) instruments.refusals.remove({ remediation, reason });
    instruments.remediation.remove(remediation);
    instruments.timeToRecover.remove(remediation);
  }
  for (const notifier of before.notifiers.keys()) {
    if (now.notifiers.has(notifier)) continue;
    for (const outcome of DELIVERIES) instruments.notifications.remove({ notifier, outcome });
  }
}
