/** How long the locks of an attempt last: longer than what they guard, and longer again when that takes longer. */
import type { Attempt } from '../model.ts';
import type { Clock, Log, Store } from '../ports.ts';
import type { Lock } from './attempt-locks.ts';
import { type Backlog, probeLine } from './backlog.ts';

/** Locks outlive what they guard by this much, so that a slow step does not lose them. */
export const LEASE_SLACK_MS = 60_000;

/** Keeps the locks of an attempt for `forMs` more, and the slack; kept while the store is away. */
export type Prolong = (attempt: Attempt, alsoLocked: readonly Lock[], forMs: number) => Promise<void>;

export interface ProlongParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly backlog: Backlog;
}

export function createProlong({ store, clock, log, backlog }: ProlongParts): Prolong {
  return async function prolong(attempt, alsoLocked, forMs) {
    async function write(): Promise<void> {
      for (const { resource, fence } of [attempt, ...alsoLocked]) {
        const isHeld = await store.renewLock(resource, fence, clock.now() + forMs + LEASE_SLACK_MS);
        // The act is over: it is still verified, as far as that tells anything by now.
        if (!isHeld) log.warn('lock_lost', { attempt: attempt.id, resource });
      }
    }
    await backlog.write({ key: `attempt-locks:${attempt.id}`, line: probeLine(attempt.probe), write });
  };
}
