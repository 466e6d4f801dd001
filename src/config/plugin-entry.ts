/** Finds the one key of an entry that names its type, and lets that type validate what stands under it. */
import type { z } from 'zod';
import { didYouMean, nearest } from '../nearest.ts';
import { check } from './check.ts';
import type { Problems } from './problems.ts';
import type { Secrets } from './secrets.ts';
import { filterKeys, isEmpty, type Tree, unsetNames } from './tree.ts';

export interface Typed {
  readonly name: string;
  readonly spec: z.ZodType;
}

export interface PluginEntry<Type extends Typed> {
  readonly type: Type;
  /** undefined: invalid (problems were added), or left open by unset variables. */
  readonly spec: unknown;
  /** What stands under the type's key. */
  readonly tree: Tree;
}

export interface PluginOptions<Type extends Typed> {
  /** `probe`, `action` or `notifier`: for messages. */
  readonly kind: string;
  readonly types: Readonly<Record<string, Type>>;
  /** Keys that every entry of this kind may have. One may be the key of a type as well: then what stands under it tells. */
  readonly commonKeys: readonly string[];
  readonly problems: Problems;
  readonly secrets: Secrets;
}

/** undefined: no type could be told; problems were added. */
export function readPlugin<Type extends Typed>(
  entry: Tree,
  options: PluginOptions<Type>,
): PluginEntry<Type> | undefined {
  const named = typeKeys(entry, options);
  const complained = reportUnknownKeys(entry, named.length === 0, options);
  const [first, second] = named;
  if (first === undefined) {
    if (!complained)
      options.problems.add(
        entry.location,
        `needs one key that names its ${options.kind} type: ${list(options)}${ambiguous(entry, options)}`,
      );
    return undefined;
  }
  if (second !== undefined) {
    const message = `has two ${options.kind} types, "${first[0]}" and "${second[0]}"; exactly one key names the type`;
    options.problems.add(second[1].keyLocation, message);
    return undefined;
  }
  return readSpec(first[0], first[1], options);
}

type Kind = Pick<PluginOptions<Typed>, 'types' | 'commonKeys'>;

/** The keys of an entry that do not belong to its type. */
export function commonPart(entry: Tree, kind: Kind): Tree {
  const types = new Set(typeKeys(entry, kind).map(([key]) => key));
  return filterKeys(entry, (key, child) => kind.commonKeys.includes(key) && !types.has(key) && !isEmpty(child));
}

/** Those that name a type. A common key does with a mapping under it, or with a list where nothing else names one. */
function typeKeys(entry: Tree, kind: Kind): readonly (readonly [string, Tree])[] {
  const possible = [...entry.children].filter(([key]) => Object.hasOwn(kind.types, key));
  const certain = possible.filter(([key, { kind: shape }]) => !isBoth(key, kind) || shape === 'mapping');
  return certain.length > 0 ? certain : possible.filter(([, { kind: shape }]) => shape === 'list');
}

function isBoth(key: string, { types, commonKeys }: Kind): boolean {
  return Object.hasOwn(types, key) && commonKeys.includes(key);
}

/** For whoever meant the type, and wrote what the common key takes. */
function ambiguous(entry: Tree, kind: Kind): string {
  const key = [...entry.children.keys()].find((written) => isBoth(written, kind));
  return key === undefined ? '' : `; "${key}" names one when a mapping stands under it`;
}

function readSpec<Type extends Typed>(key: string, written: Tree, options: PluginOptions<Type>): PluginEntry<Type> {
  const type = options.types[key] as Type;
  const tree: Tree = isEmpty(written) ? { ...written, kind: 'mapping', value: undefined } : written;
  const result = check(type.spec, tree, { whole: `"${key}"`, problems: options.problems });
  options.secrets.addSpec(type.spec, tree);
  // Also when only an option that may be absent is unset: a webhook without its secret would send unsigned.
  const isWhole = result.kind === 'valid' && unsetNames(tree).length === 0;
  return { type, tree, spec: isWhole ? result.value : undefined };
}

/** True: one of them was meant to be the type. */
function reportUnknownKeys<Type extends Typed>(entry: Tree, lacksType: boolean, options: PluginOptions<Type>): boolean {
  let complained = false;
  for (const [key, child] of entry.children) {
    if (options.commonKeys.includes(key) || Object.hasOwn(options.types, key)) continue;
    const isType = lacksType && meansType(key, child, options);
    complained ||= isType;
    options.problems.add(child.keyLocation, isType ? unknownType(key, options) : unknownKey(key, options));
  }
  return complained;
}

/** A key with a mapping or nothing under it names a type, unless it is nearer to a common key. */
function meansType<Type extends Typed>(key: string, child: Tree, options: PluginOptions<Type>): boolean {
  const { types, commonKeys } = options;
  const near = nearest(key, [...Object.keys(types), ...commonKeys]);
  if (near !== undefined && !isBoth(near, options)) return Object.hasOwn(types, near);
  return child.kind === 'mapping' || isEmpty(child);
}

function unknownType<Type extends Typed>(key: string, options: PluginOptions<Type>): string {
  const guess = didYouMean(key, Object.keys(options.types));
  return `unknown ${options.kind} type "${key}"${guess || `; there are ${list(options)}`}`;
}

function unknownKey<Type extends Typed>(key: string, { types, commonKeys }: PluginOptions<Type>): string {
  return `unknown key "${key}"${didYouMean(key, [...commonKeys, ...Object.keys(types)])}`;
}

function list<Type extends Typed>({ types }: PluginOptions<Type>): string {
  return Object.keys(types).sort().join(', ');
}
