/** Copies of what a module hands over: plain data within caps, whatever it was. */

export interface Caps {
  readonly values: number;
  readonly depth: number;
  readonly textChars: number;
}

/** What was handed over is no plain data. The message names it by its path. */
export class NotPlain extends Error {}

/**
 * Numbers, texts, booleans, null, lists and mappings. Dates become ISO texts, big integers numbers, and what is undefined is
 * left out. Errors: NotPlain, for anything else and for more than the caps allow.
 */
export function plainCopy(value: unknown, what: string, caps: Caps): unknown {
  let values = 0;

  function copy(item: unknown, path: string, depth: number): unknown {
    if (++values > caps.values) throw new NotPlain(`${what} holds more than ${caps.values} values`);
    if (depth > caps.depth) throw new NotPlain(`${path} is nested deeper than ${caps.depth} levels`);
    if (item === null || typeof item === 'boolean' || typeof item === 'number') return item;
    if (typeof item === 'bigint') return Number(item);
    if (typeof item === 'string') return item.length > caps.textChars ? item.slice(0, caps.textChars) : item;
    if (item instanceof Date && !Number.isNaN(item.getTime())) return item.toISOString();
    if (Array.isArray(item)) return item.map((each, index) => copy(each ?? null, `${path}[${index}]`, depth + 1));
    if (!isMapping(item)) throw new NotPlain(`${path} is ${kindOf(item)}, which is no plain data`);
    const entries = Object.entries(item).filter(([, each]) => each !== undefined);
    return Object.fromEntries(entries.map(([key, each]) => [key, copy(each, `${path}.${key}`, depth + 1)]));
  }

  return copy(value, what, 0);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined ? 'undefined' : `a ${typeof value}`;
  return `an object of class ${value.constructor?.name ?? '(none)'}`;
}
