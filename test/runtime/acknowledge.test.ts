/** Acknowledging: no further automatic fix, no reminder, until it is resolved; and nothing acts that had not begun. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActionOutput } from '../../src/ports.ts';
import { gate, type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

const WEB = { name: 'web', relapseMs: 900_000, remediate: [{ rungs: [{ remediation: 'restart', tries: 100 }] }] };
const HOME: HomeFacts = {
  probes: [WEB],
  remediations: [{ name: 'restart', limit: { count: 1_000, windowMs: 3_600_000 } }],
  healing: { budget: { count: 1_000, windowMs: 600_000 } },
};

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const openId = () => house.open('web')?.id as number;
const refusals = async () => (await house.attempts()).flatMap(({ refusal }) => refusal ?? []);

describe('a fix that was chosen', () => {
  it('does not act when the incident is acknowledged at the last moment before it', async () => {
    await house.start(HOME);
    const { store } = house;
    const renewLock = store.renewLock.bind(store);
    // The last question of the plan has been answered by then; what is left is to begin.
    Object.assign(store, {
      async renewLock(...lease: Parameters<typeof renewLock>) {
        const held = await renewLock(...lease);
        await house.runtime.commands.acknowledge(openId(), 'ada');
        return held;
      },
    });
    house.see('web', 'timeout');
    await house.until(async () => (await refusals()).includes('acknowledged'));
    await new Promise((resume) => setTimeout(resume, 1_500));
    expect(house.acts).toEqual([]);
    const [attempt] = await house.attempts();
    expect(attempt).toMatchObject({ state: 'refused', refusal: 'acknowledged', error: 'ada is on it' });
    expect(attempt?.startedAt).toBeUndefined();
    const story = (await house.store.timeline(openId())).map(({ kind }) => kind);
    expect(story).not.toContain('attempt_started');
    expect(await house.store.acquireLock('deed:restart', 'other', house.clock.now(), 1)).toBeDefined();
  });

  it('never acts after the answer, whenever that comes', async () => {
    await house.start(HOME);
    await house.until(() => house.state('web') === 'up');
    const acted: number[] = [];
    house.act('restart', () => {
      acted.push(performance.now());
      return { done: false, error: 'in vain' };
    });
    let cancelled = 0;
    for (let round = 0; round < 20; round += 1) {
      house.see('web', 'timeout');
      await house.until(() => house.open('web'));
      await new Promise((resume) => setTimeout(resume, (round % 10) * 3));
      const id = openId();
      await house.runtime.commands.acknowledge(id, 'ada');
      const answeredAt = performance.now();
      house.see('web', 'ok');
      await house.until(() => house.state('web') === 'up');
      await house.until(
        async () => (await house.store.attempts({ states: ['intended', 'running'], limit: 9 })).length === 0,
      );
      expect(acted.filter((at) => at > answeredAt)).toEqual([]);
      const attempts = await house.store.attempts({ incidentId: id, limit: 99 });
      if (attempts.some(({ refusal }) => refusal === 'acknowledged')) cancelled += 1;
    }
    console.log(
      `20 acknowledgements: ${acted.length} acts before, ${cancelled} incidents with a cancelled or refused fix`,
    );
  }, 60_000);

  it('that acts already is proven to its end', async () => {
    const acting = gate<ActionOutput>();
    house.act('restart', () => acting.promise);
    house.see('web', 'timeout');
    await house.start(HOME);
    await house.until(() => house.acts.length === 1);
    await house.runtime.commands.acknowledge(openId(), 'ada');
    house.see('web', 'ok');
    acting.open({ done: true });
    await house.until(async () => (await house.attempts())[0]?.state === 'healed');
    await house.until(() => house.kinds().includes('resolved'));
  });
});

describe('until it is resolved', () => {
  it('nothing more is tried; after it, a relapse is healed again', async () => {
    house.act('restart', () => ({ done: false, error: 'in vain' }));
    house.see('web', 'timeout');
    await house.start(HOME);
    await house.until(() => house.acts.length > 0);
    await house.runtime.commands.acknowledge(openId(), 'ada');
    await house.until(async () => (await house.store.attempts({ states: ['running'], limit: 1 })).length === 0);
    const before = house.acts.length;
    await new Promise((resume) => setTimeout(resume, 2_500));
    expect(house.acts).toHaveLength(before);
    house.see('web', 'ok');
    await house.until(() => house.kinds().includes('resolved'));
    house.see('web', 'timeout');
    await house.until(() => house.acts.length > before);
    expect(house.open('web')).toMatchObject({ reopened: 1 });
    expect(house.open('web')?.acknowledgedBy).toBeUndefined();
  });
});
