/**
 * Another notifier stands in: it gets a copy of what this one could not deliver. The original stays pending and goes on being
 * tried.
 */
import type { Configuration, NotifierDefinition } from '../model.ts';
import type { Clock, Log, Store } from '../ports.ts';
import { handOverPage } from './outbox-commit.ts';

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

/** Copies everything that is pending and was not copied by an earlier call. */
export function createHandOver({ store, clock, log, configuration, onCopies }: FallbackParts) {
  let handedThrough = 0;

  return async function handOver(definition: NotifierDefinition): Promise<void> {
    const fallback = fallbackOf(definition, configuration());
    if (fallback === undefined) return;
    for (;;) {
      const from = { notifier: definition.name, afterId: handedThrough };
      const { lastId, copies } = await handOverPage(store, from, fallback, clock.now());
      if (lastId === undefined) return;
      handedThrough = lastId;
      if (copies === 0) continue;
      log.warn('notifications_handed_over', { count: copies, fallback });
      onCopies(fallback);
    }
  };
}
