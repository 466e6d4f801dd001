/**
 * Keeps history within what `history:` allows: whole days are dropped, the oldest first.
 */
import type { Configuration } from '../model.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';
import { createRecurring } from './recurring.ts';

export interface RetentionParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'historyKept'>;
  configuration(): Configuration;
}

const EVERY_MS = 15 * 60_000;

export function startRetention({ store, clock, log, meter, configuration }: RetentionParts): { stop(): Promise<void> } {
  const recurring = createRecurring(log);
  let pruning = prune();
  const timer = setInterval(() => {
    pruning = pruning.then(prune);
  }, EVERY_MS);
  timer.unref();

  async function prune(): Promise<void> {
    try {
      const { oldestAt, bytes } = await store.prune(configuration().settings.history, clock.now());
      meter.historyKept(oldestAt, bytes);
      recurring.over();
    } catch (error) {
      recurring.failed('history_not_pruned', error);
    }
  }

  return {
    async stop() {
      clearInterval(timer);
      await pruning;
    },
  };
}
