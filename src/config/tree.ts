/** A parsed file as a tree that remembers where every key and value was written. */
import type { SourceLocation } from '../model.ts';
import type { Substitution } from './substitute.ts';

export interface Tree {
  /** Of a scalar; undefined for an unset variable, and for mappings and lists, whose value is their children. */
  readonly value: unknown;
  readonly kind: 'scalar' | 'mapping' | 'list';
  readonly location: SourceLocation;
  /** Where its key stands; in a list, where the item begins. */
  readonly keyLocation: SourceLocation;
  /** By key, or by index written as text; in the order of the file. */
  readonly children: ReadonlyMap<string, Tree>;
  readonly substitution?: Substitution;
  /** Where its first character stands, when every character of the value stands in one line as it is. */
  readonly textLocation?: SourceLocation;
}

export type Path = readonly PropertyKey[];

/** The tree at a path; undefined when nothing was written there. */
export function treeAt(tree: Tree, path: Path): Tree | undefined {
  let current: Tree | undefined = tree;
  for (const step of path) current = current?.children.get(String(step));
  return current;
}

/** The deepest tree on the way to a path: the nearest thing that a person can look at. */
export function nearestTree(tree: Tree, path: Path): Tree {
  let current = tree;
  for (const step of path) {
    const next = current.children.get(String(step));
    if (next === undefined) break;
    current = next;
  }
  return current;
}

/** Plain data, as schemas take it; `replaced` has the values that were converted. Mappings have no prototype. */
export function plainValue(tree: Tree, replaced?: ReadonlyMap<Tree, unknown>): unknown {
  if (tree.kind === 'scalar') return replaced?.has(tree) ? replaced.get(tree) : tree.value;
  if (tree.kind === 'list') return [...tree.children.values()].map((child) => plainValue(child, replaced));
  const mapping: Record<string, unknown> = Object.create(null);
  for (const [key, child] of tree.children) mapping[key] = plainValue(child, replaced);
  return mapping;
}

/** A mapping with only the keys that `keep` accepts. */
export function filterKeys(tree: Tree, keep: (key: string, child: Tree) => boolean): Tree {
  return { ...tree, children: new Map([...tree.children].filter(([key, child]) => keep(key, child))) };
}

/** Every scalar below, itself included. */
export function* scalars(tree: Tree): Generator<Tree> {
  if (tree.kind === 'scalar') yield tree;
  for (const child of tree.children.values()) yield* scalars(child);
}

/** Names of unset variables in it. */
export function unsetNames(tree: Tree | undefined): readonly string[] {
  if (tree === undefined) return [];
  const names = new Set<string>();
  for (const scalar of scalars(tree)) for (const name of scalar.substitution?.unset ?? []) names.add(name);
  return [...names].sort();
}

/** `${NAME:-}` without a value: absent in a list, and wherever empty text cannot be taken. */
export function isBlank({ substitution, value }: Tree): boolean {
  return substitution?.whole === true && value === '';
}

/** The tree without what stands at a path of mappings. */
export function withoutPath(tree: Tree, [step, ...rest]: Path): Tree {
  const key = String(step);
  const child = tree.children.get(key);
  if (child === undefined || step === undefined) return tree;
  const children = new Map(tree.children);
  if (rest.length === 0) children.delete(key);
  else children.set(key, withoutPath(child, rest));
  return { ...tree, children };
}

/** `key:` with nothing behind it. */
export function isEmpty(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.value === null;
}
