/** Validates a tree against a schema: converts what came from variables, passes over what is unset, reports the rest. */
import type { z } from 'zod';
import { didYouMean } from '../nearest.ts';
import { Problems } from './problems.ts';
import { isSecretAt, keysAt, schemasAt } from './schema-walk.ts';
import {
  filterKeys,
  isBlank,
  nearestTree,
  type Path,
  plainValue,
  type Tree,
  treeAt,
  unsetNames,
  withoutPath,
} from './tree.ts';
import { type Issue, predicate, sentence, subject } from './wording.ts';

/** `invalid`: problems were added about these top-level keys. `unset`: nothing is wrong, but variables are missing, so there is no value. */
export type Checked<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'unset' }
  | { readonly kind: 'invalid'; readonly keys: ReadonlySet<string> };

export interface CheckOptions {
  /** What the whole is called in messages, such as `"http"` or `a probe`. */
  readonly whole: string;
  readonly problems: Problems;
  /** More keys that a misspelt top-level key may have meant. */
  readonly otherKeys?: readonly string[];
}

export function check<Schema extends z.ZodType>(
  schema: Schema,
  written: Tree,
  options: CheckOptions,
): Checked<z.output<Schema>> {
  const replaced = new Map<Tree, unknown>();
  // Ends: each round either returns, or converts or drops one more scalar.
  for (let tree = written; ; ) {
    // An empty message marks an issue whose author gave no words of his own.
    const result = schema.safeParse(plainValue(tree, replaced), { error: () => '' });
    if (result.success) return { kind: 'valid', value: result.data };
    const open = tree;
    const issues = result.error.issues.filter((issue) => !isUnset(issue, open)).flatMap(innermost);
    if (issues.length === 0) return { kind: 'unset' };
    tree = withoutBlanks(issues, tree);
    if (tree !== open || convertAll(issues, tree, replaced)) continue;
    for (const issue of issues) report(issue, schema, tree, options);
    return { kind: 'invalid', keys: new Set(issues.flatMap(topLevelKeys)) };
  }
}

/** An empty value that the schema does not take stands for no value at all. */
function withoutBlanks(issues: readonly Issue[], tree: Tree): Tree {
  return issues.reduce((rest, { path }) => {
    const leaf = treeAt(rest, path);
    return leaf !== undefined && isBlank(leaf) ? withoutPath(rest, path) : rest;
  }, tree);
}

/**
 * Like `check`, but what is wrong or unset leaves out only its top-level key, so that everything else is checked too.
 * undefined: without those keys nothing can be told.
 */
export function checkKeys<Schema extends z.ZodType>(
  schema: Schema,
  tree: Tree,
  options: CheckOptions,
): z.output<Schema> | undefined {
  const first = check(schema, tree, options);
  if (first.kind === 'valid') return first.value;
  const wrong = first.kind === 'invalid' ? first.keys : new Set<string>();
  const known = filterKeys(tree, (key, child) => !wrong.has(key) && unsetNames(child).length === 0);
  const second = check(schema, known, { ...options, problems: new Problems() });
  return second.kind === 'valid' ? second.value : undefined;
}

function topLevelKeys(issue: Issue): readonly string[] {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) return issue.keys;
  return issue.path.slice(0, 1).map(String);
}

/** The issue is about something that a missing variable leaves open. */
function isUnset(issue: Issue, tree: Tree): boolean {
  if (issue.code === 'unrecognized_keys') return false;
  return unsetNames(treeAt(tree, issue.path)).length > 0;
}

/** Of a union, the issues of the alternative that came furthest: what the author most likely meant. */
function innermost(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const attempts = issue.errors.map((errors) => errors.flatMap((error) => innermost(below(error, issue.path))));
  const best = attempts.toSorted((one, other) => depth(other) - depth(one) || one.length - other.length)[0] ?? [];
  return depth(best) > issue.path.length ? best : [issue];
}

