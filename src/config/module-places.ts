/**
 * Where the parts of a definition stand in the text of a module. Its values are what the code made, so this is a search for
 * what was most likely written: a key behind the one before, a text as it is. What is not found stands where its parent does.
 */
import type { SourceLocation } from '../model.ts';

export interface Place {
  readonly offset: number;
  readonly location: SourceLocation;
  /** Of the first character of a text, which stands there as it is. */
  readonly textLocation?: SourceLocation;
}

export class ModulePlaces {
  readonly #file: string;
  readonly #text: string;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
  }

  /** The call of defineProbe, else the default export, else the beginning. */
  get definition(): Place {
    const found = this.#text.search(/\bdefineProbe\s*\(/);
    return this.#at(Math.max(0, found === -1 ? this.#text.search(/\bexport\s+default\b/) : found));
  }

  key(key: string, parent: Place): Place {
    const pattern = new RegExp(`(?<=[\\s{,])(["']?)${escaped(key)}\\1\\s*(?=[:(,}])`, 'g');
    pattern.lastIndex = parent.offset;
    const found = pattern.exec(this.#text);
    return found ? this.#at(found.index) : parent;
  }

  /** `run`, as a method or as a property. */
  get run(): SourceLocation {
    return this.key('run', this.definition).location;
  }

  value(value: unknown, from: Place): Place {
    if (typeof value !== 'string' || value === '') return from;
    for (const quote of [`'`, `"`, '`']) {
      const found = this.#text.indexOf(`${quote}${value}${quote}`, from.offset);
      if (found !== -1) return { ...this.#at(found), textLocation: this.#at(found + 1).location };
    }
    return from;
  }

  #at(offset: number): Place {
    const lines = this.#text.slice(0, offset).split('\n');
    const column = (lines.at(-1)?.length ?? 0) + 1;
    return { offset, location: { file: this.#file, line: lines.length, column } };
  }
}

function escaped(key: string): string {
  return key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
