/**
 * Whether our own store answers. Every call of the runtime passes here: the first that fails with a RetryableError, or
 * stays without an answer, says that the store is away. From then on calls are refused at once, until a durable write, and
 * everything that was kept meanwhile, have gone through. What time alone does not mend on the way there is an error, told
 * like the absence itself, and tried again every ten seconds for as long as it takes.
 */
import { codeOf, messageOf, PermanentError, RetryableError } from '../errors.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';

export interface Outage {
  /** Wall clock. */
  readonly since: number;
  /** What the call said that found it out. */
  readonly error: string;
  /** The store is lost: only a new start can bring it back. */
  readonly forGood: boolean;
  /** Another daemon of the cluster is the brain now: it watches and heals in our place. */
  readonly superseded: boolean;
  /** It cannot be used until somebody mends it: a password, a damaged row, a fault of ours. */
  readonly stuck: boolean;
}

export interface StoreWatch {
  /** The store, with every call watched. */
  readonly store: Store;
  /** From the first call that failed until everything that was kept is written; undefined: all is well. */
  outage(): Outage | undefined;
  stop(): void;
}

export interface StoreWatchParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'storeUp'>;
  /** Writes what was kept; called when the store answers again. A RetryableError: it is still away; any other: it is stuck. */
  catchUp(): Promise<void>;
  /** It is away, or more is known of it. */
  onAway(outage: Outage): void;
  onBack(outage: Outage): void;
}

const TICK_MS = 500;
/** A call that is this many ticks old is not waited for. Ticks, not time: a pause of this process is not the store's. */
const SILENT_TICKS = 20;
/** What is stuck is tried again after this many. */
const STUCK_TICKS = 20;
/** They may take long, or wait for one that does. */
const PATIENT: ReadonlySet<string | symbol> = new Set(['addResults', 'prune', 'results', 'lastResultTimes']);
/** What a look takes and lets expire at once: a write that proves the store, and changes nothing. */
const LOOK = { resource: 'store', owner: 'store-watch' } as const;

export function createStoreWatch(parts: StoreWatchParts): StoreWatch {
  const { clock, log, meter, catchUp, onAway, onBack } = parts;
  const waiting = new Set<{ ticks: number }>();
  let outage: Outage | undefined;
  /** Calls go through: it is up, or about to be. */
  let open = true;
  let looking: Promise<void> | undefined;
  /** Ticks until the next look. */
  let rest = 0;
  /** Outages so far: a call that began before the last one ended says nothing about now. */
  let outages = 0;
  const timer = setInterval(tick, TICK_MS);
  timer.unref();
  meter.storeUp(true);

  function leave(error: Error, forGood = false): void {
    open = false;
    if (outage && (outage.forGood || !forGood)) return;
    const superseded = codeOf(error) === 'store_superseded';
    outage = { since: outage?.since ?? clock.now(), error: messageOf(error), forGood, superseded, stuck: false };
    log.error('store_away', { error, for_good: forGood });
    meter.storeUp(false);
    onAway(outage);
  }

  /** Said once for each error. */
  function getStuck(before: Outage, error: unknown): void {
    rest = STUCK_TICKS;
    const message = messageOf(error);
    if (before.stuck && before.error === message) return;
    outage = { ...before, error: message, stuck: true };
    log.error('store_stuck', { error });
    onAway(outage);
  }

  function tick(): void {
    if (outage) {
      rest -= 1;
      if (!outage.forGood && rest < 0) looking ??= look().finally(() => (looking = undefined));
      return;
    }
    for (const call of waiting) call.ticks += 1;
    if ([...waiting].some(({ ticks }) => ticks >= SILENT_TICKS))
      leave(new RetryableError('store_silent', `the store has not answered for ${(SILENT_TICKS * TICK_MS) / 1_000} s`));
  }

  /** It is back when a write is durable again and nothing waits any more. */
  async function look(): Promise<void> {
    try {
      const now = clock.now();
      await parts.store.acquireLock(LOOK.resource, LOOK.owner, now, now);
      open = true;
      log.info('store_answers', { away_ms: now - (outage?.since ?? now) });
      await catchUp();
    } catch (error) {
      open = false;
      if (isForGood(error)) leave(error, true);
      else if (error instanceof RetryableError) log.debug('store_still_away', { error });
      else if (outage) getStuck(outage, error);
      return;
    }
    if (open) back();
  }

  function back(): void {
    const over = outage;
    if (!over) return;
    outage = undefined;
    rest = 0;
    outages += 1;
    log.warn('store_back', { away_ms: clock.now() - over.since });
    meter.storeUp(true);
    onBack(over);
  }

  async function call<T>(work: () => Promise<T>, isPatient: boolean): Promise<T> {
    if (!open) throw new RetryableError('store_away', `the store is away: ${outage?.error}`);
    const [waits, began] = [{ ticks: 0 }, outages];
    if (!isPatient) waiting.add(waits);
    try {
      return await work();
    } catch (error) {
      if (!isAway(error)) throw error;
      if (began === outages || isForGood(error)) leave(error, isForGood(error));
      throw error instanceof RetryableError ? error : new RetryableError('store_away', error.message, { cause: error });
    } finally {
      waiting.delete(waits);
    }
  }

  return {
    store: watched(parts.store, call),
    outage: () => outage,
    stop: () => clearInterval(timer),
  };
}

/** A damaged row is the trouble of who reads it; what else only a person can mend keeps everybody from the store. */
function isAway(error: unknown): error is RetryableError | PermanentError {
  return error instanceof RetryableError || (error instanceof PermanentError && error.code !== 'store_damaged');
}

const FOR_GOOD: ReadonlySet<string> = new Set(['store_lost', 'store_locked', 'store_superseded']);

/** Its file failed, or another daemon holds it now: whoever goes on without examining it does harm. */
function isForGood(error: unknown): error is PermanentError {
  return error instanceof PermanentError && FOR_GOOD.has(error.code);
}

type Call = <T>(work: () => Promise<T>, isPatient: boolean) => Promise<T>;

/** Ends the store, reads it piece by piece (whoever reads hears of a failure), or does not ask it. */
const UNWATCHED: ReadonlySet<string | symbol> = new Set(['close', 'backup', 'isHeld']);

/** Every method that asks the store, through `call`. */
function watched(store: Store, call: Call): Store {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || UNWATCHED.has(name)) return member;
      // All other methods of a Store return promises (ports.ts).
      return (...parameters: unknown[]) =>
        call(() => Reflect.apply(member, target, parameters) as Promise<unknown>, PATIENT.has(name));
    },
  });
}
