/**
 * Delivers the outbox: at least once, in order, each notifier on its own.
 *
 * Whoever changes an incident writes its alerts as outbox rows in the same transaction and then calls `wake`. A row stays
 * pending until its channel accepted it, across failures, restarts and reloads. The rows of a notifier that is unconfigured
 * or no longer defined wait a week for it to come back, and count for nothing meanwhile: nothing fails. Then they are dropped.
 */
import type { Configuration } from '../model.ts';
import type { Clock, Log, Meter, NotifierTypes, Store } from '../ports.ts';
import { Sender } from './alerter-sender.ts';
import { createRecurring } from './recurring.ts';

export interface AlerterParts {
  readonly store: Store;
  readonly notifierTypes: NotifierTypes;
  configuration(): Configuration;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Uniform in [0, 1). */
  random(): number;
  /** A notifier has failed for two minutes, or delivers again after that or for the first time. */
  onNotifierHealth?(notifier: string, healthy: boolean, error?: string): void;
}

export interface Alerter {
  /** Takes up what is pending. */
  start(): void;
  /** After a commit that wrote outbox rows, and after a reload. Before `start` it does nothing. */
  wake(): void;
  /** Within 5 s: a delivery under way may end by itself, then it is aborted and its row stays pending. */
  stop(): Promise<void>;
  /** What each notifier that can take alerts owes. */
  queues(): ReadonlyMap<string, number>;
  /** When the oldest of that was written. */
  oldestPendingAt(): number | undefined;
}

const STOP_GRACE_MS = 3_000;

export function createAlerter(parts: AlerterParts): Alerter {
  const { store, configuration, log } = parts;
  const recurring = createRecurring(log);
  const senders = new Map<string, Sender>();
  let state: 'new' | 'running' | 'stopped' = 'new';
  let pending: Pending = { queues: new Map(), oldestAt: undefined, waiting: [] };
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  function ensure(notifier: string): void {
    if (state !== 'running' || senders.has(notifier)) return;
    const sender = new Sender(notifier, {
      ...parts,
      onProgress: look,
      onCopies: (fallback) => senders.get(fallback)?.wake(),
    });
    senders.set(notifier, sender);
    sender.start();
  }

  /** Counts what is pending; asked again meanwhile, it counts once more. */
  function look(): void {
    lookAgain = true;
    looking ??= count();
  }

  async function count(): Promise<void> {
    while (lookAgain) {
      lookAgain = false;
      try {
        pending = await readPending(store, configuration());
        for (const notifier of pending.waiting) ensure(notifier);
        recurring.over();
      } catch (error) {
        recurring.failed('outbox_not_counted', error);
      }
    }
    looking = undefined;
  }

  function wake(): void {
    if (state !== 'running') return;
    for (const notifier of configuration().notifiers.keys()) ensure(notifier);
    for (const sender of senders.values()) sender.wake();
    look();
  }

  return {
    start() {
      if (state !== 'new') return;
      state = 'running';
      wake();
    },
    wake,
    async stop() {
      state = 'stopped';
      await Promise.all([...senders.values()].map((sender) => sender.stop(STOP_GRACE_MS)));
      await looking;
    },
    queues: () => pending.queues,
    oldestPendingAt: () => pending.oldestAt,
  };
}

interface Pending {
  readonly queues: ReadonlyMap<string, number>;
  readonly oldestAt: number | undefined;
  /** Notifiers with pending rows, whether they can take them or not. */
  readonly waiting: readonly string[];
}

async function readPending(store: Store, { notifiers }: Configuration): Promise<Pending> {
  const counts = await store.countPending();
  const able = [...notifiers.values()].filter(({ unset }) => unset.length === 0).map(({ name }) => name);
  const queues = new Map(able.map((notifier) => [notifier, counts.get(notifier) ?? 0]));
  let oldestAt: number | undefined;
  for (const notifier of able) {
    if (!counts.has(notifier)) continue;
    const [oldest] = await store.pendingNotifications({ notifier, limit: 1 });
    if (oldest) oldestAt = Math.min(oldestAt ?? oldest.createdAt, oldest.createdAt);
  }
  return { queues, oldestAt, waiting: [...counts.keys()] };
}
