/**
 * CEL's functions and methods, as https://github.com/google/cel-spec defines them, over JavaScript values.
 * The type checker saw the arguments already; what only shows at run time is MISSING.
 */
import { MISSING, type Run, spend, textCost } from './cel-run.ts';

export type Call = (run: Run, ...values: readonly unknown[]) => unknown;

export const FUNCTIONS: Readonly<Record<string, Call>> = {
  size,
  double: (_, value) => toNumber(value),
  int: (_, value) => toInteger(value),
  string: (_, value) => toText(value),
  bool: (_, value) => toBoolean(value),
};

/** The first value is the receiver. */
export const METHODS: Readonly<Record<string, Call>> = {
  size,
  contains: (run, text, part) => find(run, text, part, (whole, wanted) => whole.includes(wanted)),
  startsWith: (run, text, part) => find(run, text, part, (whole, wanted) => whole.startsWith(wanted)),
  endsWith: (run, text, part) => find(run, text, part, (whole, wanted) => whole.endsWith(wanted)),
  indexOf: (run, text, part, from) =>
    find(run, text, part, (whole, wanted) => whole.indexOf(wanted, Number(from ?? 0))),
  lastIndexOf: (run, text, part, from) =>
    find(run, text, part, (whole, wanted) => whole.lastIndexOf(wanted, Number(from ?? whole.length))),
  lowerAscii: (run, text) => change(run, text, (whole) => whole.toLowerCase()),
  upperAscii: (run, text) => change(run, text, (whole) => whole.toUpperCase()),
  trim: (run, text) => change(run, text, (whole) => whole.trim()),
  substring,
  split,
  join,
};

/** Characters of a text, elements of a list, entries of a map. */
function size(run: Run, value: unknown): unknown {
  if (typeof value === 'string') {
    spend(run, value.length >> 2);
    return countCharacters(value);
  }
  if (Array.isArray(value)) return value.length;
  return typeof value === 'object' && value !== null ? Object.keys(value).length : MISSING;
}

/** Code points, not UTF-16 units. */
function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Searching takes the product of both lengths at worst, divided by the largest leap of the engine. */
function find(run: Run, text: unknown, part: unknown, search: (text: string, part: string) => unknown): unknown {
  if (typeof text !== 'string' || typeof part !== 'string') return MISSING;
  spend(run, textCost(text) + Math.ceil((text.length * part.length) / 4_096));
  return search(text, part);
}

function change(run: Run, text: unknown, apply: (text: string) => string): unknown {
  if (typeof text !== 'string') return MISSING;
  spend(run, textCost(text));
  return apply(text);
}

function substring(_: Run, text: unknown, start: unknown, end?: unknown): unknown {
  if (typeof text !== 'string') return MISSING;
  const from = Number(start);
  const to = Number(end ?? text.length);
  return from >= 0 && from <= to && to <= text.length ? text.substring(from, to) : MISSING;
}

/** At most `limit` parts, the rest staying in the last one; a negative limit is none. */
function split(run: Run, text: unknown, separator: unknown, limit?: unknown): unknown {
  if (typeof text !== 'string' || typeof separator !== 'string') return MISSING;
  spend(run, separator === '' ? text.length : textCost(text) + Math.ceil(text.length / separator.length / 4));
  const parts = text.split(separator);
  const most = Number(limit ?? -1);
  if (most < 0 || parts.length <= most) return parts;
  return most === 0 ? [] : [...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)];
}

function join(run: Run, list: unknown, separator?: unknown): unknown {
  if (!Array.isArray(list)) return MISSING;
  spend(run, list.length);
  const between = typeof separator === 'string' ? separator : '';
  for (const part of list) {
    if (typeof part !== 'string') return MISSING;
    spend(run, textCost(part) + textCost(between));
  }
  return list.join(between);
}

function toNumber(value: unknown): unknown {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return MISSING;
  const parsed = Number(value);
  return Number.isNaN(parsed) ? MISSING : parsed;
}

/** Towards zero. */
function toInteger(value: unknown): unknown {
  const number = toNumber(value);
  return Number.isFinite(number) ? Math.trunc(number as number) : MISSING;
}

function toText(value: unknown): unknown {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : MISSING;
}

function toBoolean(value: unknown): unknown {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === '1' || value === 't') return true;
  return value === 'false' || value === '0' || value === 'f' ? false : MISSING;
}
