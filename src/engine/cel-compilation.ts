/** What is known, and what is gathered, while one condition is compiled. */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { FieldDeclarations, WindowUse } from '../model.ts';
import type { FieldPath } from './cel-fields.ts';
import type { Evaluate } from './cel-run.ts';

export interface Compilation {
  readonly fields: FieldDeclarations;
  /** undefined: the probe runs on a calendar. */
  readonly everyMs: number | undefined;
  readonly windowsAllowed: boolean;
  /** By dotted text, in the order of the source. */
  readonly paths: Map<string, FieldPath>;
  readonly windows: WindowUse[];
  /** Names of the variables of the macros around, outermost first. */
  readonly locals: string[];
  /** Nodes compiled so far. */
  nodes: number;
  depth: number;
  /** Errors: ConditionError, with the offset of the node at fault. */
  compile(node: ASTNode): Evaluate;
}

/** Whole numbers arrive as bigint; here there is one kind of number. */
export function literalOf(node: ASTNode): unknown {
  const value = node.op === 'value' ? node.args : undefined;
  return typeof value === 'bigint' ? Number(value) : value;
}
