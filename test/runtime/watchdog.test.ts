/** Whoever would notice that we are gone is pinged while we work, and only then. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DeadMan, startDeadMan } from '../estate/dead-man.ts';
import { type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

const EVERY_MS = 200;

let house: RuntimeHouse;
let deadMan: DeadMan;
beforeEach(async () => {
  house = await openRuntime();
  deadMan = await startDeadMan();
});
afterEach(async () => {
  await house.close();
  await deadMan.close();
});

function homeOf(changes: Partial<HomeFacts> = {}): HomeFacts {
  return { probes: [{ name: 'web' }], watchdog: { url: deadMan.url, everyMs: EVERY_MS }, ...changes };
}

const outcomes = () =>
  house.metered.filter(({ name }) => name === 'watchdogPing').map(({ values }) => values[0] as string);
const counted = (outcome: string) => outcomes().filter((each) => each === outcome).length;
const untilMore = async (outcome: string, count = 2) => {
  const before = counted(outcome);
  await house.until(() => counted(outcome) >= before + count);
};
const own = () => house.runtime.views.openIncidents().find(({ subject }) => subject === 'watchdog');
const withheld = () =>
  house.logged.filter(({ event }) => event === 'watchdog_withheld').map(({ fields }) => String(fields['why']));

/** No ping arrives from now on, though several are due. */
async function expectSilence(): Promise<void> {
  await untilMore('withheld');
  const before = deadMan.requests().length;
  await untilMore('withheld', 3);
  expect(deadMan.requests()).toHaveLength(before);
}

describe('while all works', () => {
  it('it is pinged again and again by GET, until the daemon stops', async () => {
    await house.start(homeOf());
    await house.until(() => deadMan.pings().length >= 5);
    expect(new Set(deadMan.requests())).toEqual(new Set([`GET /${deadMan.key}`]));
    expect(counted('failed') + counted('withheld')).toBe(0);
    await house.stop();
    const before = deadMan.requests().length;
    await new Promise((resume) => setTimeout(resume, 4 * EVERY_MS));
    expect(deadMan.requests()).toHaveLength(before);
  });

  it('a reload moves it, changes its pace, ends it and begins it', async () => {
    await house.start(homeOf({ watchdog: { url: deadMan.url, everyMs: 3_600_000 } }));
    await house.until(() => deadMan.pings().length === 1);
    await house.apply(homeOf());
    await house.until(() => deadMan.pings().length > 3);
    const { watchdog: _none, ...without } = homeOf();
    await house.apply(without);
    await new Promise((resume) => setTimeout(resume, EVERY_MS));
    const before = deadMan.requests().length;
    await new Promise((resume) => setTimeout(resume, 4 * EVERY_MS));
    expect(deadMan.requests()).toHaveLength(before);
    await house.apply(homeOf());
    await house.until(() => deadMan.requests().length > before);
  });

  it('has nothing to do when none is configured', async () => {
    const { watchdog: _none, ...without } = homeOf();
    await house.start(without);
    await house.until(() => house.looks('web') > 3);
    expect(outcomes()).toEqual([]);
  });
});

