/**
 * Our own store, and what becomes of the daemon while it is away: its calls are watched, what must be written is kept, people
 * are told past the outbox, and when it is back everything is written down in its order.
 */
import { PermanentError, RetryableError } from '../errors.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';
import { type Backlog, createBacklog } from './backlog.ts';
import type { PastTrouble } from './incident-desk.ts';
import { createOutageTeller, type OutageTellerParts, STORE } from './outage-teller.ts';
import { createStoreWatch, type Outage } from './store-watch.ts';

export interface StoreKeeper {
  /** The store for everybody else: its calls are refused at once while it is away. */
  readonly store: Store;
  readonly backlog: Backlog;
  /** From the first call that failed until everything that was kept is written. */
  outage(): Outage | undefined;
  /** Gives up what could not be written. */
  stop(): Promise<void>;
}

export interface StoreKeeperParts extends OutageTellerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'storeUp' | 'notification'>;
  /** The store answers: what memory believes of it is read again. RetryableError: it is away again. */
  reread(): Promise<void>;
  /** What waits outside of the backlog. RetryableError: it is away again; any other keeps nothing up. */
  flush(): Promise<void>;
  record(subject: string, trouble: PastTrouble): Promise<void>;
  onBack(): void;
  /** Nothing can be written any more: the daemon must end. */
  onLost(error: PermanentError): void;
}

/** What the last message may take. */
const LAST_WORDS_MS = 10_000;

export function createStoreKeeper(parts: StoreKeeperParts): StoreKeeper {
  const { clock, log, reread, flush, record, onBack, onLost } = parts;
  const backlog = createBacklog({ log, storeAway: () => watch.outage() !== undefined });
  const teller = createOutageTeller(parts);
  let recording: Promise<unknown> = Promise.resolve();

  async function catchUp(): Promise<void> {
    await reread();
    await backlog.drain();
    await flush().catch((error: unknown) => {
      // Results decide nothing: whoever holds them tells of it, and goes on trying.
      if (error instanceof RetryableError) throw error;
    });
  }

  /** What came while the rest was written; when the store goes away again it waits for its return. */
  async function writeRest(): Promise<void> {
    while (backlog.count() > 0 && !watch.outage()) await backlog.drain();
  }

  function onAway(outage: Outage): void {
    backlog.release();
    teller.begin(outage);
    if (!outage.forGood) return;
    const lost = outage.superseded
      ? new PermanentError('brain_superseded', outage.error)
      : new PermanentError('store_lost', `the store is lost: ${outage.error}`);
    void teller
      .lastWords(LAST_WORDS_MS)
      .catch((error: unknown) => log.error('store_outage_not_told', { error }))
      .finally(() => onLost(lost));
  }

  async function putOnRecord({ since }: Outage): Promise<void> {
    const until = clock.now();
    const { trouble, told } = await teller.end();
    const past = { ...trouble, from: since, until, told };
    await backlog.write({ key: `outage:${since}`, write: () => record(STORE, past) });
  }

  const watch = createStoreWatch({
    ...parts,
    catchUp,
    onAway,
    onBack(outage) {
      recording = putOnRecord(outage).catch((error: unknown) => log.error('self_incident_not_stored', { error }));
      // What was left in the middle is known only when all that has ended is written.
      writeRest()
        .then(onBack)
        .catch((error: unknown) => log.warn('kept_writes_wait', { error }));
    },
  });

  return {
    store: watch.store,
    backlog,
    outage: watch.outage,
    async stop() {
      watch.stop();
      await teller.stop();
      await recording;
      if (backlog.count() > 0) log.error('kept_writes_lost', { count: backlog.count() });
    },
  };
}
