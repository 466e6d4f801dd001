/**
 * How punctual a daemon is, seen from outside: when requests reach the target, against the daemon's own plan. That counts
 * everything between plan and target (a late timer, probes that start one after the other, the connect, the target's own
 * accept), so it is never less than what the daemon's own histogram of start delays shows.
 */
import type { Daemon } from '../../test/estate/daemon.ts';
import { quantile } from './statistics.ts';
import type { Arrival } from './target.ts';

/** Width of the buckets in which the daemon plans its starts, ms. */
const BUCKET_MS = 50;

/** What reaches the target so little before its plan is a rounding error, not a run that is an interval late. */
const ROUNDING_MS = 5;

interface PlannedProbe {
  readonly target: string;
  readonly next_run_at?: string;
}

/**
 * When each path is planned to be asked next, wall clock. The API rounds these times down to 1 ms, but all lie on one grid
 * of buckets: the latest within its bucket tells the grid best.
 */
export async function plans(daemon: Daemon): Promise<ReadonlyMap<string, number>> {
  const { probes } = await daemon.api<{ probes: readonly PlannedProbe[] }>('probes');
  const planned = probes.flatMap(({ target, next_run_at: at }): [string, number][] =>
    at === undefined ? [] : [[new URL(target).pathname, Date.parse(at)]],
  );
  const first = planned[0]?.[1];
  if (first === undefined) throw new Error('no probe has a planned time');
  const grid = first + Math.max(...planned.map(([, at]) => fromNearest(at - first)));
  return new Map(planned.map(([path, at]) => [path, at + fromNearest(grid - at)]));
}

/** Milliseconds after its plan at which each request arrived. */
export function latenesses(arrivals: readonly Arrival[], plan: ReadonlyMap<string, number>, everyMs: number): number[] {
  return arrivals.map(
    ({ path, at }) => modulo(at - (plan.get(path) ?? Number.NaN) + ROUNDING_MS, everyMs) - ROUNDING_MS,
  );
}

/** 99th percentile of how far the time between two requests for the same path is from the interval, ms. */
export function intervalErrorP99(arrivals: readonly Arrival[], everyMs: number): number {
  const last = new Map<string, number>();
  const errors: number[] = [];
  for (const { path, at } of arrivals) {
    const before = last.get(path);
    if (before !== undefined) errors.push(Math.abs(at - before - everyMs));
    last.set(path, at);
  }
  return quantile(errors, 0.99);
}

/** The representative of a difference modulo the bucket that lies nearest to 0. */
function fromNearest(difference: number): number {
  return modulo(difference + BUCKET_MS / 2, BUCKET_MS) - BUCKET_MS / 2;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
