/**
 * CEL's operators over JavaScript values. There is one kind of number, and no operator throws: what cannot be computed
 * is MISSING, which makes a condition false whichever way it is phrased (`!=` and `!` included).
 */
import { absence, MISSING, member, NO_DATA, type Run, StepsExhausted, spend, textCost } from './cel-run.ts';

export type BinaryOperation = (run: Run, left: unknown, right: unknown) => unknown;

/** Nesting that equality follows; no answer of an honest target is deeper. */
const DEPTH_LIMIT = 64;

/** The strict operators. Their operands are values: `absence` was asked before. */
export const BINARY_OPERATIONS: Readonly<Record<string, BinaryOperation>> = {
  '==': (run, left, right) => equality(run, left, right),
  '!=': (run, left, right) => not(equality(run, left, right)),
  '<': (run, left, right) => ordered(run, left, right, (order) => order < 0),
  '<=': (run, left, right) => ordered(run, left, right, (order) => order <= 0),
  '>': (run, left, right) => ordered(run, left, right, (order) => order > 0),
  '>=': (run, left, right) => ordered(run, left, right, (order) => order >= 0),
  '+': add,
  '-': (_, left, right) => arithmetic(left, right, (a, b) => a - b),
  '*': (_, left, right) => arithmetic(left, right, (a, b) => a * b),
  '/': (_, left, right) => arithmetic(left, right, (a, b) => a / b),
  '%': (_, left, right) => arithmetic(left, right, (a, b) => a % b),
  in: contained,
};

/** False beats missing beats no data beats true: without data only when data could still make it true. */
export function and(left: unknown, right: unknown): unknown {
  if (left === false || right === false) return false;
  return absence(truth(left), truth(right)) ?? true;
}

/** True beats no data beats missing beats false. */
export function or(left: unknown, right: unknown): unknown {
  if (left === true || right === true) return true;
  if (left === NO_DATA || right === NO_DATA) return NO_DATA;
  return absence(truth(left), truth(right)) ?? false;
}

export function not(value: unknown): unknown {
  return typeof value === 'boolean' ? !value : truth(value);
}

/** The value when it is one of logic, else MISSING. */
function truth(value: unknown): unknown {
  return typeof value === 'boolean' || value === NO_DATA ? value : MISSING;
}

export function negate(value: unknown): unknown {
  if (typeof value === 'number') return -value;
  return typeof value === 'symbol' ? value : MISSING;
}

/** Null equals null alone; against a value it is missing, so that an absent status is neither 200 nor "not 500". */
function equality(run: Run, left: unknown, right: unknown): unknown {
  if (left !== null && right !== null) return equal(run, left, right, 0);
  return left === right ? true : MISSING;
}

/** Deep equality; values of different types differ. */
function equal(run: Run, left: unknown, right: unknown, depth: number): boolean {
  if (left === right) return true;
  if (typeof left === 'string' && typeof right === 'string') spend(run, textCost(left));
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  if (depth > DEPTH_LIMIT) throw new StepsExhausted();
  const keys = Object.keys(left);
  spend(run, keys.length);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every(
    (key) => Object.hasOwn(right, key) && equal(run, property(left, key), property(right, key), depth + 1),
  );
}

function property(container: object, key: string): unknown {
  return (container as Record<string, unknown>)[key];
}

function ordered(run: Run, left: unknown, right: unknown, holds: (order: number) => boolean): unknown {
  if (typeof left === 'number' && typeof right === 'number') return holds(left - right);
  if (typeof left !== 'string' || typeof right !== 'string') return MISSING;
  spend(run, textCost(left));
  return holds(left < right ? -1 : Number(left > right));
}

function add(run: Run, left: unknown, right: unknown): unknown {
  if (typeof left === 'string' && typeof right === 'string') {
    spend(run, textCost(left) + textCost(right));
    return left + right;
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    spend(run, left.length + right.length);
    return [...left, ...right];
  }
  return arithmetic(left, right, (a, b) => a + b);
}

function arithmetic(left: unknown, right: unknown, compute: (left: number, right: number) => number): unknown {
  return typeof left === 'number' && typeof right === 'number' ? compute(left, right) : MISSING;
}

/** `x in list`, `key in map`. */
function contained(run: Run, value: unknown, container: unknown): unknown {
  if (value === null) return MISSING;
  if (Array.isArray(container)) {
    spend(run, container.length);
    return container.some((element) => equal(run, value, element, 0));
  }
  if (typeof container !== 'object' || container === null) return MISSING;
  return member(container, value) !== MISSING;
}
