/** Reading fields, and what is inside of them. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { type Compilation, literalOf } from './cel-compilation.ts';
import { readPath, resolvePath, type Step } from './cel-fields.ts';
import { type Evaluate, MISSING, member } from './cel-run.ts';
import { ConditionError } from './condition-error.ts';

/** `a.b["c"][0]` as its base and the steps from it; an index that is computed ends the chain. */
function unchain(node: ASTNode): { base: ASTNode; steps: Step[] } {
  const steps: Step[] = [];
  let base = node;
  for (;;) {
    if (base.op === '.') steps.unshift({ key: base.args[1], offset: base.end - base.args[1].length });
    else if (base.op === '[]' && isKey(literalOf(base.args[1]))) {
      steps.unshift({ key: literalOf(base.args[1]) as string | number, offset: base.args[1].start });
    } else return { base, steps };
    base = base.args[0];
  }
}

function isKey(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

export function compileAccess(node: ASTNode, unit: Compilation): Evaluate {
  const { base, steps } = unchain(node);
  if (base.op === 'id') return compileName(base.args, base.start, steps, unit);
  if (steps.length === 0 && base.op === '[]') return compileIndex(base.args, unit);
  return follow(unit.compile(base), steps);
}

function compileName(name: string, offset: number, steps: readonly Step[], unit: Compilation): Evaluate {
  const slot = unit.locals.lastIndexOf(name);
  if (slot >= 0) return follow((run) => run.locals[slot], steps);
  const path = resolvePath(unit.fields, [{ key: name, offset }, ...steps]);
  unit.paths.set(path.text, path);
  return (run) => readPath(run.bindings, path);
}

function follow(evaluate: Evaluate, steps: readonly Step[]): Evaluate {
  if (steps.length === 0) return evaluate;
  return (run) => steps.reduce((value, { key }) => member(value, key), evaluate(run));
}

function compileIndex([containerNode, keyNode]: readonly [ASTNode, ASTNode], unit: Compilation): Evaluate {
  const container = unit.compile(containerNode);
  const key = unit.compile(keyNode);
  return (run) => member(container(run), key(run));
}

/** True when the field is there and not null. As in CEL, it takes names with dots between and nothing else. */
export function compileHas(node: ASTNode, [field, ...rest]: readonly ASTNode[], unit: Compilation): Evaluate {
  if (field?.op !== '.' || rest.length > 0 || !isDotted(field)) {
    throw new ConditionError('has() takes a field inside another: has(json.version)', node.start);
  }
  const evaluate = unit.compile(field);
  return (run) => {
    const value = evaluate(run);
    return value !== MISSING && value !== null;
  };
}

function isDotted(node: ASTNode): boolean {
  return node.op === 'id' || (node.op === '.' && isDotted(node.args[0]));
}