describe('it is not pinged', () => {
  it('while the store takes no writes', async () => {
    await house.start(homeOf());
    await house.until(() => deadMan.pings().length > 0);
    await house.store.close();
    await expectSilence();
    expect(withheld()[0]).toMatch(/^the store takes no write: /);
  });

  it('while the store does not answer, and again when it does', async () => {
    await house.start(homeOf());
    const { store } = house;
    const proveWrite = store.proveWrite.bind(store);
    Object.assign(store, { proveWrite: () => new Promise(() => undefined) });
    await expectSilence();
    expect(withheld()).toEqual(['the store took no write in time']);
    Object.assign(store, { proveWrite });
    await untilMore('sent');
  });

  it('when the event loop was blocked since the last time, and again afterwards', async () => {
    await house.start(homeOf());
    await house.until(() => deadMan.pings().length > 0);
    const before = counted('withheld');
    const blockedAt = Date.now();
    while (Date.now() - blockedAt < 5_600);
    await house.until(() => counted('withheld') > before);
    expect(withheld().join()).toMatch(/it stood still for 5/);
    await untilMore('sent');
  }, 30_000);

  it('while probes do not run', async () => {
    await house.start(
      homeOf({
        probes: [
          { name: 'web', timeoutMs: 1_000 },
          { name: 'paused', paused: true },
        ],
      }),
    );
    await house.until(() => house.looks('web') > 0);
    const stuck = new Promise<never>(() => undefined);
    house.see('web', () => stuck);
    const look = house.runtime.views.probe.bind(house.runtime.views);
    house.clock.advance(2_000);
    await house.until(() => look('web')?.stale);
    await expectSilence();
    expect(withheld().join()).toContain('1 of 1 probes do not run');
    house.see('web', 'ok');
    await untilMore('sent');
  }, 30_000);

  it('while a notifier has failed for two minutes, and again when it delivers', async () => {
    house.deafen(true);
    await house.start(homeOf());
    await house.until(() => house.state('web') === 'up');
    house.see('web', 'timeout');
    await house.until(() => house.logged.some(({ event }) => event === 'notification_failed'));
    await untilMore('sent');
    house.clock.advance(121_000);
    await house.until(() => withheld().includes('notifier ear does not take alerts'));
    await expectSilence();
    house.deafen(false);
    house.clock.advance(301_000);
    await house.until(() => house.heard.length > 0);
    await untilMore('sent');
  }, 60_000);
});

describe('when it cannot be reached', () => {
  it('people hear of it after three failures in a row, once, and of the end; its address is told to nobody', async () => {
    await house.start(homeOf());
    await house.until(() => deadMan.pings().length > 0);
    deadMan.fail({ kind: 'status', status: 503 });
    await house.until(() => own());
    expect(counted('failed')).toBeGreaterThanOrEqual(3);
    await untilMore('failed', 3);
    deadMan.fail(undefined);
    await house.until(() => own() === undefined);
    await house.until(() => house.kinds().includes('resolved'));
    expect(house.heard.map(({ alert }) => alert.text)).toEqual([
      'Watchdog: its pings fail (HTTP 503): it will take us for dead',
      expect.stringMatching(/^Watchdog: over after /),
    ]);
    expect(JSON.stringify([house.heard, house.logged])).not.toContain(deadMan.key);
  });

  it('two failures are chance; a redirect is one', async () => {
    await house.start(homeOf({ watchdog: { url: deadMan.url, everyMs: 1_000 } }));
    await house.until(() => deadMan.pings().length > 0);
    deadMan.fail({ kind: 'status', status: 302 });
    await untilMore('failed', 1);
    deadMan.fail({ kind: 'cut' });
    await untilMore('failed', 1);
    deadMan.fail(undefined);
    await untilMore('sent', 1);
    expect(own()).toBeUndefined();
    expect(house.heard).toEqual([]);
  });

  it('a hanging one is given up in time, never asked twice at once, and holds up no stop', async () => {
    deadMan.fail({ kind: 'hang' });
    await house.start(homeOf({ watchdog: { url: deadMan.url, everyMs: 1_000 } }));
    await house.until(() => counted('failed') === 2);
    const errors = house.logged.filter(({ event }) => event === 'watchdog_ping_failed');
    expect(errors.map(({ fields }) => fields['error'])).toContain('no answer in time');
    expect(deadMan.requests().length).toBeLessThanOrEqual(counted('failed') + 1);
    const stoppedAt = performance.now();
    await house.stop();
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
  }, 30_000);

  it('what an earlier process told of it is over with the first that arrives, or when none is wanted', async () => {
    deadMan.fail({ kind: 'cut' });
    await house.start(homeOf());
    await house.until(() => own());
    deadMan.fail(undefined);
    await house.restart(homeOf());
    await house.until(() => own() === undefined);
    deadMan.fail({ kind: 'cut' });
    await house.until(() => own());
    const { watchdog: _none, ...without } = homeOf();
    await house.apply(without);
    await house.until(() => own() === undefined);
  });
});
