/** `each: [a, b]`: one entry of a file stands for one probe an item, with the item wherever it says `{{item}}`. */
import type { Problems } from './problems.ts';
import type { Reading } from './reading.ts';
import type { Substitution } from './substitute.ts';
import { filterKeys, isBlank, isEmpty, type Tree } from './tree.ts';

/** An entry as it is read. Absent `item`: it stands for itself alone. */
export interface Instance {
  readonly tree: Tree;
  readonly item?: string;
}

const PLACEHOLDER = /\{\{ ?item ?\}\}/g;
const WHOLE = /^\{\{ ?item ?\}\}$/;
/** What stands in a name, a label and a URL without harm. */
const ITEM = /^[^\s"'\\[\]\p{C}]{1,90}$/u;
const MAX_ITEMS = 1_000;

/** The name of one of the probes that an entry stands for. */
export function itemName(name: string, item: string): string {
  return `${name}[${item}]`;
}

/** The probes that an entry stands for. While a variable of the list is not set it is one, which is unconfigured. */
export function instancesOf(entry: Tree, problems: Problems): readonly Instance[] {
  const list = entry.children.get('each');
  if (list === undefined || isEmpty(list)) return [{ tree: entry }];
  const tree = filterKeys(entry, (key) => key !== 'each');
  const unset = list.substitution?.unset ?? [];
  if (unset.length > 0) return [{ tree: withoutItem(tree, unset) }];
  if (!saysItem(filterKeys(tree, (key) => key !== 'name')))
    problems.add(list.keyLocation, '"each" is of no use here: nothing says {{item}}');
  return itemsOf(list, problems).map((item) => ({ tree: withItem(tree, item), item }));
}

/** Puts the names of its probes on record, and its own name as that of all of them. */
export function registerItems(entry: Tree, instances: readonly Instance[], { names, families }: Reading): void {
  const name = entry.children.get('name');
  const items = instances.flatMap(({ item }) => (item === undefined ? [] : item));
  // Without a list, and while it is open, the entry stands for itself.
  if (typeof name?.value !== 'string' || !entry.children.has('each') || items.length < instances.length) return;
  const family = name.value;
  families.set(
    family,
    items.map((item) => itemName(family, item)),
  );
  for (const item of items) names.probes.set(itemName(family, item), name.location);
}

/** How many probes an entry stands for, at a glance: before any of them is made. */
export function itemCount(entry: Tree): number {
  const list = entry.children.get('each');
  if (list?.kind === 'list') return Math.min(list.children.size, MAX_ITEMS);
  return Math.min(String(list?.value ?? '').split(',').length, MAX_ITEMS);
}

function itemsOf(list: Tree, problems: Problems): readonly string[] {
  const written = isBlank(list) ? [] : partsOf(list);
  if (written === undefined) {
    problems.add(list.location, '"each" must be a list');
    return [];
  }
  if (written.length > MAX_ITEMS) problems.add(list.location, `"each" may have at most ${MAX_ITEMS} items`);
  if (written.length === 0 && !isBlank(list)) problems.add(list.location, '"each" must have at least one item');
  const items = new Set<string>();
  for (const { text, place } of written.slice(0, MAX_ITEMS)) {
    const fault = faultOf(text, place, items);
    if (fault === undefined) items.add(text as string);
    else problems.add(place.location, fault);
  }
  return [...items];
}

interface Part {
  /** undefined: it is no text, number or boolean. */
  readonly text: string | undefined;
  readonly place: Tree;
}

/** Of a list, or of a variable that holds one; undefined: it is neither. */
function partsOf(list: Tree): readonly Part[] | undefined {
  if (list.kind === 'list') {
    return [...list.children.values()]
      .filter((place) => !isBlank(place))
      .map((place) => ({ text: textOf(place), place }));
  }
  if (list.substitution?.whole !== true || typeof list.value !== 'string') return undefined;
  const texts = list.value.split(',').map((text) => text.trim());
  return texts.filter((text) => text !== '').map((text) => ({ text, place: list }));
}

function textOf({ kind, value }: Tree): string | undefined {
  const isPlain = kind === 'scalar' && ['string', 'number', 'boolean'].includes(typeof value);
  return isPlain ? String(value) : undefined;
}

function faultOf(text: string | undefined, { substitution }: Tree, items: ReadonlySet<string>): string | undefined {
  const unset = substitution?.unset ?? [];
  if (unset.length > 0) return `an item of "each" must have a value, and ${unset.join(', ')} is not set`;
  if (text === undefined || !ITEM.test(text)) {
    return 'an item of "each" must be a text of 1 to 90 characters, without blanks, quotes, brackets and backslashes';
  }
  return items.has(text) ? `the item "${text}" stands twice` : undefined;
}

function saysItem(tree: Tree): boolean {
  if (tree.kind === 'scalar') return String(tree.value ?? tree.substitution?.text).search(PLACEHOLDER) !== -1;
  return [...tree.children.values()].some(saysItem);
}

function withItem(tree: Tree, item: string): Tree {
  return replaced(tree, (scalar, text) => ({
    ...scalar,
    value: text.replaceAll(PLACEHOLDER, () => item),
    substitution: substitutionOf(scalar, text, item),
  }));
}

function substitutionOf({ substitution }: Tree, text: string, item: string): Substitution {
  return {
    text: text.replaceAll(PLACEHOLDER, () => item),
    values: substitution?.values ?? [],
    fileValues: substitution?.fileValues ?? [],
    names: [...(substitution?.names ?? []), `the item ${JSON.stringify(item)}`],
    unset: substitution?.unset ?? [],
    whole: substitution === undefined && WHOLE.test(text),
    item,
  };
}

/** What the items would fill is as open as they are. */
function withoutItem(tree: Tree, unset: readonly string[]): Tree {
  return replaced(tree, (scalar, text) => ({
    ...scalar,
    value: undefined,
    substitution: { text, values: [], fileValues: [], names: unset, unset, whole: false },
  }));
}

type Replace = (scalar: Omit<Tree, 'textLocation'>, text: string) => Tree;

/** All of an entry but its own name: items are told apart by what is put behind that. */
function replaced(entry: Tree, replace: Replace): Tree {
  return mapChildren(entry, (child, key) => (key === 'name' ? child : filled(child, replace)));
}

/** Every scalar that says `{{item}}`; where its characters stand is not told any more. */
function filled(tree: Tree, replace: Replace): Tree {
  if (tree.kind !== 'scalar') return mapChildren(tree, (child) => filled(child, replace));
  if (typeof tree.value !== 'string' || tree.value.search(PLACEHOLDER) === -1) return tree;
  const { textLocation: _, ...scalar } = tree;
  return replace(scalar, tree.value);
}

function mapChildren(tree: Tree, change: (child: Tree, key: string) => Tree): Tree {
  return { ...tree, children: new Map([...tree.children].map(([key, child]) => [key, change(child, key)])) };
}
