/** What is wrong with a condition, phrased for the person who wrote it. */
import { AppError } from '../errors.ts';

/** Raised while a condition is compiled; never while one is evaluated. */
export class ConditionError extends AppError {
  /** Of the fault, in characters from the start of the source. */
  readonly offset: number;

  constructor(message: string, offset: number, options?: { cause?: unknown }) {
    super('condition_invalid', message, options);
    this.offset = offset;
  }
}

/** ` (did you mean `x`?)` for the candidate that differs least, in a third of the letters at most; else nothing. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    const tolerance = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (distance <= tolerance && distance < least) [best, least] = [candidate, distance];
  }
  return best === undefined ? '' : ` (did you mean \`${prefix}${best}\`?)`;
}

/** Insertions, deletions, replacements and swaps of neighbours. */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(row - 1, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swap = swapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, replaced, swap));
    }
  }
  return at(from.length, to.length);
}
