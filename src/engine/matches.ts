/**
 * Regular expressions on a linear engine: RE2 has no backreferences and no look-around, and no text makes it explode.
 * https://github.com/google/re2/wiki/Syntax
 */
import { RE2JS, RE2JSException } from 're2js';
import { AppError } from '../errors.ts';

/** Instructions of a compiled pattern; `\d{1000}` has about a thousand. */
const PROGRAM_LIMIT = 4_000;

/** Characters of a text that are searched. */
const TEXT_LIMIT = 1 << 20;

/** Instructions × characters of one search. The worst case takes 12 ns each, a common one a hundredth of that. */
const WORK_LIMIT = 1 << 24;

export interface Matcher {
  /** True when the pattern is found anywhere in the text's first MiB (large patterns: less, by WORK_LIMIT). */
  test(text: string): boolean;
  /** Steps of the step budget that a test of this text costs. */
  cost(text: string): number;
}

/** Compiles a pattern once. Errors: AppError `pattern_invalid`, with what RE2 does not take. */
export function createMatcher(pattern: string): Matcher {
  const program = compile(pattern);
  const size = program.programSize();
  if (size > PROGRAM_LIMIT) throw new AppError('pattern_invalid', 'the pattern is too large');
  const searched = Math.min(TEXT_LIMIT, Math.floor(WORK_LIMIT / size));
  return {
    test: (text) => program.test(text.length > searched ? text.slice(0, searched) : text),
    cost: (text) => (Math.min(text.length, searched) * size) >> 6,
  };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new AppError('pattern_invalid', error.message.replace(/^error parsing regexp: /, ''), { cause: error });
  }
}
