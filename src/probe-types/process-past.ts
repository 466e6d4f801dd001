/** What is remembered of matching processes from one run to the next: for CPU and for restarts. Pure. */
import { type ProcessEntry, type ProcessIdentity, TICKS_PER_SECOND } from '../shared/process-table.ts';

export interface Past {
  /** Seconds since boot. */
  readonly at: number;
  /** CPU ticks by process. */
  readonly ticks: ReadonlyMap<string, number>;
  /** How many were replaced by new ones since the first look. */
  readonly restarts: number;
  /** How many went and have not been replaced yet. */
  readonly missing: number;
}

/** A process that is gone and a new one make a restart, also when a run in between saw neither. */
export function remember(past: Past | undefined, processes: readonly ProcessEntry[], at: number): Past {
  const ticks = new Map(processes.map((entry) => [keyOf(entry), entry.cpuTicks]));
  if (!past) return { at, ticks, restarts: 0, missing: 0 };
  const gone = [...past.ticks.keys()].filter((key) => !ticks.has(key)).length;
  const come = [...ticks.keys()].filter((key) => !past.ticks.has(key)).length;
  const replaced = Math.min(past.missing + gone, come);
  return { at, ticks, restarts: past.restarts + replaced, missing: past.missing + gone - replaced };
}

/** Percent of one core, over all; undefined when no time has passed. */
export function cpuPercentSince(past: Past, processes: readonly ProcessEntry[], at: number): number | undefined {
  if (at <= past.at) return undefined;
  const spent = processes.reduce((sum, entry) => sum + ticksSince(past, entry), 0);
  return (spent / TICKS_PER_SECOND / (at - past.at)) * 100;
}

/** All that one has spent which was started since; nothing of one that was there, but did not match. */
function ticksSince(past: Past, entry: ProcessEntry): number {
  const before = past.ticks.get(keyOf(entry));
  if (before !== undefined) return entry.cpuTicks - before;
  return entry.startTicks / TICKS_PER_SECOND >= past.at ? entry.cpuTicks : 0;
}

function keyOf({ pid, startTicks }: ProcessIdentity): string {
  return `${pid}:${startTicks}`;
}
