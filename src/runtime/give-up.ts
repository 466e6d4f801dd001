/** For what should end with its signal: when it does not, whoever waits for it waits no longer. */
import { AppError } from '../errors.ts';

export interface GiveUp {
  /** Rejects when this long has passed since the signal aborted; for a race with what was promised. */
  readonly promise: Promise<never>;
  cancel(): void;
}

export function giveUp(signal: AbortSignal, graceMs: number, code: string, message: string): GiveUp {
  let timer: NodeJS.Timeout | undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, rejected) => {
    reject = rejected;
  });
  const aborted = () => {
    timer = setTimeout(() => reject(new AppError(code, message)), graceMs);
  };
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  return {
    promise,
    cancel() {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    },
  };
}
