/**
 * From a syntax tree to a function. Names, literals and windows are checked on the way; types are cel-js's affair.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { REASONS, type WindowUse } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import { compileAccess } from './cel-access.ts';
import { compileCall, compileMethod } from './cel-calls.ts';
import { type Compilation, literalOf } from './cel-compilation.ts';
import type { FieldPath } from './cel-fields.ts';
import { and, BINARY_OPERATIONS, negate, not, or } from './cel-operators.ts';
import { absence, type Evaluate, MISSING, NO_DATA } from './cel-run.ts';
import { ConditionError } from './condition-error.ts';

/** Chains such as `a || b || c` nest once for each operator. */
const DEPTH_LIMIT = 300;

/** Compiles an expression, and says what it reads. `everyMs` undefined: the probe runs on a calendar. */
export function compileExpression(
  root: ASTNode,
  scope: Pick<Compilation, 'fields' | 'everyMs' | 'windowsAllowed'>,
): { readonly evaluate: Evaluate; readonly paths: readonly FieldPath[]; readonly windows: readonly WindowUse[] } {
  const unit: Compilation = {
    ...scope,
    paths: new Map(),
    windows: [],
    locals: [],
    nodes: 0,
    depth: 0,
    compile(node) {
      unit.nodes++;
      if (++unit.depth > DEPTH_LIMIT) throw new ConditionError('nested too deeply', node.start);
      const evaluate = compileNode(node, unit);
      unit.depth--;
      return evaluate;
    },
  };
  const evaluate = unit.compile(root);
  return { evaluate, paths: [...unit.paths.values()], windows: unit.windows };
}

function compileNode(node: ASTNode, unit: Compilation): Evaluate {
  switch (node.op) {
    case 'value':
      return compileLiteral(node, literalOf(node));
    case 'id':
    case '.':
    case '[]':
      return compileAccess(node, unit);
    case 'call':
      return compileCall(node, node.args[0], node.args[1], unit);
    case 'rcall':
      return compileMethod(node, unit);
    case 'list':
      return compileList(node.args, unit);
    case 'map':
      return compileMap(node.args, unit);
    case '!_':
      return compileUnary(node.args, not, unit);
    case '-_':
      return compileUnary(node.args, negate, unit);
    default:
      return compileOperator(node, unit);
  }
}

function compileOperator(node: ASTNode, unit: Compilation): Evaluate {
  if (node.op === '?:') return compileChoice(node.args, unit);
  if (node.op === '&&') return compileLogic(node.args, and, false, unit);
  if (node.op === '||') return compileLogic(node.args, or, true, unit);
  if (!Object.hasOwn(BINARY_OPERATIONS, node.op))
    throw new ConditionError(`\`${node.op}\` is not supported`, node.start);
  return compileBinary(node.op, node.args as readonly [ASTNode, ASTNode], unit);
}

// ── Literals and collections ─────────────────────────────────────────────────────────────────────────────────────

function compileLiteral(node: ASTNode, value: unknown): Evaluate {
  if (typeof value === 'object' && value !== null) {
    throw new ConditionError('bytes and unsigned numbers are not supported', node.start);
  }
  return () => value;
}

function compileList(nodes: readonly ASTNode[], unit: Compilation): Evaluate {
  const elements = nodes.map((node) => unit.compile(node));
  if (nodes.every(({ op }) => op === 'value')) {
    const constant = nodes.map(literalOf);
    return () => constant;
  }
  return (run) => {
    const values = elements.map((element) => element(run));
    return values.reduce<symbol | undefined>((found, value) => found ?? absence(value, undefined), undefined) ?? values;
  };
}

function compileMap(entries: readonly (readonly [ASTNode, ASTNode])[], unit: Compilation): Evaluate {
  const compiled = entries.map(([key, value]) => [unit.compile(key), unit.compile(value)] as const);
  return (run) => {
    const map = new Map<string, unknown>();
    for (const [key, value] of compiled) {
      const pair = [key(run), value(run)] as const;
      const absent = absence(...pair);
      if (absent) return absent;
      map.set(String(pair[0]), pair[1]);
    }
    return Object.fromEntries(map);
  };
}

// ── Operators ────────────────────────────────────────────────────────────────────────────────────────────────────

function compileUnary(operand: ASTNode, apply: (value: unknown) => unknown, unit: Compilation): Evaluate {
  const evaluate = unit.compile(operand);
  return (run) => apply(evaluate(run));
}

function compileLogic(
  [leftNode, rightNode]: readonly [ASTNode, ASTNode],
  combine: (left: unknown, right: unknown) => unknown,
  decisive: boolean,
  unit: Compilation,
): Evaluate {
  const left = unit.compile(leftNode);
  const right = unit.compile(rightNode);
  return (run) => {
    const first = left(run);
    return first === decisive ? decisive : combine(first, right(run));
  };
}

function compileChoice(nodes: readonly [ASTNode, ASTNode, ASTNode], unit: Compilation): Evaluate {
  const [condition, yes, no] = nodes.map((node) => unit.compile(node)) as [Evaluate, Evaluate, Evaluate];
  return (run) => {
    const chosen = condition(run);
    if (chosen === true) return yes(run);
    if (chosen === false) return no(run);
    return chosen === NO_DATA ? NO_DATA : MISSING;
  };
}

function compileBinary(op: string, [leftNode, rightNode]: readonly [ASTNode, ASTNode], unit: Compilation): Evaluate {
  checkReasonNames(op, leftNode, rightNode, unit);
  const left = unit.compile(leftNode);
  const right = unit.compile(rightNode);
  if (op === '==' || op === '!=') {
    if (isNull(rightNode)) return compareWithNull(left, op === '==');
    if (isNull(leftNode)) return compareWithNull(right, op === '==');
  }
  const apply = BINARY_OPERATIONS[op] as (typeof BINARY_OPERATIONS)[string];
  return (run) => {
    const first = left(run);
    const second = right(run);
    return absence(first, second) ?? apply(run, first, second);
  };
}

function isNull(node: ASTNode): boolean {
  return node.op === 'value' && node.args === null;
}

/** Only where `null` is written does an absent field compare. */
function compareWithNull(evaluate: Evaluate, wanted: boolean): Evaluate {
  return (run) => {
    const value = evaluate(run);
    return typeof value === 'symbol' ? value : (value === null) === wanted;
  };
}

/** `reason == "tiemout"` would never hold, and nobody would notice. */
function checkReasonNames(op: string, left: ASTNode, right: ASTNode, unit: Compilation): void {
  const sides = op === 'in' ? [left] : op === '==' || op === '!=' ? [left, right] : [];
  const field = sides.find((node) => node.op === 'id' && node.args === 'reason' && !unit.locals.includes('reason'));
  if (!field) return;
  const other = field === left ? right : left;
  for (const node of other.op === 'list' ? other.args : [other]) {
    const name = literalOf(node);
    if (typeof name !== 'string' || (REASONS as readonly string[]).includes(name)) continue;
    throw new ConditionError(`unknown reason \`${name}\`${didYouMean(name, REASONS)}`, node.start);
  }
}
