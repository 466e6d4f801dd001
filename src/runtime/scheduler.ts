/**
 * When each probe runs. One wheel and one timer serve every interval; calendar expressions run on node-cron.
 *
 * - A probe's phase is a stable hash of its name within its interval, so restarts don't bunch and neighbours don't collide.
 * - A run never overlaps itself: a due time that finds it running is counted as an overrun, and nothing queues.
 * - What did not come from the wheel (new probes, woken ones, catch-ups after a pause) starts through a paced queue,
 *   in which a probe stands at most once.
 */
import cron, { type ScheduledTask } from 'node-cron';
import type { Schedule } from '../model.ts';
import type { Clock, Log, Meter } from '../ports.ts';
import { TICK_MS, Wheel } from './wheel.ts';

export interface ScheduledProbe {
  readonly name: string;
  readonly schedule: Schedule;
  readonly retryEveryMs?: number;
  /** Changes with the schedule or the target: a probe with another revision runs at once. */
  readonly revision: string;
  /** Wall clock of the newest stored result; undefined for a probe that never ran. */
  readonly lastRunAt?: number;
}

/** When a run wants to be followed sooner than on its phase. */
export interface RunEnd {
  /** Ask again after `retryEveryMs`. */
  readonly confirming: boolean;
  /** Wall clock: ask again then. */
  readonly turnsAt?: number;
}

export interface SchedulerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'scheduleDelay' | 'probeOverrun'>;
  /** One run from start to stored verdict; never rejects. */
  run(name: string): Promise<RunEnd>;
}

export interface Scheduler {
  /** Replaces the set of probes; what did not change is not disturbed. */
  set(probes: readonly ScheduledProbe[]): void;
  /** Runs a probe now, or once more after the run under way. */
  wake(name: string): void;
  /** Wall clock of the next planned run. */
  nextRunAt(name: string): number | undefined;
  /** Starts nothing more. Runs under way are the caller's to abort. */
  stop(): Promise<void>;
}

/** Paced starts: so many within `PACE_MS`. */
const PACED_STARTS = 50;
const PACE_MS = 100;
/** Upper bound of runs under way; what is due beyond it waits in the paced queue. */
const MAX_UNDER_WAY = 1_000;
/** After a restart every probe that is due anyway has run within this time. */
const START_SPREAD_MS = 10_000;
/** A due time that is collected later than this was slept through: it catches up, paced. */
const LATE_MS = 1_000;

interface Entry {
  readonly probe: ScheduledProbe;
  /** Of the last planned interval run, monotonic ms; the phase that retries and wake-ups do not shift. */
  regularAt: number;
  task?: ScheduledTask;
  running: boolean;
  startedAt: number;
  /** Woken while running. */
  again: boolean;
}

