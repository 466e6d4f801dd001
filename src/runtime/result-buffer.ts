/**
 * Results on their way to the store: gathered and written in batches, bounded, and counted when they must be dropped.
 */
import { messageOf, PermanentError, RetryableError } from '../errors.ts';
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
  /** The store answers, and did not take some results: they are lost. Said once a flush. */
  onRefused(why: string): void;
}

export function createResultBuffer({ store, log, meter, onRefused }: ResultBufferParts): ResultBuffer {
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
    const refusals: string[] = [];
    try {
      while (buffered.length > 0) await write(buffered.slice(0, BATCH), refusals);
      if (refusals.length === 0) recurring.over();
    } catch (error) {
      recurring.failed('results_not_stored', error);
      throw error;
    } finally {
      if (refusals[0] !== undefined) onRefused(refusals[0]);
    }
  }

  /** What stands at the front. A batch is halved down to the result that the store does not take: no other waits for that. */
  async function write(batch: readonly Result[], refusals: string[]): Promise<void> {
    try {
      await store.addResults(batch);
    } catch (error) {
      if (isOfStore(error)) throw error;
      if (batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        await write(batch.slice(0, half), refusals);
        return write(batch.slice(half), refusals);
      }
      recurring.failed('results_not_stored', error);
      refusals.push(`${batch[0]?.probe}: ${messageOf(error)}`);
      meter.resultsDropped(1);
    }
    buffered = buffered.slice(batch.length);
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

/** It is away or damaged: no result is to blame. */
function isOfStore(error: unknown): boolean {
  return error instanceof RetryableError || error instanceof PermanentError;
}
