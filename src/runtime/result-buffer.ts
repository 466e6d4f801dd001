/**
 * Results on their way to the store: gathered and written in batches, bounded, and counted when they must be dropped.
 */
import type { Result } from '../model.ts';
import type { Log, Meter, Store } from '../ports.ts';
import { createRecurring } from './recurring.ts';

export interface ResultBuffer {
  add(result: Result): void;
  count(): number;
  /** Writes what waits now, in order. RetryableError: the store is away, and it waits on. */
  flush(): Promise<void>;
  /** Writes what is left. */
  stop(): Promise<void>;
}

const FLUSH_MS = 1_000;
const BATCH = 1_000;
/** About 20 MB; beyond it the oldest are dropped. */
const MAX_BUFFERED = 100_000;

export interface ResultBufferParts {
  readonly store: Store;
  readonly log: Log;
  readonly meter: Pick<Meter, 'resultsBuffered' | 'resultsDropped'>;
}

export function createResultBuffer({ store, log, meter }: ResultBufferParts): ResultBuffer {
  const recurring = createRecurring(log);
  let buffered: Result[] = [];
  let flushing: Promise<void> | undefined;
  const timer = setInterval(() => void flush().catch(() => undefined), FLUSH_MS);
  timer.unref();

  function flush(): Promise<void> {
    flushing ??= drain().finally(() => {
      flushing = undefined;
      meter.resultsBuffered(buffered.length);
    });
    return flushing;
  }

  async function drain(): Promise<void> {
    while (buffered.length > 0) {
      const batch = buffered.slice(0, BATCH);
      try {
        await store.addResults(batch);
        recurring.over();
      } catch (error) {
        recurring.failed('results_not_stored', error);
        throw error;
      }
      buffered = buffered.slice(batch.length);
    }
  }

  return {
    add(result) {
      buffered.push(result);
      if (buffered.length <= MAX_BUFFERED) return;
      // Never cut into the batch that is being written: it stands at the front.
      buffered.splice(BATCH, BATCH);
      meter.resultsDropped(BATCH);
    },
    count: () => buffered.length,
    flush,
    async stop() {
      clearInterval(timer);
      await flushing?.catch(() => undefined);
      await flush().catch((error: unknown) => log.error('results_lost', { count: buffered.length, error }));
    },
  };
}