export function createScheduler({ clock, log, meter, run }: SchedulerParts): Scheduler {
  const entries = new Map<string, Entry>();
  const wheel = new Wheel<string>(clock.monotonic());
  const paced = new Set<string>();
  let underWay = 0;
  let starts = { windowAt: Number.NEGATIVE_INFINITY, count: 0 };
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let stopped = false;

  function arm(at: number): void {
    if (stopped || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(turn, Math.max(0, at - clock.monotonic()));
  }

  function turn(): void {
    timerAt = Number.POSITIVE_INFINITY;
    const now = clock.monotonic();
    for (const { key, plannedAt } of wheel.collect(now)) due(key, plannedAt, clock.monotonic());
    drainPaced(now);
    arm(paced.size > 0 && underWay < MAX_UNDER_WAY ? now + TICK_MS : Number.POSITIVE_INFINITY);
    arm(wheel.nextAt());
  }

  function due(name: string, plannedAt: number, now: number): void {
    const entry = entries.get(name);
    if (!entry) return;
    planNext(entry, now);
    if (entry.running) {
      meter.probeOverrun(name);
      return;
    }
    if (now - plannedAt > LATE_MS || underWay >= MAX_UNDER_WAY) {
      paced.add(name);
      return;
    }
    meter.scheduleDelay((now - plannedAt) / 1_000);
    start(entry, now);
  }

  function drainPaced(now: number): void {
    if (now - starts.windowAt >= PACE_MS) starts = { windowAt: now, count: 0 };
    for (const name of paced) {
      if (starts.count >= PACED_STARTS || underWay >= MAX_UNDER_WAY) return;
      paced.delete(name);
      const entry = entries.get(name);
      if (!entry || entry.running) continue;
      starts.count += 1;
      start(entry, now);
    }
  }

  function start(entry: Entry, now: number): void {
    entry.running = true;
    entry.startedAt = now;
    underWay += 1;
    run(entry.probe.name).then(
      (end) => ended(entry, end),
      (error: unknown) => {
        log.error('probe_run_threw', { probe: entry.probe.name, error });
        ended(entry, { confirming: false });
      },
    );
  }

  function ended(entry: Entry, end: RunEnd): void {
    entry.running = false;
    underWay -= 1;
    const name = entry.probe.name;
    if (stopped || entries.get(name) !== entry) return;
    if (entry.again) {
      entry.again = false;
      paced.add(name);
    } else {
      const followAt = followUpOf(entry, end);
      if (followAt < (wheel.dueAt(name) ?? Number.POSITIVE_INFINITY)) wheel.set(name, followAt);
    }
    if (paced.size > 0) arm(clock.monotonic());
    arm(wheel.nextAt());
  }

  /** Monotonic; infinity: none is wanted. */
  function followUpOf({ probe, startedAt }: Entry, { confirming, turnsAt }: RunEnd): number {
    const retryAt =
      confirming && probe.retryEveryMs !== undefined ? startedAt + probe.retryEveryMs : Number.POSITIVE_INFINITY;
    if (turnsAt === undefined) return retryAt;
    return Math.min(retryAt, clock.monotonic() + Math.max(TICK_MS, turnsAt - clock.now()));
  }

  /** The next regular time after now, on the phase; times slept through are left out. */
  function planNext(entry: Entry, now: number): void {
    if (entry.probe.schedule.kind !== 'interval') return;
    const { everyMs } = entry.probe.schedule;
    const missed = Math.floor((now - entry.regularAt) / everyMs);
    entry.regularAt += Math.max(0, missed + 1) * everyMs;
    wheel.set(entry.probe.name, entry.regularAt);
  }

  function add(probe: ScheduledProbe): void {
    const entry: Entry = { probe, regularAt: 0, running: false, startedAt: 0, again: false };
    entries.set(probe.name, entry);
    if (probe.schedule.kind === 'cron') {
      const { expression, timezone } = probe.schedule;
      entry.task = cron.schedule(expression, () => wake(probe.name), timezone === undefined ? {} : { timezone });
    }
    const now = clock.monotonic();
    if (probe.schedule.kind === 'interval') {
      entry.regularAt = now + untilPhase(probe.name, probe.schedule.everyMs, clock.now());
      wheel.set(probe.name, entry.regularAt);
    }
    firstRun(entry, now);
  }

  /** New: at once. Known, but its last result is older than its interval: soon. Else: at its phase. */
  function firstRun({ probe, regularAt }: Entry, now: number): void {
    if (probe.lastRunAt === undefined) {
      paced.add(probe.name);
      return;
    }
    if (probe.schedule.kind !== 'interval') return;
    const { everyMs } = probe.schedule;
    if (clock.now() - probe.lastRunAt <= everyMs || regularAt - now <= START_SPREAD_MS) return;
    wheel.set(probe.name, now + (stableHash(probe.name) % START_SPREAD_MS));
  }

  function remove(name: string): void {
    const entry = entries.get(name);
    if (!entry) return;
    entries.delete(name);
    wheel.delete(name);
    paced.delete(name);
    void entry.task?.destroy();
  }

  function wake(name: string): void {
    const entry = entries.get(name);
    if (!entry || stopped) return;
    if (entry.running) entry.again = true;
    else paced.add(name);
    arm(clock.monotonic());
  }

  return {
    set(probes) {
      const wanted = new Map(probes.map((probe) => [probe.name, probe]));
      for (const name of [...entries.keys()]) if (!wanted.has(name)) remove(name);
      for (const probe of probes) {
        if (entries.get(probe.name)?.probe.revision === probe.revision) continue;
        remove(probe.name);
        add(probe);
      }
      arm(clock.monotonic());
    },
    wake,
    nextRunAt(name) {
      const entry = entries.get(name);
      if (entry?.task) return entry.task.getNextRun()?.getTime();
      const at = wheel.dueAt(name);
      return at === undefined ? undefined : clock.now() + at - clock.monotonic();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const name of [...entries.keys()]) remove(name);
    },
  };
}

/** Milliseconds from `wallNow` to the next time that is `hash(name)` into an interval of the wall clock. */
export function untilPhase(name: string, everyMs: number, wallNow: number): number {
  const phase = stableHash(name) % everyMs;
  const rest = (phase - (wallNow % everyMs)) % everyMs;
  return rest < 0 ? rest + everyMs : rest;
}

/** FNV-1a, 32 bit: the same on every machine and in every release. */
export function stableHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  // FNV's low bits alone are poor for short names that differ in their last digit: mix the high ones in.
  return (hash ^ (hash >>> 15)) >>> 0;
}
