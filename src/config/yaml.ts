/** One YAML file to a tree with positions, within caps that no file can exceed (billion laughs, deep nesting). */

import type { Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, Parser } from 'yaml';
import type { SourceLocation } from '../model.ts';
import type { Problems } from './problems.ts';
import { type Lookup, substitute } from './substitute.ts';
import { isBlank, type Tree } from './tree.ts';

const MAX_DEPTH = 64;
const MAX_ALIASES = 100;
/** Values in one file, each use of an anchor counted. */
const MAX_NODES = 100_000;

type Token = Parameters<Composer['next']>[0];

/**
 * undefined: the file holds nothing, or what is wrong with it was added to `problems`.
 * @param lookup undefined: nothing is substituted.
 */
export function parseYaml(
  file: string,
  text: string,
  lookup: Lookup | undefined,
  problems: Problems,
): Tree | undefined {
  const lines = new LineCounter();
  const tokens = tokenize(text, lines);
  const locate = locator(file, lines);
  if (typeof tokens === 'number') {
    problems.add(locate(tokens), `is nested deeper than ${MAX_DEPTH} levels`);
    return undefined;
  }
  const document = compose(tokens, locate, problems);
  if (document?.contents == null) return undefined;
  const build = new TreeBuilder(document, text, locate, lookup, problems);
  return build.tree();
}

type Locate = (offset: number) => SourceLocation;

function locator(file: string, lines: LineCounter): Locate {
  return (offset) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
}

interface Tokens {
  readonly tokens: readonly Token[];
  /** Where a second document begins, which is not read. */
  readonly second?: number;
}

/** Tokens, or the offset at which they nest too deep: composing recurses, so depth must be known before. */
function tokenize(text: string, lines: LineCounter): Tokens | number {
  const parser = new Parser(lines.addNewLine);
  const tokens: Token[] = [];
  let hasDocument = false;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) {
      tokens.push(token);
      hasDocument ||= token.type === 'document';
    }
    const [open] = parser.stack;
    if (hasDocument && open?.type === 'document') return { tokens, second: open.offset };
    if (parser.stack.length > MAX_DEPTH + 2) return parser.offset;
  }
  tokens.push(...parser.end());
  return { tokens };
}

function compose({ tokens, second }: Tokens, locate: Locate, problems: Problems): Document.Parsed | undefined {
  const composer = new Composer({ schema: 'core', uniqueKeys: false, prettyErrors: false, resolveKnownTags: false });
  endAtFirstError(composer);
  const document = composed(composer, tokens);
  const fault = document?.errors[0] ?? document?.warnings[0] ?? composer.streamInfo().errors[0];
  if (fault !== undefined) {
    problems.add(locate(fault.pos[0]), yamlMessage(fault.code, fault.message));
    return undefined;
  }
  if (second !== undefined) {
    problems.add(locate(second), 'a second YAML document begins here; a file holds one, so remove this "---"');
    return undefined;
  }
  return document;
}

/** undefined: there is none, or the composer has stopped at an error. */
function composed(composer: Composer, tokens: readonly Token[]): Document.Parsed | undefined {
  try {
    const [document] = composer.compose(tokens);
    return document;
  } catch (error) {
    if (error instanceof Exhausted) return undefined;
    throw error;
  }
}

/** It would go on, and a file can hold a million errors, of which the first one is told. */
function endAtFirstError(composer: Composer): void {
  // The library keeps its handler private; under another name it would be slow again, and no worse.
  const { onError } = composer as unknown as { onError?: (...error: unknown[]) => void };
  Object.assign(composer, {
    onError(...error: unknown[]) {
      onError?.(...error);
      if (composer.streamInfo().errors.length > 0) throw new Exhausted('an error');
    },
  });
}

function yamlMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab indents this line; YAML takes spaces only';
  if (code === 'TAG_RESOLVE_FAILED') return 'YAML tags such as !name are not used here; remove it';
  const plain = message.replace(/(["'])quote$/, '$1');
  return `not valid YAML: ${plain.charAt(0).toLowerCase()}${plain.slice(1)}`;
}

/**
 * The same text in one piece: the parser's are cut out of the whole file, or put together of single characters, and what a
 * definition keeps of them would keep all of that.
 */
function flat(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/** Thrown and caught in this file alone: the rest of the file is not worth reading. */
class Exhausted extends Error {}

class TreeBuilder {
  readonly #document: Document.Parsed;
  readonly #text: string;
  readonly #locate: Locate;
  readonly #lookup: Lookup | undefined;
  readonly #problems: Problems;
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document.Parsed, text: string, locate: Locate, lookup: Lookup | undefined, problems: Problems) {
    this.#document = document;
    this.#text = text;
    this.#locate = locate;
    this.#lookup = lookup;
    this.#problems = problems;
  }

  tree(): Tree | undefined {
    const start = this.#locate(this.#document.contents?.range[0] ?? 0);
    try {
      return this.#node(this.#document.contents, start, 0);
    } catch (error) {
      if (error instanceof Exhausted) return undefined;
      throw error;
    }
  }

  #node(node: Node | null, keyLocation: SourceLocation, depth: number): Tree {
    const location = node?.range ? this.#locate(node.range[0]) : keyLocation;
    if (++this.#nodes > MAX_NODES) this.#exhausted(location, `holds more than ${MAX_NODES} values`);
    if (depth > MAX_DEPTH) this.#exhausted(location, `is nested deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) {
      if (++this.#aliases > MAX_ALIASES) this.#exhausted(location, `uses more than ${MAX_ALIASES} aliases`);
      const target = node.resolve(this.#document);
      if (target === undefined) this.#exhausted(location, `no anchor "&${node.source}" stands before this alias`);
      return this.#node(target, keyLocation, depth + 1);
    }
    if (isMap(node)) return this.#mapping(node, location, keyLocation, depth);
    if (isSeq(node)) return this.#list(node, location, keyLocation, depth);
    return this.#scalar(node as Scalar | null, location, keyLocation);
  }

  #exhausted(location: SourceLocation, message: string): never {
    this.#problems.add(location, message);
    throw new Exhausted(message);
  }

  #mapping(node: YAMLMap, location: SourceLocation, keyLocation: SourceLocation, depth: number): Tree {
    const children = new Map<string, Tree>();
    for (const pair of node.items) {
      const keyNode = pair.key as Node | null;
      const place = keyNode?.range ? this.#locate(keyNode.range[0]) : location;
      const key = this.#key(keyNode, place, children);
      const child = this.#node(pair.value as Node | null, place, depth + 1);
      if (key !== undefined) children.set(key, child);
    }
    return { kind: 'mapping', value: undefined, location, keyLocation, children };
  }

  /** undefined: a key that cannot be taken, already reported. */
  #key(node: Node | null, location: SourceLocation, taken: ReadonlyMap<string, Tree>): string | undefined {
    if (!isScalar(node)) return this.#refuse(location, 'a key must be plain text');
    const key = String(node.value);
    if (key === '__proto__') return this.#refuse(location, `unknown key "${key}"`);
    if (key === '<<')
      return this.#refuse(location, 'merge keys ("<<") are not used here; a file has "defaults" instead');
    const first = taken.get(key)?.keyLocation;
    if (first !== undefined) {
      return this.#refuse(location, `the key "${key}" stands twice; first at ${first.line}:${first.column}`);
    }
    return key;
  }

  #refuse(location: SourceLocation, message: string): undefined {
    this.#problems.add(location, message);
  }

  #list(node: YAMLSeq, location: SourceLocation, keyLocation: SourceLocation, depth: number): Tree {
    const children = new Map<string, Tree>();
    for (const item of node.items as (Node | null)[]) {
      const place = item?.range ? this.#locate(item.range[0]) : location;
      const child = this.#node(item, place, depth + 1);
      if (!isBlank(child)) children.set(String(children.size), child);
    }
    return { kind: 'list', value: undefined, location, keyLocation, children };
  }

  #scalar(node: Scalar | null, location: SourceLocation, keyLocation: SourceLocation): Tree {
    const written = typeof node?.value === 'string' ? flat(node.value) : (node?.value ?? null);
    const base = { kind: 'scalar', location, keyLocation, children: new Map<string, Tree>() } as const;
    if (typeof written !== 'string') return { ...base, value: written };
    const substitution = this.#lookup && substitute(written, this.#lookup);
    if (substitution === undefined) return { ...base, value: written, ...this.#textLocation(node, written) };
    if (substitution.error !== undefined) this.#problems.add(location, substitution.error);
    return { ...base, value: substitution.unset.length > 0 ? undefined : substitution.text, substitution };
  }

  #textLocation(node: Scalar | null, value: string): { readonly textLocation?: SourceLocation } {
    const [start, end] = node?.range ?? [0, 0];
    const source = this.#text.slice(start, end);
    if (source === value) return { textLocation: this.#locate(start) };
    return source.slice(1, -1) === value ? { textLocation: this.#locate(start + 1) } : {};
  }
}
