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

interface PlannedProbe {
  readonly next_run_at?: string;
}

/**
 * Where the buckets lie on the wall clock: ms into each 50 ms. The API tells planned times rounded down to 1 ms, so the
 * latest of all is the nearest.
 */
export async function bucketOffset(daemon: Daemon): Promise<number> {
  const { probes } = await daemon.api<{ probes: readonly PlannedProbe[] }>('probes');
  const offsets = probes.flatMap(({ next_run_at: at }) => (at === undefined ? [] : [Date.parse(at) % BUCKET_MS]));
  const first = offsets[0];
  if (first === undefined) throw new Error('no probe has a planned time');
  return first + Math.max(...offsets.map((offset) => fromNearest(offset - first)));
}

/** Milliseconds after its bucket at which each request arrived. */
export function latenesses(arrivals: readonly Arrival[], offset: number): number[] {
  return arrivals.map(({ at }) => (((at - offset) % BUCKET_MS) + BUCKET_MS) % BUCKET_MS);
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
  return ((((difference + BUCKET_MS / 2) % BUCKET_MS) + BUCKET_MS) % BUCKET_MS) - BUCKET_MS / 2;
}