function below(issue: Issue, path: Path): Issue {
  return { ...issue, path: [...path, ...issue.path] };
}

/** An unknown key is as deep as the key itself; an author's own words count as having come further. */
function depth(issues: readonly Issue[]): number {
  return Math.max(
    0,
    ...issues.map(({ code, path, message }) => path.length + (code === 'unrecognized_keys' || message !== '' ? 1 : 0)),
  );
}

/** Converts texts that are exactly one substitution to what the schema wants. True: something was converted. */
function convertAll(issues: readonly Issue[], tree: Tree, replaced: Map<Tree, unknown>): boolean {
  let converted = false;
  for (const issue of issues) {
    const leaf = treeAt(tree, issue.path);
    if (leaf?.substitution?.whole !== true || replaced.has(leaf) || typeof leaf.value !== 'string') continue;
    const value = convert(leaf.value, issue);
    if (value === undefined) continue;
    replaced.set(leaf, value);
    converted = true;
  }
  return converted;
}

function convert(text: string, issue: Issue): unknown {
  if (issue.code === 'invalid_union')
    return issue.errors
      .flat()
      .map((inner) => convert(text, inner))
      .find(isDefined);
  if (issue.code === 'invalid_value') return issue.values.find((value) => String(value) === text);
  if (issue.code !== 'invalid_type') return undefined;
  if (issue.expected === 'array' || issue.expected === 'tuple')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  if (issue.expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const isNumber = issue.expected === 'number' || issue.expected === 'int';
  return isNumber && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

function isDefined(value: unknown): boolean {
  return value !== undefined;
}

function report(issue: Issue, schema: z.ZodType, tree: Tree, options: CheckOptions): void {
  const place = nearestTree(tree, issue.path);
  const about = subject(issue.path, options.whole);
  if (issue.code === 'unrecognized_keys') {
    reportUnknownKeys(issue, schema, tree, options);
  } else if (issue.code === 'invalid_key') {
    const [inner] = issue.issues;
    const said = inner === undefined ? 'is no key' : predicate(inner, [], undefined);
    options.problems.add(place.keyLocation, sentence(`the key ${about}`, said));
  } else if (isMissing(issue, tree)) {
    const owner = subject(issue.path.slice(0, -1), options.whole);
    options.problems.add(place.keyLocation, `${owner} needs ${about}`);
  } else {
    const found = treeAt(tree, issue.path);
    const said = predicate(issue, schemasAt(schema, issue.path), visible(issue.path, schema, found));
    options.problems.add(place.location, sentence(about, said) + origin(found));
  }
}

function isMissing({ code, path }: Issue, tree: Tree): boolean {
  const isRequired = code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union';
  return isRequired && typeof path.at(-1) === 'string' && treeAt(tree, path) === undefined;
}

function reportUnknownKeys(
  issue: Extract<Issue, { code: 'unrecognized_keys' }>,
  schema: z.ZodType,
  tree: Tree,
  { problems, otherKeys }: CheckOptions,
): void {
  const known = [...keysAt(schema, issue.path), ...(issue.path.length === 0 ? (otherKeys ?? []) : [])];
  for (const key of issue.keys) {
    const place = nearestTree(tree, [...issue.path, key]);
    problems.add(place.keyLocation, `unknown key "${key}"${didYouMean(key, known)}`);
  }
}

/** A value from elsewhere is not shown, but where to look for it is. */
function origin(tree: Tree | undefined): string {
  const names = tree?.substitution?.names ?? [];
  return names.length === 0 ? '' : ` (its value comes from ${names.join(', ')})`;
}

/** The value as it may be shown: never one from the environment, nor one that fills a secret. */
function visible(path: Path, schema: z.ZodType, tree: Tree | undefined): unknown {
  if (tree === undefined || tree.substitution !== undefined || isSecretAt(schema, path)) return undefined;
  const value = plainValue(tree);
  return typeof value === 'string' && value.includes('://') ? undefined : value;
}
