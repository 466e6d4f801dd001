/**
 * Another notifier stands in: it gets a copy of what this one could not deliver. The original stays pending and goes on being
 * tried.
 */
import type { Configuration, Notification, NotifierDefinition } from '../model.ts';
import type { Clock, Log, Store } from '../ports.ts';
import { copyRows } from './outbox-commit.ts';
import { PAGE } from './outbox-queue.ts';

export interface FallbackParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  configuration(): Configuration;
  /** The fallback has something to send. */
  onCopies(fallback: string): void;
}

/** The first configured notifier of the chain. Configuration allows no circle, and none would hold us here. */
export function fallbackOf(definition: NotifierDefinition, { notifiers }: Configuration): string | undefined {
  const seen = new Set([definition.name]);
  for (let name = definition.fallback; name !== undefined && !seen.has(name); name = notifiers.get(name)?.fallback) {
    seen.add(name);
    if (notifiers.get(name)?.unset.length === 0) return name;
  }
  return undefined;
}

export interface HandOver {
  /** Copies everything that is pending. */
  all(definition: NotifierDefinition): Promise<void>;
  /** Copies rows that wait behind a refused alert. */
  some(definition: NotifierDefinition, rows: readonly Notification[]): Promise<void>;
}

const LOOKED_MAX = 5_000;

/** What an earlier call looked at is not looked at again; after a restart the store knows what was copied. */
export function createHandOver({ store, clock, log, configuration, onCopies }: FallbackParts): HandOver {
  let allThrough = 0;
  const looked = new Set<number>();

  async function copy(rows: readonly Notification[], fallback: string): Promise<void> {
    const count = await copyRows(store, rows, fallback, clock.now());
    if (count === 0) return;
    log.warn('notifications_handed_over', { count, fallback });
    onCopies(fallback);
  }

  return {
    async all(definition) {
      const fallback = fallbackOf(definition, configuration());
      while (fallback !== undefined) {
        const page = await store.pendingNotifications({ notifier: definition.name, afterId: allThrough, limit: PAGE });
        if (page.length === 0) return;
        await copy(page, fallback);
        allThrough = page.at(-1)?.id ?? allThrough;
      }
    },
    async some(definition, rows) {
      const fallback = fallbackOf(definition, configuration());
      const fresh = rows.filter(({ id }) => id > allThrough && !looked.has(id));
      if (fallback === undefined || fresh.length === 0) return;
      await copy(fresh, fallback);
      if (looked.size > LOOKED_MAX) looked.clear();
      for (const { id } of fresh) looked.add(id);
    },
  };
}
