/** What the window functions compute over the numbers of a window, oldest first. */
import type { WindowFunction } from '../model.ts';

/** undefined where the numbers have no answer: a rate over no time. `values` is not empty, except for `count`. */
export function aggregate(
  name: WindowFunction,
  values: readonly number[],
  times: readonly number[],
): number | undefined {
  switch (name) {
    case 'avg':
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    case 'min':
      return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
    case 'max':
      return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    case 'p50':
      return quantile(values, 0.5);
    case 'p95':
      return quantile(values, 0.95);
    case 'p99':
      return quantile(values, 0.99);
    case 'rate':
      return rate(values, times);
    case 'count':
      return values.length;
  }
}

/** Interpolated between neighbours, as Prometheus' quantile_over_time does. */
function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = share * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Increase per second of a counter between the first and the last run. A fall is a restart at zero. */
function rate(values: readonly number[], times: readonly number[]): number | undefined {
  const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
  if (seconds <= 0) return undefined;
  let increase = 0;
  let previous = values[0] ?? 0;
  for (const value of values.slice(1)) {
    increase += value < previous ? value : value - previous;
    previous = value;
  }
  return increase / seconds;
}
