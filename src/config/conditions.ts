/** Compiles the conditions of a probe, with complaints pointing into the expression. */
import { ConditionError, type ConditionScope, compileCondition } from '../engine/condition.ts';
import type { Condition, FieldDeclarations, FieldType, SourceLocation } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import type { Problems } from './problems.ts';
import type { Tree } from './tree.ts';

export type Scope = Omit<ConditionScope, 'location'>;

/** A value from elsewhere must never become structure: nothing that closes a text or joins expressions. */
const PLAIN = /^[\p{L}\p{N} ._:/@-]*$/u;

/** undefined: the text is not there (an unset variable), or is wrong and was reported. */
export function compileAt(tree: Tree | undefined, scope: Scope, problems: Problems): Condition | undefined {
  if (typeof tree?.value !== 'string') return undefined;
  const { values = [], item = '' } = tree.substitution ?? {};
  if ([...values, item].some((value) => !PLAIN.test(value))) {
    const names = tree.substitution?.names.join(', ');
    problems.add(
      tree.location,
      `${names} cannot stand in a condition: only letters, digits, spaces and . _ : / @ - may`,
    );
    return undefined;
  }
  try {
    return compileCondition(tree.value, { ...scope, location: tree.location });
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    problems.add(placeWithin(tree, error.offset), error.message);
    return undefined;
  }
}

/** Every condition of a list; those that did not compile are left out. */
export function compileList(list: Tree | undefined, scope: Scope, problems: Problems): readonly Condition[] {
  return [...(list?.children.values() ?? [])]
    .map((tree) => compileAt(tree, scope, problems))
    .filter((condition) => condition !== undefined);
}

/** Puts an implied condition first, unless a written one names its field. */
export function withImplied(
  written: readonly Condition[],
  implied: { readonly unlessNames: string; readonly source: string } | undefined,
  scope: ConditionScope,
): readonly Condition[] {
  if (implied === undefined || written.some(({ paths }) => paths.some((path) => isWithin(path, implied.unlessNames)))) {
    return written;
  }
  return [compileCondition(implied.source, scope), ...written];
}

function isWithin(path: string, field: string): boolean {
  return path === field || path.startsWith(`${field}.`);
}

function placeWithin({ location, textLocation }: Tree, offset: number): SourceLocation {
  return textLocation === undefined ? location : { ...textLocation, column: textLocation.column + offset };
}

/** Why a field cannot be exported as a number; undefined: it can. */
export function exportFault(path: string, fields: FieldDeclarations): string | undefined {
  if (path === 'latency_ms') return undefined;
  let type: FieldType = fields;
  for (const step of path.split('.')) {
    if (type === 'dyn' || type === 'map') return undefined;
    // A type whose code returns what it likes.
    if (typeof type === 'object' && !Object.hasOwn(type, step) && Object.hasOwn(type, '*')) return undefined;
    if (typeof type === 'string' || !Object.hasOwn(type, step)) {
      return `unknown field "${path}"${didYouMean(path, ['latency_ms', ...exportable(fields)])}`;
    }
    type = type[step]?.type ?? 'dyn';
  }
  if (type === 'double' || type === 'map' || type === 'dyn') return undefined;
  return `"${path}" is no number, so it cannot be exported`;
}

function exportable(fields: FieldDeclarations, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, { type }]) =>
    typeof type === 'string' ? [`${prefix}${name}`] : exportable(type, `${prefix}${name}.`),
  );
}
