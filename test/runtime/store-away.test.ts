import { stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../src/model.ts';
import { gate, openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const web = { name: 'web', title: 'Web' };
const healed = { ...web, remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] };
const restart = { name: 'restart' };

const isUp = () => house.runtime.views.self().store_up;
const aboutStore = () => house.heard.map(({ alert }) => alert).filter(({ incident }) => incident?.subject === 'store');
const aboutWeb = () => house.heard.map(({ alert }) => alert).filter(({ incident }) => incident?.subject === 'web');
const kindsOf = (alerts: readonly Alert[]) => alerts.map(({ kind }) => kind);
const metered = (name: string) => house.metered.filter((call) => call.name === name).map(({ values }) => values);

async function transitionsOf(probe: string) {
  return [...(await house.store.transitions({ probe, limit: 100 }))].reverse();
}

async function cutAndNoticed(): Promise<void> {
  house.line.cut();
  await house.until(() => !isUp());
}

async function back(): Promise<void> {
  house.line.mend();
  await house.until(isUp);
}

describe('while the store is away', () => {
  it('goes on probing and tracking, and alerts a DOWN that still holds when it is back, with its own time', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    const looks = house.looks('web');
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down');
    const downAt = house.runtime.views.probe('web')?.state.since;
    expect(house.looks('web')).toBeGreaterThan(looks);
    expect(aboutWeb()).toEqual([]);
    expect(await house.store.incidents({ subject: 'web', limit: 10 })).toEqual([]);
    await back();
    await house.until(() => aboutWeb().length > 0);
    expect(kindsOf(aboutWeb())).toEqual(['opened']);
    expect((await transitionsOf('web')).at(-1)).toMatchObject({ from: 'up', to: 'down', at: downAt });
    expect(house.open('web')).toMatchObject({ activeAt: downAt, paged: true });
  });

  it('records an outage that has ended both ways, and wakes nobody for it', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down');
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'up');
    await back();
    await house.until(async () => (await transitionsOf('web')).length === 3);
    const [, down, up] = await transitionsOf('web');
    expect([down, up]).toMatchObject([{ to: 'down' }, { from: 'down', to: 'up' }]);
    const [incident] = await house.store.incidents({ subject: 'web', limit: 10 });
    expect(incident).toMatchObject({ activeAt: down?.at, resolvedAt: up?.at, resolution: 'recovered', paged: false });
    expect(aboutWeb()).toEqual([]);
  });

  it('tells the end of an outage that people knew of', async () => {
    house.see('web', 'timeout');
    await house.start({ probes: [web] });
    await house.until(() => aboutWeb().length === 1);
    await cutAndNoticed();
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'up');
    await back();
    await house.until(() => aboutWeb().length === 2);
    expect(kindsOf(aboutWeb())).toEqual(['opened', 'resolved']);
  });

  it('tells of itself from memory, names what is down, and says when it is over', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    house.see('web', 'timeout');
    house.line.cut();
    await house.until(() => aboutStore().length === 1);
    expect(aboutStore()[0]).toMatchObject({
      kind: 'opened',
      severity: 'critical',
      incident: { source: 'self', id: 0 },
    });
    expect(aboutStore()[0]?.text).toMatch(/^Store: it does not answer: .*connection was lost.*down: Web$/);
    await back();
    await house.until(() => aboutStore().length === 2);
    expect(kindsOf(aboutStore())).toEqual(['opened', 'resolved']);
    const [incident] = await house.store.incidents({ subject: 'store', limit: 10 });
    expect(incident).toMatchObject({ source: 'self', resolution: 'recovered', paged: true });
    expect((await house.store.timeline(incident?.id ?? 0)).map(({ kind }) => kind)).toEqual(['opened', 'resolved']);
    const rows = await house.store.notifications({ incidentId: incident?.id ?? 0, limit: 10 });
    expect(rows.map(({ state, alert }) => `${alert.kind} ${state}`).sort()).toEqual(['opened sent', 'resolved sent']);
  });

  it('says so when it cannot be used until somebody mends it', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    house.line.cut('refuse');
    await house.until(() => aboutStore().length === 1);
    expect(aboutStore()[0]?.text).toMatch(/^Store: it cannot be used until somebody mends it: .*the password is wrong/);
    expect(house.logged.filter(({ event }) => event === 'store_stuck')).toHaveLength(1);
    house.line.mend();
    await house.until(isUp);
    await house.until(() => kindsOf(aboutStore()).at(-1) === 'resolved');
  });

  it('is logged once, and once that it is back, whoever waits for it', async () => {
    house.see('web', 'timeout');
    house.deafen(true);
    await house.start({ probes: [web] });
    await house.until(() => metered('notification').length > 0);
    await cutAndNoticed();
    await new Promise((resume) => setTimeout(resume, 4_000));
    await back();
    const events = house.logged.filter(({ fields }) => String(fields['error']).includes('the connection was lost'));
    expect(events.map(({ event }) => event)).toEqual(['store_away']);
    expect(house.logged.filter(({ event }) => event === 'store_back')).toHaveLength(1);
  });

  it('updates what it names at most once a minute', async () => {
    await house.start({ probes: [web, { name: 'mail', title: 'Mail' }] });
    await house.until(() => house.state('web') === 'up' && house.state('mail') === 'up');
    house.see('web', 'timeout');
    house.line.cut();
    await house.until(() => aboutStore().length === 1);
    house.see('mail', 'timeout');
    await house.until(() => house.state('mail') === 'down');
    await new Promise((resume) => setTimeout(resume, 500));
    expect(aboutStore()).toHaveLength(1);
  });

  it('records an outage of a moment, and wakes nobody for it', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    await back();
    await house.until(async () => (await house.store.incidents({ subject: 'store', limit: 10 })).length === 1);
    expect(await house.store.incidents({ subject: 'store', limit: 10 })).toMatchObject([
      { resolution: 'recovered', paged: false },
    ]);
    expect(aboutStore()).toEqual([]);
  });

  it('starts no fix: the plan says store_away, once, and the fix runs when it is back', async () => {
    await house.start({ probes: [healed], remediations: [restart] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    house.see('web', 'timeout');
    await house.until(() => metered('refused').length > 0);
    expect(metered('refused')).toEqual([['restart', 'store_away']]);
    const asked = await house.runtime.commands.remediate({
      remediation: 'restart',
      probe: 'web',
      by: 'ann',
      dryRun: false,
    });
    expect(asked.plan).toMatchObject({ go: false, refusal: 'store_away' });
    expect(house.acts).toEqual([]);
    await back();
    await house.until(() => house.acts.length === 1);
  });

  it('holds the page of a DOWN for what is left of page_after, as if the store had never been away', async () => {
    const acting = gate<void>();
    house.act('restart', async () => {
      await acting.promise;
      house.see('web', 'ok');
      return { done: true };
    });
    await house.start({ probes: [{ ...healed, pageAfterMs: 600_000 }], remediations: [restart] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down');
    const downAt = house.runtime.views.probe('web')?.state.since ?? 0;
    await back();
    await house.until(() => house.acts.length === 1);
    expect(house.open('web')).toMatchObject({ paged: false, holdUntil: downAt + 600_000 });
    acting.open();
    await house.until(() => aboutWeb().length > 0);
    expect(kindsOf(aboutWeb())).toEqual(['healed_itself']);
  });

  it('holds no page whose page_after has passed meanwhile', async () => {
    await house.start({ probes: [{ ...healed, pageAfterMs: 600_000 }], remediations: [restart] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down');
    house.clock.advance(601_000);
    await back();
    await house.until(() => aboutWeb().length > 0);
    expect(kindsOf(aboutWeb()).at(0)).toBe('opened');
  });

  it('lets an act that runs already end, verifies it, and writes its rows when the store is back', async () => {
    const acting = gate<void>();
    house.see('web', 'timeout');
    house.act('restart', async () => {
      await acting.promise;
      house.see('web', 'ok');
      return { done: true };
    });
    await house.start({ probes: [healed], remediations: [{ ...restart, settleMs: 50 }] });
    await house.until(() => house.acts.length === 1);
    await cutAndNoticed();
    acting.open();
    await house.until(() => house.state('web') === 'up');
    expect(await house.attempts()).toMatchObject([{ state: 'running' }]);
    await back();
    await house.until(async () => (await house.attempts())[0]?.state === 'healed');
    expect(await house.attempts()).toHaveLength(1);
    const [incident] = await house.store.incidents({ subject: 'web', limit: 1 });
    expect(incident).toMatchObject({ healedBy: 'restart' });
    expect((await house.attempts())[0]?.endedAt).toBe(incident?.resolvedAt);
    await house.until(() => kindsOf(aboutWeb()).at(-1) === 'resolved');
    const now = Date.now();
    expect(await house.store.acquireLock('deed:restart', 'test', now, now + 1)).toBeDefined();
    expect(house.acts).toEqual(['restart']);
  });

  it('does not act on an intent whose answer was lost, and takes it back', async () => {
    await house.start({ probes: [healed], remediations: [restart] });
    await house.until(() => house.state('web') === 'up');
    house.see('web', () => {
      // The look before the act: the intent is on record by then, and from now on answers are lost.
      if (house.open('web')) house.line.cut('swallow');
      return { reason: 'timeout', fields: {} };
    });
    await house.until(() => house.line.isCut() && !isUp());
    house.see('web', 'timeout');
    expect(house.acts).toEqual([]);
    await back();
    await house.until(() => house.acts.length === 1);
    const [ran, ...earlier] = await house.attempts();
    expect(ran).toMatchObject({ remediation: 'restart', startedAt: expect.any(Number) });
    expect(earlier.filter(({ state }) => state !== 'refused')).toEqual([]);
  });

  it('writes a change once whose answer was lost', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    house.see('web', 'timeout');
    house.line.cut('swallow');
    await house.until(() => house.state('web') === 'down');
    await back();
    await house.until(() => aboutWeb().length > 0);
    expect((await transitionsOf('web')).map(({ to }) => to)).toEqual(['up', 'down']);
    expect(await house.store.incidents({ subject: 'web', limit: 10 })).toHaveLength(1);
    expect(kindsOf(aboutWeb())).toEqual(['opened']);
  });

  it('refuses what people ask of it, as something to try again', async () => {
    house.see('web', 'timeout');
    await house.start({ probes: [web] });
    await house.until(() => house.open('web') !== undefined);
    const id = house.open('web')?.id ?? 0;
    await cutAndNoticed();
    const { commands } = house.runtime;
    const away = { name: 'RetryableError', code: 'store_away' };
    await expect(commands.acknowledge(id, 'ann')).rejects.toMatchObject(away);
    await expect(commands.comment(id, 'ann', 'on it')).rejects.toMatchObject(away);
    await expect(commands.freeze('ann', 'careful')).rejects.toMatchObject({
      ...away,
      message: expect.stringMatching(/create .*FREEZE$/),
    });
    expect(house.runtime.views.frozen()).toBeUndefined();
    await writeFile(`${house.home}/FREEZE`, '');
    await house.until(() => house.runtime.views.frozen());
    expect((await stat(`${house.home}/FREEZE`)).size).toBe(0);
    expect(house.runtime.views.openIncidents()[0]?.acknowledgedAt).toBeUndefined();
    await back();
    expect((await commands.acknowledge(id, 'ann')).acknowledgedBy).toBe('ann');
  });

  it('takes over another configuration, and closes what is gone when it is back', async () => {
    house.see('web', 'timeout');
    await house.start({ probes: [web] });
    await house.until(() => aboutWeb().length === 1);
    await cutAndNoticed();
    await house.apply({ probes: [{ name: 'mail', title: 'Mail' }] });
    await house.until(() => house.state('mail') === 'up');
    await back();
    await house.until(() => kindsOf(aboutWeb()).at(-1) === 'closed');
    expect((await house.store.probeStates()).map(({ probe }) => probe)).toEqual(['mail']);
  });

  it('keeps results, and writes them when it is back', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    const from = house.looks('web');
    await house.until(() => house.looks('web') > from + 5);
    expect(house.runtime.views.self().results_buffered).toBeGreaterThan(4);
    const seen = house.looks('web');
    await back();
    const all = { probe: 'web', from: 0, to: Number.MAX_SAFE_INTEGER, limit: 10_000 };
    await house.until(async () => (await house.store.results(all)).length >= seen);
    expect(metered('resultsDropped')).toEqual([]);
  });

  it('stays ready, and says that it is away', async () => {
    await house.start({ probes: [web] });
    await cutAndNoticed();
    expect(metered('storeUp').at(-1)).toEqual([false]);
    expect(house.runtime.views.readiness()).toMatchObject({ ready: true, why: expect.stringMatching(/store is away/) });
    await back();
    expect(metered('storeUp').at(-1)).toEqual([true]);
    expect(house.runtime.views.readiness()).toEqual({ ready: true, why: 'ready' });
  });

  it('ends in time also while the store is away', async () => {
    await house.start({ probes: [web] });
    await house.until(() => house.state('web') === 'up');
    await cutAndNoticed();
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down');
    const began = performance.now();
    await house.stop();
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(house.logged.map(({ event }) => event)).toContain('kept_writes_lost');
  });
});
