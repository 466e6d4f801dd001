/** What a type asks of its texts besides their shape: conditions compile, and fixed texts come from the file alone. */
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
  if (mark.kind === 'condition') {
    compileAt(tree, { fields: mark.fields, everyMs: undefined, windows: false }, problems);
  } else if (tree.kind === 'scalar' && tree.substitution !== undefined) {
    problems.add(tree.location, `must stand here as it is, without a variable; ${mark.instead}`);
  }
}
