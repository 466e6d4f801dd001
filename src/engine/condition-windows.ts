/**
 * Window functions in conditions: `avg("latency_ms", "5m")`. Their arguments are literals, so that each use is known
 * when the file is read.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { type FieldDeclarations, WINDOW_FUNCTIONS, type WindowFunction, type WindowUse } from '../model.ts';
import { formatDuration, parseDuration } from '../units.ts';
import { resolvePath, typeName } from './cel-fields.ts';
import { ConditionError } from './condition-error.ts';

/** Runs that a window may hold: 6.9 days at one every 30 s. */
const LONGEST_WINDOW_RUNS = 20_000;

export function isWindowFunction(name: string): name is WindowFunction {
  return (WINDOW_FUNCTIONS as readonly string[]).includes(name);
}

/** The use that a call stands for. `everyMs` undefined: the probe runs on a calendar. Errors: ConditionError. */
export function windowUseOf(
  name: WindowFunction,
  call: ASTNode,
  args: readonly ASTNode[],
  fields: FieldDeclarations,
  everyMs: number | undefined,
): WindowUse {
  const [first, second, ...rest] = args;
  const [field, span] = name === 'error_rate' ? [undefined, first] : [first, second];
  const surplus = name === 'error_rate' ? second : rest[0];
  if (!span || surplus) throw new ConditionError(`write ${exampleOf(name)}`, call.start);
  const spanMs = spanOf(name, span, everyMs);
  return field ? { function: name, field: fieldOf(name, field, fields), spanMs } : { function: name, spanMs };
}

function exampleOf(name: WindowFunction): string {
  return name === 'error_rate' ? 'error_rate("5m")' : `${name}("latency_ms", "5m")`;
}

function literal(name: WindowFunction, node: ASTNode): string {
  if (node.op === 'value' && typeof node.args === 'string') return node.args;
  throw new ConditionError(`${name}() takes texts in quotes: write ${exampleOf(name)}`, node.start);
}

function fieldOf(name: WindowFunction, node: ASTNode, fields: FieldDeclarations): string {
  const text = literal(name, node);
  const { type } = resolvePath(
    fields,
    text.split('.').map((key) => ({ key, offset: node.start })),
  );
  if (type === 'double' || type === 'dyn') return text;
  throw new ConditionError(`${name}() takes a numeric field, and \`${text}\` is ${typeName(type)}`, node.start);
}

function spanOf(name: WindowFunction, node: ASTNode, everyMs: number | undefined): number {
  const text = literal(name, node);
  const spanMs = parseDuration(text);
  if (!spanMs) throw new ConditionError(`\`${text}\` is not a duration; write 30s, 5m or 1h30m`, node.start);
  if (everyMs === undefined) return spanMs;
  const every = formatDuration(everyMs);
  if (spanMs < 2 * everyMs) {
    const shortest = formatDuration(2 * everyMs);
    throw new ConditionError(
      `the window ${text} holds less than two runs of every ${every}; write at least ${shortest}`,
      node.start,
    );
  }
  if (spanMs > LONGEST_WINDOW_RUNS * everyMs) {
    const longest = formatDuration(LONGEST_WINDOW_RUNS * everyMs);
    throw new ConditionError(
      `the window ${text} holds too many runs of every ${every}; write at most ${longest}`,
      node.start,
    );
  }
  return spanMs;
}
