/** From runs, fresh or stored, to the samples that a window keeps. */
import type { Observation, Reason, Result } from '../model.ts';

/** One run, as a window keeps it. */
export interface WindowSample {
  readonly at: number;
  /** What `error_rate` counts: the exchange failed, or a windowless `expect` was false. */
  readonly error: boolean;
  /** By path; absent ones, and all of a failed exchange, do not count. */
  readonly values: Readonly<Record<string, number>>;
}

/** Reasons that our judging gave to an exchange that itself succeeded. */
const JUDGED: ReadonlySet<Reason> = new Set(['ok', 'http_status', 'body', 'condition']);

/** The sample of a run; undefined for an unknown one. `error` is what `windowlessError` of judge.ts says. */
export function sampleOf(observation: Observation, error: boolean, paths: readonly string[]): WindowSample | undefined {
  if (observation.unknown !== undefined || observation.reason === 'internal') return undefined;
  if (observation.reason !== 'ok') return { at: observation.startedAt, error, values: {} };
  const all = { latency_ms: observation.latencyMs, ...observation.fields };
  return { at: observation.startedAt, error, values: numbersAt(paths, (path) => valueAt(all, path)) };
}

/** The sample of a stored run, to refill a window at start; undefined for an unknown one. */
export function sampleOfResult(result: Result, paths: readonly string[]): WindowSample | undefined {
  if (result.verdict === 'unknown') return undefined;
  if (!JUDGED.has(result.reason)) return { at: result.at, error: result.error, values: {} };
  const all: Readonly<Record<string, unknown>> = { latency_ms: result.latencyMs, ...result.values };
  return { at: result.at, error: result.error, values: numbersAt(paths, (path) => all[path]) };
}

function numbersAt(paths: readonly string[], read: (path: string) => unknown): Record<string, number> {
  const numbers: [string, number][] = [];
  for (const path of paths) {
    const value = read(path);
    if (typeof value === 'number') numbers.push([path, value]);
  }
  return Object.fromEntries(numbers);
}

/** What stands at a dotted path; own properties only. */
export function valueAt(fields: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = fields;
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
