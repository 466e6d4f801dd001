/** What a type asks of its texts besides their shape: conditions compile. */
import type { z } from 'zod';
import { type Mark, markOf } from '../spec.ts';
import { compileAt } from './conditions.ts';
import type { Problems } from './problems.ts';
import { alternatives, schemasAt, unwrap } from './schema-walk.ts';
import type { Path, Tree } from './tree.ts';

export function checkMarks(schema: z.ZodType, tree: Tree, problems: Problems, path: Path = []): void {
  for (const mark of marksAt(schema, path)) checkMark(mark, tree, problems);
  for (const [key, child] of tree.children) checkMarks(schema, child, problems, [...path, key]);
}

function marksAt(schema: z.ZodType, path: Path): readonly Mark[] {
  const plain = schemasAt(schema, path).flatMap(alternatives).map(unwrap);
  return plain.map(markOf).filter((mark) => mark !== undefined);
}

function checkMark(mark: Mark, tree: Tree, problems: Problems): void {
  compileAt(tree, { fields: mark.fields, everyMs: undefined, windows: false }, problems);
}
