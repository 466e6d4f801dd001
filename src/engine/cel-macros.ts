/** CEL's macros over lists (and the keys of maps): all, exists, exists_one, map, filter. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { and, or } from './cel-operators.ts';
import { type Evaluate, MISSING, type Run, spend } from './cel-run.ts';

/** A body of a macro: what it computes for an item, and the steps that costs. */
export interface Body {
  readonly evaluate: Evaluate;
  readonly steps: number;
}

/** Calls `visit` with what the body gives for each item until it returns something other than undefined. */
type Walk = (run: Run, visit: (value: unknown, item: unknown) => unknown) => unknown;

type Macro = (run: Run, walk: Walk) => unknown;

/** Macros with one body; a symbol (missing, no data) among the values decides as in CEL: by what could still be. */
export const PREDICATE_MACROS: Readonly<Record<string, Macro>> = {
  all(run, walk) {
    let result: unknown = true;
    return (
      walk(run, (value) => {
        result = and(result, value);
        return result === false ? false : undefined;
      }) ?? result
    );
  },
  exists(run, walk) {
    let result: unknown = false;
    return (
      walk(run, (value) => {
        result = or(result, value);
        return result === true ? true : undefined;
      }) ?? result
    );
  },
  exists_one(run, walk) {
    let count = 0;
    return (
      walk(run, (value) => {
        if (value === true) count++;
        return typeof value === 'boolean' ? undefined : undecided(value);
      }) ?? count === 1
    );
  },
  filter(run, walk) {
    const kept: unknown[] = [];
    return (
      walk(run, (value, item) => {
        if (value === true) kept.push(item);
        return typeof value === 'boolean' ? undefined : undecided(value);
      }) ?? kept
    );
  },
  map(run, walk) {
    const mapped: unknown[] = [];
    return (
      walk(run, (value) => {
        mapped.push(value);
        return typeof value === 'symbol' ? value : undefined;
      }) ?? mapped
    );
  },
};

function undecided(value: unknown): symbol {
  return typeof value === 'symbol' ? value : MISSING;
}

/** True for the shapes that macros have: a variable's name, then a body; `map` may have a filter between. */
export function isMacro(name: string, args: readonly ASTNode[]): boolean {
  if (!Object.hasOwn(PREDICATE_MACROS, name)) return false;
  return args.length === 2 || (name === 'map' && args.length === 3);
}

/** For each item of `range`: puts it into the local `slot` and evaluates the body, where the filter holds. */
export function compileMacro(name: string, range: Evaluate, slot: number, body: Body, filter?: Body): Evaluate {
  const macro = PREDICATE_MACROS[name];
  if (!macro) throw new Error(`no such macro: ${name}`);
  const steps = 1 + body.steps + (filter?.steps ?? 0);
  return (run) => {
    const items = itemsOf(run, range(run));
    if (typeof items === 'symbol') return items;
    return macro(run, (_, visit) => {
      for (const item of items) {
        spend(run, steps);
        run.locals[slot] = item;
        const wanted = filter ? filter.evaluate(run) : true;
        if (wanted === false) continue;
        const stopped = wanted === true ? visit(body.evaluate(run), item) : undecided(wanted);
        if (stopped !== undefined) return stopped;
      }
      return undefined;
    });
  };
}

function itemsOf(run: Run, range: unknown): readonly unknown[] | symbol {
  if (Array.isArray(range)) return range;
  if (typeof range !== 'object' || range === null) return undecided(range);
  const keys = Object.keys(range);
  spend(run, keys.length);
  return keys;
}
