/** What becomes of alerts whose notifier cannot take them, because a variable is not set. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Configuration, Notification } from '../../src/model.ts';
import { createAnnouncer } from '../../src/runtime/announcer.ts';
import { createFlapping } from '../../src/runtime/flapping.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { type Definition, type House, openHouse } from './alerter-house.ts';
import { type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

const DAY = 86_400_000;
const UNSET = ['CHAT_TOKEN'];

function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20 });
}

describe('the outbox of a notifier whose variables are unset', () => {
  let house: House;
  let bus: Receiver;
  beforeEach(async () => {
    house = await openHouse();
    bus = await startReceiver();
  });
  afterEach(async () => {
    await house.close();
    await bus.close();
  });

  const definition = (name: string, changes: Partial<Definition> = {}): Definition => ({
    ...{ name, type: 'webhook', spec: { url: bus.url }, burst: 100 },
    ...changes,
  });

  it('counts for nothing while nobody can empty it, and again when somebody can', async () => {
    house.configure([definition('chat', { unset: UNSET }), definition('other')]);
    const row = await house.announce('chat', await house.incident());
    const alerter = house.start();
    await eventually(() => expect(alerter.queues()).toEqual(new Map([['other', 0]])));
    expect(alerter.oldestPendingAt()).toBeUndefined();
    bus.fail({ kind: 'status', status: 503 });
    house.configure([definition('chat'), definition('other')]);
    house.pass(1_000);
    await eventually(() => expect(alerter.queues().get('chat')).toBe(1));
    expect(alerter.oldestPendingAt()).toBe(row.createdAt);
  });

  it('is dropped after a week, with all that waits of the same incidents, and counted', async () => {
    house.configure([definition('chat', { unset: UNSET })]);
    house.start();
    const [old, young] = [await house.incident(), await house.incident()];
    await house.announce('chat', old, 'opened');
    house.pass(6 * DAY);
    await house.announce('chat', old, 'resolved');
    await house.announce('chat', young, 'opened');
    await new Promise((resume) => setTimeout(resume, 200));
    expect(await house.pending('chat')).toHaveLength(3);
    house.pass(DAY + 60_000);
    await eventually(async () =>
      expect((await house.pending('chat')).map(({ incidentId }) => incidentId)).toEqual([young.id]),
    );
    const rows = await house.store.notifications({ incidentId: old.id, limit: 10 });
    expect(rows.map(({ state, lastError }) => [state, lastError])).toEqual(
      Array(2).fill(['dropped', 'not set: CHAT_TOKEN']),
    );
    await eventually(() => expect(house.counted).toEqual(Array(2).fill({ notifier: 'chat', outcome: 'dropped' })));
    expect(bus.requests()).toEqual([]);
  });

  it('is dropped after a week also when it is not defined any more', async () => {
    house.configure([definition('other')]);
    await house.announce('gone', await house.incident());
    house.start();
    house.pass(8 * DAY);
    await eventually(async () => expect(await house.pending('gone')).toEqual([]));
    expect(house.counted).toEqual([{ notifier: 'gone', outcome: 'dropped' }]);
  });
});

describe('people', () => {
  let house: RuntimeHouse;
  beforeEach(async () => {
    house = await openRuntime();
  });
  afterEach(() => house.close());

  const web = { name: 'web', title: 'Web' };
  const homeOf = (notifiers: HomeFacts['notifiers'], changes: Partial<HomeFacts> = {}): HomeFacts => ({
    ...{ probes: [web], notifiers: notifiers ?? [], routes: [{ match: {}, notify: ['chat'], continue: false }] },
    ...changes,
  });
  const heardBy = (notifier: string) =>
    house.heard.filter((each) => each.notifier === notifier).map(({ alert }) => alert.kind);

  it('hear from the fallback that it opened before they hear that it is not watched any more', async () => {
    house.deafen('chat');
    house.see('web', 'timeout');
    await house.start(homeOf(['chat', 'bus']));
    await house.until(() => house.metered.some(({ name }) => name === 'notification'));
    const chat = { name: 'chat', unset: UNSET, fallback: 'bus' };
    await house.apply(homeOf([chat, 'bus'], { probes: [] }));
    await house.until(() => heardBy('bus').length === 2);
    expect(heardBy('bus')).toEqual(['opened', 'closed']);
    house.deafen(false);
    await house.apply(homeOf(['chat', 'bus'], { probes: [] }));
    await house.until(() => heardBy('chat').length === 2);
    expect(heardBy('chat')).toEqual(['opened', 'closed']);
  });

  it('do not hear that it is over when nobody could be told that it began', async () => {
    house.see('web', 'timeout');
    await house.start(homeOf([{ name: 'chat', unset: UNSET }]));
    await house.until(() => house.open('web'));
    await house.apply(homeOf(['chat']));
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'up');
    house.see('web', 'timeout');
    await house.until(() => heardBy('chat').length > 0);
    expect(heardBy('chat')).toEqual(['reopened']);
  });

  it('hear both, in order, when the notifier is back', async () => {
    house.deafen('chat');
    house.see('web', 'timeout');
    await house.start(homeOf(['chat']));
    await house.until(() => house.metered.some(({ name }) => name === 'notification'));
    await house.apply(homeOf([{ name: 'chat', unset: UNSET }]));
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'up');
    house.deafen(false);
    await house.apply(homeOf(['chat']));
    await house.until(() => heardBy('chat').length === 2);
    expect(heardBy('chat')).toEqual(['opened', 'resolved']);
    expect(house.heard[0]?.alert.text).toContain('resolved since');
  });

  it('hear the end through another notifier when the one that told them is gone', async () => {
    house.see('web', 'timeout');
    await house.start(homeOf(['chat']));
    await house.until(() => heardBy('chat').length === 1);
    await house.apply(homeOf(['mail'], { routes: [{ match: {}, notify: ['mail'], continue: false }] }));
    house.see('web', 'ok');
    await house.until(() => heardBy('mail').length > 0);
    expect(heardBy('mail')).toEqual(['resolved']);
  });
});

describe('an alert that is written for a fallback', () => {
  it('comes after what its notifier still owes of the incident', async () => {
    const house = await openHouse();
    try {
      const incident = await house.incident();
      const owed = await house.announce('chat', incident, 'opened');
      const notifiers = new Map([
        ['chat', { name: 'chat', unset: UNSET, fallback: 'bus' }],
        ['bus', { name: 'bus', unset: [] }],
      ]);
      const configuration = () =>
        ({
          ...{ notifiers, routes: [], probes: new Map() },
          settings: { http: { publicUrl: '' }, alerts: { flapping: { count: 3, windowMs: 600_000 } } },
        }) as unknown as Configuration;
      const announce = createAnnouncer({
        ...{ clock: house.clock, configuration, openIncidents: () => [], silenceOf: () => undefined },
        flapping: createFlapping({ clock: house.clock, configuration }),
        redact: (text) => text,
      });
      await house.store.transaction((queries) => announce(queries, { kind: 'escalated', incident }));
      const rows = (await house.pending('bus')) as readonly Notification[];
      expect(rows.map(({ alert, fallbackFor }) => [alert.kind, fallbackFor])).toEqual([
        ['opened', 'chat'],
        ['escalated', undefined],
      ]);
      expect(rows[0]?.alert.eventId).toBe(owed.alert.eventId);
    } finally {
      await house.close();
    }
  });
});
