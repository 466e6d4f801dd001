/** What the readers of all definitions share while one home is loaded. */
import type { ExpectedVariable, ProbeModule, SourceLocation } from '../model.ts';
import type { Registries } from '../ports.ts';
import type { Problems } from './problems.ts';
import type { Secrets } from './secrets.ts';
import { isEmpty, type Tree } from './tree.ts';
import { shown } from './wording.ts';

export interface Reading {
  readonly registries: Registries;
  readonly problems: Problems;
  readonly secrets: Secrets;
  readonly modules: Modules;
  /** `broken` was reported. */
  readonly manifest: readonly ExpectedVariable[] | 'none' | 'broken';
  /** Every name that was written, also of entries that are invalid otherwise: a reference to one is no second error. */
  readonly names: { readonly probes: Names; readonly remediations: Names; readonly notifiers: Names };
  /** What all probes come to, counted before they are made: a few aliases can ask for millions. */
  readonly tally: { probes: number; values: number };
  /** Filled as probes are read. */
  readonly families: Map<string, readonly string[]>;
}

/** The modules of a home, by file. */
export interface Modules {
  readonly loaded: ReadonlyMap<string, ProbeModule>;
  /** What is wrong with these was reported. */
  readonly broken: ReadonlySet<string>;
  /** Those that define no probe, though no other module imports them. */
  readonly idle: readonly string[];
}

export type Names = Map<string, SourceLocation>;

/** The entries of a definition file, a mapping that holds a list under `key`; anything else in it is reported. */
export function readEntries(
  file: Tree,
  key: string,
  otherKeys: readonly string[],
  problems: Problems,
): readonly Tree[] {
  if (!isKind(file, 'mapping', `this file must be a mapping with "${key}"`, problems)) return [];
  for (const [other, child] of file.children) {
    if (other !== key && !otherKeys.includes(other)) {
      const known = [...otherKeys, key].map((name) => `"${name}"`).join(' and ');
      problems.add(child.keyLocation, `unknown key "${other}"; a file of this folder holds ${known}`);
    }
  }
  const list = file.children.get(key);
  if (list === undefined || isEmpty(list) || !isKind(list, 'list', `"${key}" must be a list`, problems)) return [];
  return [...list.children.values()].filter((entry) =>
    isKind(entry, 'mapping', 'an entry must be a mapping', problems),
  );
}

function isKind(tree: Tree, kind: Tree['kind'], message: string, problems: Problems): boolean {
  if (tree.kind === kind) return true;
  const got = tree.kind === 'scalar' ? (tree.substitution ? '' : `, got ${shown(tree.value)}`) : `, got a ${tree.kind}`;
  problems.add(tree.location, `${message}${got}`);
  return false;
}

/** Records the name of an entry. A second entry of the same name is an error that points at both. */
export function registerName(entry: Tree, kind: string, names: Names, problems: Problems): void {
  const place = entry.children.get('name');
  if (place?.substitution !== undefined && place.substitution.unset.length > 0) {
    problems.add(place.location, `"name" must have a value, and ${place.substitution.unset.join(', ')} is not set`);
  }
  if (typeof place?.value !== 'string') return;
  const first = names.get(place.value);
  if (first === undefined) names.set(place.value, place.location);
  else problems.add(place.location, `the ${kind} "${place.value}" stands twice; first at ${placeText(first)}`);
}

function placeText({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}
