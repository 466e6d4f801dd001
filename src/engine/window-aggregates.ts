/** What the window functions compute over the numbers of a window, oldest first. */
import type { WindowFunction } from '../model.ts';

type Numbers = readonly number[];

/** undefined where the numbers have no answer: a rate over no time. `values` is empty for `count` at most. */
export const AGGREGATES: Readonly<
  Record<Exclude<WindowFunction, 'error_rate'>, (values: Numbers, times: Numbers) => number | undefined>
> = {
  avg: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  min: (values) => values.reduce((least, value) => Math.min(least, value)),
  max: (values) => values.reduce((most, value) => Math.max(most, value)),
  p50: (values) => quantile(values, 0.5),
  p95: (values) => quantile(values, 0.95),
  p99: (values) => quantile(values, 0.99),
  rate,
  count: (values) => values.length,
};

/** Interpolated between neighbours, as Prometheus' quantile_over_time does. */
function quantile(values: Numbers, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = share * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

/** Increase per second of a counter between the first and the last run. A fall is a restart at zero. */
function rate(values: Numbers, times: Numbers): number | undefined {
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
