/**
 * Watches the watcher: stalls and pauses of this process, notifiers that do not take alerts, a watchdog that is not reached,
 * reloads that fail. Each is an incident of source `self`, told once and closed when it is over.
 */
import { formatProblem } from '../errors.ts';
import type { Configuration, Problem } from '../model.ts';
import type { Clock, Log, Meter, ReloadOutcome } from '../ports.ts';
import { formatDuration } from '../units.ts';
import type { Backlog } from './backlog.ts';
import type { IncidentDesk, SelfTrouble } from './incident-desk.ts';
import { type Stall, type StallMonitor, startStallMonitor } from './stall-monitor.ts';

export interface SelfWatchParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
  readonly backlog: Backlog;
  readonly process: { cpuMs(): number; uptimeMs(): number };
  onResumed(): void;
}

export interface SelfWatch {
  readonly stalls: StallMonitor;
  readonly startedAt: number;
  /** Monotonic ms: what was seen before it is not acted on. */
  freshAfter(): number;
  notifier(name: string, healthy: boolean, error?: string): void;
  /** Those of which it was told that they do not take alerts. */
  failingNotifiers(): readonly string[];
  /** Why the watchdog cannot be pinged; undefined: it can, or none is configured. */
  watchdog(error: string | undefined): void;
  /** A probe could not be run for want of descriptors, memory or the like: trouble of ours, told once. */
  scarce(error: Error): void;
  /** The store did not take some results, and they are lost: told once. */
  unstored(why: string): void;
  /** No vantage probe answers, since then (wall clock); undefined: one does again. */
  blind(blindness: { readonly since: number; readonly why: string } | undefined): void;
  reload(outcome: Extract<ReloadOutcome, { ok: false }> | undefined): Promise<void>;
  /** What an earlier process said of itself is over: this one runs, and its home has loaded. */
  started(): Promise<void>;
  /** A notifier that is not configured any more cannot recover: its trouble is over. */
  follow(notifiers: Configuration['notifiers']): void;
  /** Why the last reload was refused. */
  problems(): readonly Problem[];
  stop(): void;
}

/** A stall is over when this long has passed without another. */
const CALM_MS = 60_000;
const NOTIFIER = 'notifier:';

export function createSelfWatch({ clock, log, meter, desk, backlog, process, onResumed }: SelfWatchParts): SelfWatch {
  let freshAfter = clock.monotonic();
  let problems: readonly Problem[] = [];
  let calm: NodeJS.Timeout | undefined;
  let plenty: NodeJS.Timeout | undefined;
  let stored: NodeJS.Timeout | undefined;
  /** While we start, nothing is watched that could be missed. */
  let telling = false;

  /** What is true last is written when the store is back. */
  async function say(subject: string, trouble: SelfTrouble | undefined): Promise<void> {
    await backlog.write({ key: `self:${subject}`, write: () => desk.self(subject, trouble) });
  }

  function keep(work: Promise<void>): void {
    work.catch((error: unknown) => log.error('self_incident_not_stored', { error }));
  }

  function onStall(stall: Stall): void {
    const lasted = formatDuration(stall.durationMs);
    log.warn(stall.kind === 'pause' ? 'process_paused' : 'loop_blocked', { duration_ms: stall.durationMs });
    if (stall.kind === 'pause') {
      freshAfter = stall.until;
      meter.processPaused(stall.durationMs / 1_000);
    }
    if (!telling) return;
    const what = stall.kind === 'pause' ? `was paused for ${lasted}` : `was blocked for ${lasted} by its own work`;
    keep(
      say('stall', {
        title: 'Brainstem stood still',
        cause: `Brainstem ${what}: nothing was watched meanwhile`,
        severity: 'warning',
      }),
    );
    clearTimeout(calm);
    calm = setTimeout(() => keep(say('stall', undefined)), CALM_MS);
    calm.unref();
    onResumed();
  }

  function scarce(error: Error): void {
    keep(
      say('resources', {
        title: 'Resources of this machine',
        cause: `Brainstem cannot probe everything: ${error.message}`,
        severity: 'warning',
      }),
    );
    clearTimeout(plenty);
    plenty = setTimeout(() => keep(say('resources', undefined)), CALM_MS);
    plenty.unref();
  }

  function unstored(why: string): void {
    keep(
      say('results', {
        title: 'History of results',
        cause: `results are lost, because the store does not take them: ${why}`,
        severity: 'warning',
      }),
    );
    clearTimeout(stored);
    stored = setTimeout(() => keep(say('results', undefined)), CALM_MS);
    stored.unref();
  }

  const stalls = startStallMonitor({
    ...{ clock, onStall, onLag: meter.loopLag },
    cpuMs: process.cpuMs,
    uptimeMs: process.uptimeMs,
  });

  return {
    stalls,
    startedAt: clock.now(),
    freshAfter: () => freshAfter,
    scarce,
    unstored,
    notifier(name, healthy, error) {
      const trouble: SelfTrouble = {
        title: `Notifier ${name}`,
        cause: `${name} does not take alerts: ${error ?? 'no answer'}`,
        severity: 'warning',
      };
      keep(say(`${NOTIFIER}${name}`, healthy ? undefined : trouble));
    },
    failingNotifiers: () =>
      desk
        .open()
        .filter(({ source, subject }) => source === 'self' && subject.startsWith(NOTIFIER))
        .map(({ subject }) => subject.slice(NOTIFIER.length)),
    watchdog(error) {
      const trouble: SelfTrouble = {
        title: 'Watchdog',
        cause: `its pings fail (${error}): it will take us for dead`,
        severity: 'warning',
      };
      keep(say('watchdog', error === undefined ? undefined : trouble));
    },
    blind(blindness) {
      const trouble = blindness && {
        title: 'Brainstem is blind',
        cause: `nothing is judged over the network, and nothing is healed: no vantage probe answers (${blindness.why})`,
        severity: 'critical' as const,
      };
      keep(say('blind', trouble));
    },
    async reload(outcome) {
      problems = outcome?.problems ?? [];
      const first = outcome?.problems[0];
      const cause =
        first &&
        `${formatProblem(first)}${outcome.problems.length > 1 ? ` (and ${outcome.problems.length - 1} more)` : ''}`;
      const trouble: SelfTrouble = {
        title: 'Configuration',
        cause: `the running configuration is kept: ${cause}`,
        severity: 'warning',
      };
      await say('reload', outcome && trouble);
    },
    async started() {
      await say('stall', undefined);
      await say('reload', undefined);
      await say('resources', undefined);
      await say('results', undefined);
      await say('blind', undefined);
      telling = true;
    },
    follow(notifiers) {
      for (const { source, subject } of desk.open()) {
        if (source !== 'self' || !subject.startsWith(NOTIFIER)) continue;
        const notifier = notifiers.get(subject.slice(NOTIFIER.length));
        if (notifier?.unset.length !== 0) keep(say(subject, undefined));
      }
    },
    problems: () => problems,
    stop() {
      clearTimeout(calm);
      clearTimeout(plenty);
      clearTimeout(stored);
      stalls.stop();
    },
  };
}
