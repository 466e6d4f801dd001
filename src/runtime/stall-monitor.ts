/**
 * Notices when this process itself stood still, because what probes say about that time is about us, not about targets.
 *
 * - *lag*: our own code held the event loop (the processor was busy with us meanwhile): results are suspect.
 * - *pause*: the process was stopped (SIGSTOP, a frozen cgroup) or the machine was suspended: results are from before it.
 */
import type { Clock } from '../ports.ts';

export interface Stall {
  readonly kind: 'lag' | 'pause';
  readonly durationMs: number;
  /** Monotonic ms when it began. */
  readonly from: number;
  readonly until: number;
}

export interface StallMonitor {
  /** The newest stall that overlaps a run which started then (monotonic ms); undefined when there was none. */
  since(startedAt: number): Stall | undefined;
  /** Greatest lag of the last minute, ms. */
  greatestLagMs(): number;
  stop(): void;
}

export interface StallMonitorParts {
  readonly clock: Clock;
  /** User and system time of this process so far, ms. */
  cpuMs(): number;
  /** Time since boot including suspension, ms. */
  uptimeMs(): number;
  onLag(seconds: number): void;
  onStall(stall: Stall): void;
}

const BEAT_MS = 250;
/** A run during which the loop stood still longer than this says nothing about its target. */
const STALL_MS = 1_000;
/** On a crowded machine our own work gets only a part of a processor; a stopped process gets nothing. */
const BUSY_SHARE = 0.25;
const REMEMBERED_MS = 60_000;

export function startStallMonitor({ clock, cpuMs, uptimeMs, onLag, onStall }: StallMonitorParts): StallMonitor {
  let last = reading();
  let newest: Stall | undefined;
  const lags: { at: number; ms: number }[] = [];
  const timer = setInterval(beat, BEAT_MS);
  timer.unref();

  function reading() {
    return { monotonic: clock.monotonic(), cpu: cpuMs(), uptime: uptimeMs() };
  }

  /** Looks at the time since the last beat; called by the timer, and by `since` so that no run ends unexamined. */
  function beat(): void {
    const now = reading();
    const elapsed = now.monotonic - last.monotonic;
    const suspendedMs = now.uptime - last.uptime - elapsed;
    const gapMs = Math.max(0, elapsed - BEAT_MS) + (suspendedMs > STALL_MS ? suspendedMs : 0);
    remember(now.monotonic, gapMs);
    if (gapMs >= STALL_MS) {
      const busy = now.cpu - last.cpu >= gapMs * BUSY_SHARE && suspendedMs <= STALL_MS;
      newest = { kind: busy ? 'lag' : 'pause', durationMs: gapMs, from: last.monotonic, until: now.monotonic };
      onStall(newest);
    }
    last = now;
  }

  function remember(at: number, ms: number): void {
    onLag(ms / 1_000);
    lags.push({ at, ms });
    while (lags[0] && at - lags[0].at > REMEMBERED_MS) lags.shift();
  }

  return {
    since(startedAt) {
      if (clock.monotonic() - last.monotonic >= STALL_MS) beat();
      return newest !== undefined && newest.until > startedAt ? newest : undefined;
    },
    greatestLagMs: () => lags.reduce((greatest, { ms }) => Math.max(greatest, ms), 0),
    stop: () => clearInterval(timer),
  };
}
