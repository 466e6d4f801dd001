/** The nearest right name, for "did you mean …?". */

/** The candidate that differs least, in a third of the letters at most: near enough to be a slip of the fingers. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (candidate === '') continue;
    const tolerance = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (Math.abs(candidate.length - word.length) > tolerance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance <= tolerance && distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** ` (did you mean "expect"?)`, or nothing. `prefix` is put before the name: `phases.`. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string {
  const name = nearest(word, candidates);
  return name === undefined ? '' : ` (did you mean "${prefix}${name}"?)`;
}

/** More of them scroll away. */
const MOST_NAMED = 20;

/** What there is instead of a name that is not there: ` (did you mean "web"?)`, or `; there are: …` with how many are left out. */
export function instead(word: string, candidates: Iterable<string>): string {
  const names = [...candidates];
  const near = didYouMean(word, names);
  if (near !== '') return near;
  if (names.length === 0) return '; there is none';
  const more = names.length - MOST_NAMED;
  return `; there are: ${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? `, and ${more} more` : ''}`;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
