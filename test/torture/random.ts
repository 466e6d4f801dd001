/** Randomness that a printed seed repeats. */
import { createHash } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** The same text gives the same numbers: each is the head of a hash over the text and over how many came before it. */
export function seeded(text: string): Random {
  let drawn = 0;

  function next(): number {
    drawn += 1;
    return createHash('sha256').update(`${drawn} ${text}`).digest().readUInt32BE() / 2 ** 32;
  }

  return {
    next,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[Math.floor(next() * choices.length)] ?? choices[0],
  };
}
