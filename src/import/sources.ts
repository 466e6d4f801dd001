/** Reading what peers wrote. */
import { Problems } from '../config/problems.ts';
import { plainValue, type Tree } from '../config/tree.ts';
import { parseYaml } from '../config/yaml.ts';
import { formatProblem, UsageError } from '../errors.ts';

/** Nothing is substituted. Errors: UsageError for what is no YAML. */
export function yamlOf({ name, text }: { readonly name: string; readonly text: string }): Tree {
  const problems = new Problems();
  const tree = parseYaml(name, text, undefined, problems);
  if (tree) return tree;
  const message = problems.sorted().map(formatProblem).join('\n') || `${name} holds nothing`;
  throw new UsageError('import_unreadable', message);
}

export function childOf(tree: Tree | undefined, ...path: readonly string[]): Tree | undefined {
  return path.reduce<Tree | undefined>((place, key) => place?.children.get(key), tree);
}

export function itemsOf(tree: Tree | undefined): readonly Tree[] {
  return tree?.kind === 'list' ? [...tree.children.values()] : [];
}

/** The text under a key; a number or a boolean reads as one. */
export function textAt(tree: Tree | undefined, ...path: readonly string[]): string | undefined {
  const value = childOf(tree, ...path)?.value;
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

export function dataAt(tree: Tree | undefined, ...path: readonly string[]): unknown {
  const found = childOf(tree, ...path);
  return found && plainValue(found);
}

export function placeOf({ keyLocation: { file, line, column } }: Tree): string {
  return `${file}:${line}:${column}`;
}
