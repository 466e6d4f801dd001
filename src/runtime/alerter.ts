/**
 * Delivers the outbox: at least once, in order, each notifier on its own.
 *
 * Whoever changes an incident writes its alerts as outbox rows in the same transaction and then calls `wake`. A row stays
 * pending until its channel accepted it, across failures, restarts and reloads; nothing is ever dropped. The rows of a
 * notifier that is no longer defined wait for it to come back.
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
  /** Pending rows a notifier, every configured one included. */
  queues(): ReadonlyMap<string, number>;
  /** When the oldest row that a configured notifier owes was written. */
  oldestPendingAt(): number | undefined;
}

const STOP_GRACE_MS = 3_000;

export function createAlerter(parts: AlerterParts): Alerter {
  const { store, configuration, log } = parts;
  const recurring = createRecurring(log);
  const senders = new Map<string, Sender>();
  let state: 'new' | 'running' | 'stopped' = 'new';
  let pending: Pending = { queues: new Map(), oldestAt: undefined };
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
        for (const notifier of pending.queues.keys()) ensure(notifier);
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
}

async function readPending(store: Store, { notifiers }: Configuration): Promise<Pending> {
  const counts = await store.countPending();
  const queues = new Map([...notifiers.keys()].map((notifier) => [notifier, 0]));
  for (const [notifier, count] of counts) queues.set(notifier, count);
  let oldestAt: number | undefined;
  for (const notifier of notifiers.keys()) {
    if (!counts.has(notifier)) continue;
    const [oldest] = await store.pendingNotifications({ notifier, limit: 1 });
    if (oldest) oldestAt = Math.min(oldestAt ?? oldest.createdAt, oldest.createdAt);
  }
  return { queues, oldestAt };
}
