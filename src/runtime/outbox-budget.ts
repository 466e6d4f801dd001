/**
 * The burst cap: how many messages a notifier may start in a rolling minute. Updates and replies of a conversation that
 * exists are not counted. The last message of a minute is kept for a digest, so that a burst never takes more than the
 * cap, digest included. Times are monotonic.
 */
import type { AlertKind } from '../model.ts';
import type { Clock, Store } from '../ports.ts';

const WINDOW_MS = 60_000;

export interface Budget {
  /** May a conversation start? The first of a quiet minute always may. */
  mayStart(burst: number, monotonic: number): boolean;
  /** Until a digest may go out; 0 is now. */
  digestWaitMs(burst: number, monotonic: number): number;
  spend(monotonic: number): void;
}

/** `spent`: when the messages of the last minute were started. */
export function createBudget(spent: readonly number[] = []): Budget {
  let starts = [...spent].sort((a, b) => a - b);

  function recent(monotonic: number): readonly number[] {
    starts = starts.filter((at) => monotonic - at < WINDOW_MS);
    return starts;
  }

  return {
    mayStart(burst, monotonic) {
      const used = recent(monotonic).length;
      return used === 0 || used < burst - 1;
    },
    digestWaitMs(burst, monotonic) {
      const used = recent(monotonic);
      const blocking = used[used.length - Math.max(burst, 1)];
      return blocking === undefined ? 0 : blocking + WINDOW_MS - monotonic;
    },
    spend(monotonic) {
      starts.push(monotonic);
    },
  };
}

/** Rows that are looked through for messages of the last minute. */
const RECENT = 500;
const STARTING: ReadonlySet<AlertKind> = new Set(['opened', 'healed_itself', 'digest']);

/** What a restart must not forget: when the notifier's messages of the last minute were started, as the outbox tells. */
export async function recentStarts(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  notifier: string,
): Promise<readonly number[]> {
  const now = clock.now();
  const monotonic = clock.monotonic();
  const rows = await store.notifications({ limit: RECENT });
  return rows.flatMap(({ sentAt, carriedBy, alert, ...row }) => {
    if (row.notifier !== notifier || sentAt === undefined || carriedBy !== undefined) return [];
    const age = now - sentAt;
    return STARTING.has(alert.kind) && age >= 0 && age < WINDOW_MS ? [monotonic - age] : [];
  });
}
