/**
 * Trouble of work that is tried again and again: logged when it begins or changes, and when it is over, not at every try.
 * That the store is away is told by its watch, for all who wait for it.
 */
import { messageOf, RetryableError } from '../errors.ts';
import type { Log } from '../ports.ts';

export interface Recurring {
  failed(event: string, error: unknown): void;
  /** It has worked. */
  over(): void;
}

export function createRecurring(log: Log): Recurring {
  let told: { readonly event: string; readonly message: string } | undefined;
  return {
    failed(event, error) {
      const message = messageOf(error);
      const isTold = told?.event === event && told.message === message;
      if (isTold || error instanceof RetryableError) return log.debug(event, { error });
      told = { event, message };
      log.error(event, { error });
    },
    over() {
      if (told) log.info('trouble_over', { of: told.event });
      told = undefined;
    },
  };
}
