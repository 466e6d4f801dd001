import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AppError, PermanentError, RetryableError } from '../../src/errors.ts';
import type { Store } from '../../src/ports.ts';
import { createStoreWatch, type Outage, type StoreWatch } from '../../src/runtime/store-watch.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { gate, ownedClock } from './runtime-house.ts';

let opened: OpenedForTest;
let watch: StoreWatch;
let begin: () => void;
/** What every call does before it reaches the store. */
let before: () => Promise<unknown>;
let catchUp: () => Promise<void>;
let events: string[];
let errors: string[];

beforeEach(async () => {
  opened = await openTemporary();
  [before, catchUp, events, errors] = [() => Promise.resolve(), () => Promise.resolve(), [], []];
  const faulty = new Proxy(opened.store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...parameters: unknown[]) => {
        await before();
        return Reflect.apply(member, target, parameters);
      };
    },
  }) as Store;
  const tell = (what: string) => (outage: Outage) => events.push(outage.forGood ? `${what} for good` : what);
  begin = () => {
    watch = createStoreWatch({
      ...{ store: faulty, clock: ownedClock(), onAway: tell('away'), onBack: tell('back') },
      log: { ...quietLog, error: (event) => void errors.push(event) },
      meter: { storeUp: (up) => void events.push(up ? 'up 1' : 'up 0') },
      catchUp: () => catchUp(),
    });
  };
  begin();
});
afterEach(async () => {
  vi.useRealTimers();
  watch.stop();
  await opened.dispose();
});

const failing = (error: Error) => () => Promise.reject(error);
const fails = (error: Error) => {
  before = failing(error);
  return watch.store.frozen().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
};
const isBack = () => vi.waitFor(() => expect(watch.outage()).toBeUndefined(), { timeout: 10_000 });

it('refuses calls at once from the first failure on, until a write is durable again', async () => {
  await fails(new RetryableError('store_full', 'no space is left'));
  expect(watch.outage()).toMatchObject({ error: 'no space is left', forGood: false });
  let reached = 0;
  before = async () => {
    reached += 1;
    throw new RetryableError('store_full', 'still none');
  };
  await expect(watch.store.frozen()).rejects.toMatchObject({ name: 'RetryableError', code: 'store_away' });
  expect(reached).toBe(0);
  await vi.waitFor(() => expect(reached).toBeGreaterThan(1), { timeout: 10_000 });
  before = () => Promise.resolve();
  await isBack();
  expect(await watch.store.frozen()).toBeUndefined();
  expect(events).toEqual(['up 1', 'up 0', 'away', 'up 1', 'back']);
});

it('is back only when everything that was kept is written', async () => {
  await fails(new RetryableError('store_away', 'gone'));
  let tries = 0;
  catchUp = async () => {
    tries += 1;
    if (tries < 3) throw new RetryableError('store_away', 'gone again');
  };
  before = () => Promise.resolve();
  await isBack();
  expect(tries).toBe(3);
  expect(events.filter((event) => event === 'away')).toHaveLength(1);
});

it('takes a call without an answer for an absence', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  watch.stop();
  const silent = gate<void>();
  before = () => silent.promise;
  watch = createStoreWatch({
    ...{
      store: opened.store,
      clock: ownedClock(),
      log: quietLog,
      onAway: () => events.push('away'),
      onBack: () => undefined,
    },
    ...{ meter: { storeUp: () => undefined }, catchUp: () => Promise.resolve() },
  });
  const entered = gate<void>();
  const leave = gate<void>();
  const stuck = opened.store.transaction(async () => {
    entered.open();
    await leave.promise;
  });
  await entered.promise;
  const asked = watch.store.frozen();
  vi.advanceTimersByTime(9_000);
  expect(watch.outage()).toBeUndefined();
  vi.advanceTimersByTime(1_000);
  expect(watch.outage()?.error).toBe('the store has not answered for 10 s');
  leave.open();
  await stuck;
  await asked;
});

it('keeps everybody from a store that only a person can mend, and goes on asking', async () => {
  const refused = await fails(new PermanentError('store_refused', 'a wrong password'));
  expect(refused).toMatchObject({ name: 'RetryableError', code: 'store_away', message: 'a wrong password' });
  before = () => Promise.resolve();
  await isBack();
});

it.each(['store_lost', 'store_locked'])('gives a store up for good that is %s', async (code) => {
  await fails(new PermanentError(code, 'no more'));
  expect(watch.outage()).toMatchObject({ error: 'no more', forGood: true });
  before = () => Promise.resolve();
  await new Promise((resume) => setTimeout(resume, 1_200));
  expect(watch.outage()?.forGood).toBe(true);
  expect(events).toContain('away for good');
});

it.each([new AppError('store_statement', 'a bug of ours'), new PermanentError('store_damaged', 'one row')])(
  'lets what says nothing about the store pass: $code',
  async (error) => {
    expect(await fails(error)).toBe(error);
    expect(watch.outage()).toBeUndefined();
  },
);

it('says once that it is stuck, and goes on trying at a calmer pace', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  watch.stop();
  begin();
  let tries = 0;
  catchUp = async () => {
    tries += 1;
    throw new PermanentError('store_damaged', 'incident 7 is damaged');
  };
  await fails(new RetryableError('store_away', 'gone'));
  before = () => Promise.resolve();
  await ticks(2);
  expect(watch.outage()).toMatchObject({ error: 'incident 7 is damaged', stuck: true, forGood: false });
  await ticks(60);
  expect(tries).toBeGreaterThan(2);
  expect(tries).toBeLessThan(6);
  expect(errors).toEqual(['store_away', 'store_stuck']);
  expect(events.filter((event) => event === 'away')).toHaveLength(2);
  catchUp = () => Promise.resolve();
  await ticks(60);
  expect(watch.outage()).toBeUndefined();
  expect(events.at(-1)).toBe('back');
});

/** Each with time enough for a look at the store. */
async function ticks(count: number): Promise<void> {
  for (let tick = 0; tick < count; tick += 1) {
    vi.advanceTimersByTime(500);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}
