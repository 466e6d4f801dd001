/** An incident that opens and ends again and again is told three times in ten minutes, and then what is so. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Condition } from '../../src/model.ts';
import { type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

const MINUTE = 60_000;
const HOME: HomeFacts = { probes: [{ name: 'web', failAfter: 1, recoverAfter: 1, relapseMs: 15 * MINUTE }] };

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const transitions = () => house.store.transitions({ probe: 'web', limit: 1_000 });
const look = () => new Promise((resume) => setTimeout(resume, 2_500));

async function go(to: 'up' | 'down'): Promise<void> {
  house.see('web', to === 'up' ? 'ok' : 'timeout');
  await house.until(() => house.state('web') === to);
}

async function flap(times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await go('down');
    await go('up');
  }
}

it('flapping at every run is three messages, the last of which says so, and every change is on record', async () => {
  await house.start(HOME);
  let looked = 0;
  house.see('web', () => {
    looked += 1;
    return { reason: looked % 2 === 0 ? 'ok' : 'timeout', fields: {} };
  });
  await house.until(async () => (await transitions()).length > 30);
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
  const texts = house.heard.map(({ alert }) => alert.text);
  expect(texts[2]).toMatch(
    /^Web is down again: timeout \(it changes often: how it goes on is told from \d\d:\d\d UTC on\)$/,
  );
  expect(texts[1]).not.toContain('often');
}, 60_000);

it('what ends up is told once when that is over, also after a restart', async () => {
  await house.start(HOME);
  await house.until(() => house.state('web') === 'up');
  await flap(4);
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
  await house.restart(HOME);
  await look();
  expect(house.kinds()).toHaveLength(3);
  house.clock.jump(11 * MINUTE);
  await house.until(() => house.kinds().length > 3);
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened', 'resolved']);
  expect(house.heard.at(-1)?.alert.text).toMatch(/^Web is up again after /);
}, 60_000);

it('what ends down is what people believe already: nothing more is said, and its end is', async () => {
  await house.start(HOME);
  await house.until(() => house.state('web') === 'up');
  await flap(3);
  await go('down');
  house.clock.jump(11 * MINUTE);
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
  await go('up');
  await house.until(() => house.kinds().length === 4);
  expect(house.kinds().at(-1)).toBe('resolved');
}, 60_000);

it('an incident that people believe over is told again when that is over and it is not', async () => {
  await house.start({ ...HOME, flapping: { count: 2, windowMs: 10 * MINUTE } });
  await house.until(() => house.state('web') === 'up');
  await flap(1);
  await go('down');
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved']);
  expect(house.open('web')).toMatchObject({ withheld: 'reopened', withheldBy: 'flapping' });
  house.clock.jump(11 * MINUTE);
  await house.until(() => house.kinds().includes('reopened'));
  expect(house.heard.at(-1)?.alert.text).toMatch(/^Web is down again for 11m\w*, after changing often: timeout/);
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
}, 60_000);

it('the end of one is told although another is open by then, and the other goes on', async () => {
  await house.start({ ...HOME, flapping: { count: 3, windowMs: 20 * MINUTE } });
  await house.until(() => house.state('web') === 'up');
  await flap(2);
  await house.until(() => house.runtime.views.openIncidents().length === 0);
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
  house.clock.jump(16 * MINUTE);
  await go('down');
  const second = house.open('web')?.id;
  await house.until(() => house.kinds().length === 4);
  house.clock.jump(5 * MINUTE);
  await house.until(() => house.kinds().length === 5);
  expect(house.kinds().slice(3)).toEqual(['opened', 'resolved']);
  expect(house.open('web')?.id).toBe(second);
  await go('up');
  await house.until(() => house.kinds().length === 6);
  expect(await house.store.incident(second as number)).toMatchObject({ resolution: 'recovered' });
}, 60_000);

it('what people believe over, and is worse now than they ever heard, does not wait', async () => {
  let slow = false;
  const quick: Condition = {
    ...{ source: 'quick', location: { file: 'probes/web.yaml', line: 1, column: 1 }, paths: [], windows: [] },
    evaluate: () => ({ outcome: slow ? 'false' : 'true', detail: '' }),
  };
  const probe = { name: 'web', failAfter: 1, recoverAfter: 1, relapseMs: 15 * MINUTE };
  await house.start({
    probes: [{ ...probe, severity: 'critical', warn: [quick] }],
    flapping: { count: 2, windowMs: 10 * MINUTE },
  });
  const turn = async (to: boolean) => {
    slow = to;
    await house.until(() => house.state('web') === (to ? 'degraded' : 'up'));
  };
  for (const to of [true, false, true]) await turn(to);
  await look();
  expect(house.kinds()).toEqual(['opened', 'resolved']);
  await go('down');
  await house.until(() => house.kinds().length > 2);
  expect(house.kinds()).toEqual(['opened', 'resolved', 'reopened']);
  expect(house.heard.at(-1)?.alert).toMatchObject({
    severity: 'critical',
    text: expect.stringMatching(/^Web is down/),
  });
  expect(house.open('web')?.withheld).toBeUndefined();
  slow = false;
  await go('up');
  house.clock.jump(11 * MINUTE);
  await house.until(() => house.kinds().length > 3);
  expect(house.kinds().at(-1)).toBe('resolved');
}, 60_000);
