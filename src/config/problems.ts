/** The list that every step of loading adds to, so that a person sees all errors at once. */
import type { Problem, SourceLocation } from '../model.ts';

/** A broken file can hold a problem in every line, and all are shown and sent wherever its state is. */
const MOST_LISTED = 100;

export class Problems {
  /** By place and message: what was said twice about one place is said once. */
  readonly #listed = new Map<string, Problem>();
  #unlisted: SourceLocation | undefined;
  #count = 0;

  add(location: SourceLocation, message: string): void {
    this.#count += 1;
    const key = JSON.stringify([location.file, location.line, location.column, message]);
    if (this.#listed.size < MOST_LISTED) this.#listed.set(key, { location, message });
    else if (!this.#listed.has(key)) this.#unlisted ??= location;
  }

  get count(): number {
    return this.#count;
  }

  /** Sorted by file, line and column; the last one may say that there are more. */
  sorted(): readonly Problem[] {
    const sorted = [...this.#listed.values()].toSorted(byPlace);
    if (this.#unlisted === undefined) return sorted;
    const message = `from here on, what is wrong is not listed: there is more than ${MOST_LISTED}`;
    return [...sorted, { location: this.#unlisted, message }];
  }
}

function byPlace(one: Problem, other: Problem): number {
  const { location: a } = one;
  const { location: b } = other;
  return (
    compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(one.message, other.message)
  );
}

/** By code unit: the same order on every machine, whatever its locale. */
export function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
