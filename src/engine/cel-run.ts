/**
 * One evaluation of a condition: what it may read, what it may spend, and the values that are no values.
 */
import type { Bindings } from '../model.ts';

/** What one evaluation may cost, at about 20 ns a step: the dearest condition ends in hundredths of a second. */
export const STEP_LIMIT = 1_000_000;

export interface Run {
  readonly bindings: Bindings;
  /** What each window use of the condition read, in its order. */
  readonly windows: readonly (number | undefined)[];
  /** Values of the variables of the macros around, outermost first. */
  readonly locals: unknown[];
  steps: number;
}

/** A compiled expression. Throws StepsExhausted and nothing else. */
export type Evaluate = (run: Run) => unknown;

/** What the target did not give: a missing key, null where a value is needed, a value of the wrong type. */
export const MISSING = Symbol('missing');

/** A window without an opinion. */
export const NO_DATA = Symbol('no_data');

export class StepsExhausted extends Error {}

/** Whatever takes time in proportion to data pays before it starts. */
export function spend(run: Run, steps: number): void {
  run.steps -= steps;
  if (run.steps < 0) throw new StepsExhausted();
}

/** Steps for passing once over a text. */
export function textCost(text: string): number {
  return text.length >> 4;
}

/** What an operation gives when an operand is no value: what is missing outweighs what has no data. */
export function absence(left: unknown, right: unknown): symbol | undefined {
  if (left === MISSING || right === MISSING) return MISSING;
  return left === NO_DATA || right === NO_DATA ? NO_DATA : undefined;
}

/** The value under a key of a map, or at an index of a list; own properties only. */
export function member(container: unknown, key: unknown): unknown {
  if (typeof container !== 'object' || container === null) return typeof container === 'symbol' ? container : MISSING;
  if (typeof key === 'symbol') return key;
  if (Array.isArray(container) !== (typeof key === 'number')) return MISSING;
  const name = String(key);
  if (!Object.hasOwn(container, name)) return MISSING;
  return (container as Record<string, unknown>)[name] ?? null;
}
