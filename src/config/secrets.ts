/** Collects the values that must appear nowhere: secret fields, userinfo of URLs, contents of `${file:…}`, secret variables. */
import type { z } from 'zod';
import type { Problem, SourceLocation } from '../model.ts';
import { isSecretAt } from './schema-walk.ts';
import { type Path, scalars, type Tree } from './tree.ts';

/** A shorter value would blot out half of every text if it were redacted. */
const SHORTEST_SECRET = 6;

/**
 * Begins at `://`: to look for the scheme from each of its characters would take quadratic time in a long value. It ends at the
 * last @ before the path, as every parser of URLs has it: a password may hold one.
 */
const USERINFO = /(?<=[a-z0-9+.-]):\/\/(?:([^\s/?#:@]*):)?([^\s/?#]+)@/gi;

/** A name alone is no token there, and often a word that stands everywhere: `postgres://postgres@localhost/`. */
const NAMED = /postgres(?:ql)?$/i;

export class Secrets {
  readonly #values = new Set<string>();
  readonly #warnings: Problem[] = [];

  /** What is secret wherever it stands. */
  addTree(tree: Tree): void {
    for (const scalar of scalars(tree)) {
      for (const value of scalar.substitution?.fileValues ?? []) this.#add(value, scalar.location);
      if (typeof scalar.value === 'string') this.#addUserinfo(scalar.value, scalar.location);
    }
  }

  /** What is secret because a schema says so. */
  addSpec(schema: z.ZodType, tree: Tree, path: Path = []): void {
    if (isSecretAt(schema, path)) {
      for (const scalar of scalars(tree)) this.#addScalar(scalar);
    }
    for (const [key, child] of tree.children) this.addSpec(schema, child, [...path, key]);
  }

  /** What is secret although no schema says so: what a file of secrets holds, what the manifest marks. */
  addText(text: string, location: SourceLocation): void {
    if (text !== '') this.#add(text, location);
  }

  get values(): readonly string[] {
    return [...this.#values].sort();
  }

  get warnings(): readonly Problem[] {
    return this.#warnings;
  }

  /** The whole value, and what was put into it: `Bearer ${TOKEN}` hides the token too. */
  #addScalar({ value, substitution, location }: Tree): void {
    for (const part of substitution?.values ?? []) this.#add(part, location);
    if (value !== undefined && value !== null && value !== '') this.#add(String(value), location);
  }

  /** The password, or the name where it stands alone as a token; a user name beside a password is no secret. */
  #addUserinfo(text: string, location: SourceLocation): void {
    for (const { 1: name, 2: password, index } of text.matchAll(USERINFO)) {
      if (password === undefined || (name === undefined && NAMED.test(text.slice(0, index)))) continue;
      this.#add(password, location);
      this.#add(decoded(password), location);
    }
  }

  #add(value: string, location: SourceLocation): void {
    if (this.#values.has(value)) return;
    this.#values.add(value);
    if (value.length >= SHORTEST_SECRET) return;
    this.#warnings.push({
      location,
      message: `a secret shorter than ${SHORTEST_SECRET} characters cannot be redacted`,
    });
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
