/** Everything that the campaign is judged by: what the arena knows by itself, and what the store says. */
import type { Attempt, Incident, Notification, TimelineEntry, Transition } from '../../../src/model.ts';
import type { Delivery } from '../../estate/receiver.ts';
import { openPlace } from '../place.ts';
import { type Arena, HEALED, MOODY, STEADY } from './arena.ts';
import type { Progress } from './ordeal.ts';

export interface Evidence extends Progress {
  readonly bus: readonly Delivery[];
  /** Oldest first. */
  readonly transitions: readonly Transition[];
  readonly incidents: readonly Incident[];
  /** The story of the store's own incidents. */
  readonly ownStory: readonly TimelineEntry[];
  readonly attempts: readonly Attempt[];
  readonly notifications: readonly Notification[];
  /** Times of the results of each probe, oldest first. */
  readonly results: ReadonlyMap<string, readonly number[]>;
  /** Resources whose lock nobody freed. */
  readonly locked: readonly string[];
}

/** More rows than any campaign makes. */
const ALL = 1_000_000;

/** To be called while no daemon runs and PostgreSQL does. */
export async function gather(arena: Arena, progress: Progress): Promise<Evidence> {
  const store = await openPlace({ url: arena.url });
  try {
    const incidents = [...(await store.incidents({ limit: ALL }))].reverse();
    const own = incidents.filter(({ source, subject }) => source === 'self' && subject === 'store');
    const results = new Map<string, readonly number[]>();
    for (const probe of [...MOODY, ...HEALED, ...STEADY])
      results.set(probe, await times(store.results({ probe, from: 0, to: Number.MAX_SAFE_INTEGER, limit: ALL })));
    const locked: string[] = [];
    for (const name of HEALED) {
      const now = Date.now();
      const fence = await store.acquireLock(`exec:mend-${name}`, 'campaign', now, now + 60_000);
      if (fence === undefined) locked.push(name);
      else await store.releaseLock(`exec:mend-${name}`, fence);
    }
    return {
      ...progress,
      ...{ bus: arena.bus.deliveries(), incidents, results, locked },
      transitions: [...(await store.transitions({ limit: ALL }))].reverse(),
      ownStory: (await Promise.all(own.map(({ id }) => store.timeline(id)))).flat(),
      attempts: [...(await store.attempts({ limit: ALL }))].reverse(),
      notifications: [...(await store.notifications({ limit: ALL }))].reverse(),
    };
  } finally {
    await store.close();
  }
}

async function times(results: Promise<readonly { readonly at: number }[]>): Promise<readonly number[]> {
  return (await results).map(({ at }) => at);
}
