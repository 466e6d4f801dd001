/** Functions, methods, macros, windows and patterns. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { AppError } from '../errors.ts';
import { WINDOW_FUNCTIONS, type WindowUse } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import { compileHas } from './cel-access.ts';
import { type Compilation, literalOf } from './cel-compilation.ts';
import { type Call, FUNCTIONS, METHODS } from './cel-functions.ts';
import { type Body, compileMacro, isMacro, PREDICATE_MACROS } from './cel-macros.ts';
import { absence, type Evaluate, MISSING, NO_DATA, spend } from './cel-run.ts';
import { ConditionError } from './condition-error.ts';
import { isWindowFunction, windowUseOf } from './condition-windows.ts';
import { createMatcher, type Matcher } from './matches.ts';

export function compileCall(node: ASTNode, name: string, args: readonly ASTNode[], unit: Compilation): Evaluate {
  if (name === 'has') return compileHas(node, args, unit);
  if (isWindowFunction(name)) return compileWindow(name, node, args, unit);
  return applied(knownCall(FUNCTIONS, name, ['has', ...WINDOW_FUNCTIONS], node), args, unit);
}

function compileWindow(
  name: WindowUse['function'],
  node: ASTNode,
  args: readonly ASTNode[],
  unit: Compilation,
): Evaluate {
  if (!unit.windowsAllowed)
    throw new ConditionError(`${name}() looks back over time and cannot be used here`, node.start);
  const use = windowUseOf(name, node, args, unit.fields, unit.everyMs);
  const index = registerUse(unit.windows, use);
  return (run) => run.windows[index] ?? NO_DATA;
}

/** The position of an equal use, or of this one, added. */
function registerUse(uses: WindowUse[], use: WindowUse): number {
  const index = uses.findIndex(
    (other) => other.function === use.function && other.field === use.field && other.spanMs === use.spanMs,
  );
  return index >= 0 ? index : uses.push(use) - 1;
}

export function compileMethod(node: ASTNode, unit: Compilation): Evaluate {
  if (node.op !== 'rcall') throw new Error(`not a method call: ${node.op}`);
  const [name, receiver, args] = node.args;
  if (isMacro(name, args)) return compileIteration(name, receiver, args, unit);
  if (name === 'matches') return compileMatches(node, receiver, args, unit);
  const call = knownCall(METHODS, name, ['matches', ...Object.keys(PREDICATE_MACROS)], node);
  return applied(call, [receiver, ...args], unit);
}

function compileIteration(name: string, receiver: ASTNode, args: readonly ASTNode[], unit: Compilation): Evaluate {
  const [variable, ...bodies] = args as [ASTNode, ...ASTNode[]];
  if (variable.op !== 'id') throw new ConditionError(`${name}() takes a variable's name first`, variable.start);
  const range = unit.compile(receiver);
  const slot = unit.locals.push(variable.args) - 1;
  const compiled = bodies.map((body) => compileBody(body, unit));
  unit.locals.pop();
  return compileMacro(name, range, slot, compiled.at(-1) as Body, compiled.at(-2));
}

function compileBody(node: ASTNode, unit: Compilation): Body {
  const before = unit.nodes;
  return { evaluate: unit.compile(node), steps: unit.nodes - before };
}

/** The pattern is a literal, so that it is compiled once and no target ever supplies one. */
function compileMatches(node: ASTNode, receiver: ASTNode, args: readonly ASTNode[], unit: Compilation): Evaluate {
  const pattern = args.length === 1 && args[0] ? literalOf(args[0]) : undefined;
  if (typeof pattern !== 'string') throw new ConditionError('matches() takes one pattern in quotes', node.start);
  const text = unit.compile(receiver);
  const matcher = matcherAt(pattern, args[0]?.start ?? node.start);
  return (run) => {
    const value = text(run);
    if (typeof value !== 'string') return value === NO_DATA ? NO_DATA : MISSING;
    spend(run, matcher.cost(value));
    return matcher.test(value);
  };
}

function matcherAt(pattern: string, offset: number): Matcher {
  try {
    return createMatcher(pattern);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new ConditionError(`invalid pattern: ${error.message}`, offset, { cause: error });
  }
}

function knownCall(
  table: Readonly<Record<string, Call>>,
  name: string,
  others: readonly string[],
  node: ASTNode,
): Call {
  const call = Object.hasOwn(table, name) ? table[name] : undefined;
  if (call) return call;
  const hint = didYouMean(name, [...Object.keys(table), ...others]);
  throw new ConditionError(`unknown function \`${name}\`${hint}`, node.start);
}

/** A call whose arguments are all values; one that is missing, or without data, is the result. */
function applied(call: Call, nodes: readonly ASTNode[], unit: Compilation): Evaluate {
  const args = nodes.map((node) => unit.compile(node));
  return (run) => {
    const values = args.map((argument) => argument(run));
    const absent = values.reduce<symbol | undefined>((found, value) => absence(found, value), undefined);
    return absent ?? call(run, ...values);
  };
}
