/** The list that every step of loading adds to, so that a person sees all errors at once. */
import type { Problem, SourceLocation } from '../model.ts';

export class Problems {
  readonly #list: Problem[] = [];

  add(location: SourceLocation, message: string): void {
    this.#list.push({ location, message });
  }

  get count(): number {
    return this.#list.length;
  }

  /** Sorted by file, line and column; what was said twice about one place is said once. */
  sorted(): readonly Problem[] {
    const seen = new Set<string>();
    return this.#list.toSorted(byPlace).filter(({ location, message }) => {
      const key = JSON.stringify([location.file, location.line, location.column, message]);
      return !seen.has(key) && seen.add(key);
    });
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
