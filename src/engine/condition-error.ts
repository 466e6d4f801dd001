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
