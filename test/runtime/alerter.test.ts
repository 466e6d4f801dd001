import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { slack } from '../../src/notifiers/slack.ts';
import type { NotifierType, Store } from '../../src/ports.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { type Definition, type House, openHouse } from './alerter-house.ts';

const TOKEN = ['xoxb', 'test', 'token'].join('-');
const SECOND = 1_000;
const MINUTE = 60_000;

/** Waits for what the alerter does by itself. */
function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20 });
}

describe('alerter', () => {
  let house: House;
  let chat: FakeSlack;
  let bus: Receiver;
  beforeEach(async () => {
    house = await openHouse();
    chat = await startFakeSlack({ token: TOKEN });
    bus = await startReceiver();
    house.configure([slackDefinition(), webhookDefinition()]);
  });
  afterEach(async () => {
    await house.close();
    await chat.close();
    await bus.close();
  });

  function slackDefinition(changes: Partial<Definition> = {}): Definition {
    const spec = { token: TOKEN, channel: 'C1', api_url: chat.url };
    return { name: 'chat', type: 'slack', spec, burst: 100, ...changes };
  }

  function webhookDefinition(changes: Partial<Definition> = {}): Definition {
    return { name: 'bus', type: 'webhook', spec: { url: bus.url }, burst: 100, ...changes };
  }

  function kinds(): string[] {
    return bus.deliveries().map(({ body }) => body.kind);
  }

  it('delivers what was pending before it started, and continues the conversation after a restart', async () => {
    const incident = await house.incident();
    await house.announce('chat', incident);
    const first = house.start();
    await eventually(() => expect(chat.messages()).toHaveLength(1));
    await first.stop();
    await house.announce('chat', incident, 'resolved');
    house.start();
    await eventually(async () => expect(await house.pending('chat')).toEqual([]));
    const [message, ...others] = chat.messages();
    expect(others).toEqual([]);
    expect(message?.updates).toBe(1);
    expect(chat.thread(message?.ts ?? '')).toHaveLength(1);
  });

  it('continues a reopened incident in the same message and thread', async () => {
    house.start();
    const incident = await house.incident();
    for (const kind of ['opened', 'resolved', 'reopened'] as const) await house.announce('chat', incident, kind);
    await eventually(async () => expect(await house.pending('chat')).toEqual([]));
    expect(chat.messages()).toHaveLength(1);
    expect(chat.thread(chat.messages()[0]?.ts ?? '')).toHaveLength(2);
  });

  it('delivers in order after an outage of the channel, and marks sent only what was accepted', async () => {
    bus.fail({ kind: 'status', status: 503 });
    house.start();
    const [one, two] = [await house.incident(), await house.incident()];
    await house.announce('bus', one, 'opened');
    await house.announce('bus', two, 'opened');
    await house.announce('bus', one, 'resolved');
    await eventually(() => expect(bus.requests().length).toBeGreaterThan(0));
    house.pass(10 * MINUTE);
    await eventually(() => expect(bus.requests().length).toBeGreaterThan(1));
    expect(await house.pending('bus')).toHaveLength(3);
    bus.fail(undefined);
    house.pass(10 * MINUTE);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    const told = bus.deliveries().map(({ body }) => [body.incident?.id, body.kind]);
    expect(told).toEqual([
      [one.id, 'opened'],
      [two.id, 'opened'],
      [one.id, 'resolved'],
    ]);
    const rows = await house.store.notifications({ limit: 10 });
    expect(rows.map(({ state, sentAt }) => [state, typeof sentAt])).toEqual(Array(3).fill(['sent', 'number']));
  });

  it('says that an alert is delayed, and that a stale firing is over', async () => {
    bus.fail({ kind: 'status', status: 503 });
    house.start();
    const incident = await house.incident();
    await house.announce('bus', incident, 'opened');
    await house.store.updateIncident({ ...incident, resolvedAt: house.clock.now() + 4 * MINUTE });
    bus.fail(undefined);
    house.pass(10 * MINUTE);
    await house.announce('bus', { ...incident, resolvedAt: house.clock.now() }, 'resolved');
    await eventually(() => expect(kinds()).toEqual(['opened', 'resolved']));
    const [opened, resolved] = bus.deliveries().map(({ body }) => body.text);
    expect(opened).toMatch(
      /is down: .* \(delayed, happened 10m(0s|1s)? ago; resolved since, (5m5\ds|6m(0s|1s)?) ago\)$/,
    );
    expect(resolved).not.toContain('delayed');
  });

  it('sends at most one duplicate, with the same event id, when it dies between acceptance and mark', async () => {
    const incident = await house.incident();
    const dying = house.start({ store: neverMarking(house.store) });
    await house.announce('bus', incident);
    await eventually(() => expect(bus.deliveries()).toHaveLength(1));
    await dying.stop();
    expect(await house.pending('bus')).toHaveLength(1);
    house.start();
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    const [first, second, ...others] = bus.deliveries().map(({ body }) => body.event_id);
    expect(second).toBe(first);
    expect(others).toEqual([]);
  });

  it('does not send again while only the mark fails', async () => {
    let broken = true;
    const store = neverMarking(house.store, () => broken);
    house.start({ store });
    await house.announce('bus', await house.incident());
    await eventually(() => expect(bus.deliveries()).toHaveLength(1));
    house.pass(10 * MINUTE);
    house.pass(10 * MINUTE);
    broken = false;
    house.pass(10 * MINUTE);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    expect(bus.requests()).toHaveLength(1);
  });

  it('sends once more when the connection is cut after acceptance, with the same event id', async () => {
    bus.fail({ kind: 'accept_then_cut' }, 1);
    house.start();
    await house.announce('bus', await house.incident());
    await eventually(async () => {
      house.pass(5 * SECOND);
      expect(await house.pending('bus')).toEqual([]);
    });
    const ids = bus.deliveries().map(({ body }) => body.event_id);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  it('obeys Retry-After to the second while other notifiers go on', async () => {
    chat.fail({ kind: 'status', status: 429, retryAfter: '30' }, 1);
    house.start();
    const incident = await house.incident();
    await house.announce('chat', incident);
    await eventually(() => expect(chat.requests()).toHaveLength(1));
    await eventually(async () => expect((await house.pending('chat'))[0]?.tries).toBe(1));
    await house.announce('chat', await house.incident());
    await house.announce('bus', incident);
    house.pass(28 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(1));
    expect(chat.requests()).toHaveLength(1);
    house.pass(2 * SECOND);
    await eventually(() => expect(chat.messages()).toHaveLength(2));
  });

  it('gives up on a hanging channel at its deadline and tells the fallback, which is not delayed', async () => {
    chat.fail({ kind: 'hang' });
    house.configure([slackDefinition({ timeoutMs: 300, fallback: 'bus' }), webhookDefinition()]);
    house.start();
    const row = await house.announce('chat', await house.incident());
    await eventually(() => expect(bus.deliveries()).toHaveLength(1));
    expect(bus.deliveries()[0]?.body.event_id).toBe(row.alert.eventId);
    const copies = await house.store.notifications({ limit: 10 });
    expect(copies.find(({ notifier }) => notifier === 'bus')?.fallbackFor).toBe('chat');
    expect((await house.pending('chat'))[0]).toMatchObject({ tries: 1, lastError: 'no answer within 300 ms' });
    chat.fail(undefined);
    house.pass(MINUTE);
    await eventually(() => expect(chat.messages()).toHaveLength(1));
  });

  it('holds its deadline against a plug-in that never ends', async () => {
    const deaf: NotifierType = { ...slack, name: 'deaf', run: () => new Promise(() => undefined) };
    const second = await openHouse({ deaf });
    try {
      second.configure([{ name: 'deaf', type: 'deaf', spec: { token: 'token', channel: 'C' }, timeoutMs: 100 }]);
      const alerter = second.start();
      await second.announce('deaf', await second.incident());
      await eventually(async () => expect((await second.pending('deaf'))[0]?.tries).toBe(1));
      await alerter.stop();
    } finally {
      await second.close();
    }
  });

  it('tells the fallback of a channel that is away everything, once, while it goes on trying', async () => {
    bus.fail({ kind: 'status', status: 500 });
    house.configure([slackDefinition(), webhookDefinition({ fallback: 'chat' })]);
    house.start();
    await house.announce('bus', await house.incident());
    await house.announce('bus', await house.incident());
    await eventually(() => {
      house.pass(10 * SECOND);
      expect(chat.messages()).toHaveLength(2);
    });
    await house.announce('bus', await house.incident());
    await eventually(() => expect(chat.messages()).toHaveLength(3));
    house.pass(10 * MINUTE);
    await eventually(() => expect(bus.requests().length).toBeGreaterThan(3));
    bus.fail(undefined);
    house.pass(10 * MINUTE);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    expect(bus.deliveries()).toHaveLength(3);
    expect(chat.messages()).toHaveLength(3);
  });

  it('does not copy to a fallback what its own route told it', async () => {
    bus.fail({ kind: 'status', status: 404 });
    house.configure([slackDefinition(), webhookDefinition({ fallback: 'chat' })]);
    house.start();
    const incident = await house.incident();
    await house.announce('chat', incident, 'opened', { eventId: 'same' });
    await house.announce('bus', incident, 'opened', { eventId: 'same' });
    await eventually(async () => expect((await house.pending('bus'))[0]?.lastError).toBe('HTTP 404'));
    await eventually(async () => expect(await house.pending('chat')).toEqual([]));
    expect(await house.store.notifications({ limit: 10 })).toHaveLength(2);
  });

  it('ends copies between two notifiers that fall back to each other', async () => {
    bus.fail({ kind: 'status', status: 404 });
    chat.fail({ kind: 'answer', error: 'invalid_auth' });
    house.configure([slackDefinition({ fallback: 'bus' }), webhookDefinition({ fallback: 'chat' })]);
    house.start();
    await house.announce('bus', await house.incident());
    await eventually(async () => expect((await house.pending('chat'))[0]?.tries).toBe(1));
    house.pass(6 * MINUTE);
    await eventually(() => expect(chat.requests().length).toBeGreaterThan(1));
    expect(await house.store.notifications({ limit: 10 })).toHaveLength(2);
  });

  it('holds back only its own incident when one alert is refused, and tries it again slowly', async () => {
    bus.fail({ kind: 'status', status: 422 }, 1);
    house.start();
    const [refused, fine] = [await house.incident(), await house.incident()];
    await house.announce('bus', refused, 'opened');
    await eventually(async () => expect((await house.pending('bus'))[0]?.tries).toBe(1));
    await house.announce('bus', refused, 'resolved');
    await house.announce('bus', fine, 'opened');
    await eventually(() => expect(bus.deliveries().map(({ body }) => body.incident?.id)).toEqual([fine.id]));
    house.pass(4 * MINUTE);
    expect(await house.pending('bus')).toHaveLength(2);
    house.pass(MINUTE + SECOND);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    expect(kinds()).toEqual(['opened', 'opened', 'resolved']);
  });

  it('tells the fallback also what waits behind a refused alert', async () => {
    bus.fail({ kind: 'status', status: 422 });
    house.configure([slackDefinition(), webhookDefinition({ fallback: 'chat' })]);
    house.start();
    const incident = await house.incident();
    await house.announce('bus', incident, 'opened');
    await house.announce('bus', incident, 'resolved');
    await eventually(() =>
      expect(chat.calls().map((call) => call.method)).toEqual(['chat.postMessage', 'chat.update', 'chat.postMessage']),
    );
    expect(bus.requests()).toHaveLength(1);
  });

  it('leaves a channel alone after three different alerts were refused', async () => {
    chat.fail({ kind: 'answer', error: 'invalid_auth' });
    house.configure([slackDefinition({ fallback: 'bus' }), webhookDefinition()]);
    house.start();
    for (let count = 0; count < 6; count += 1) await house.announce('chat', await house.incident());
    await eventually(() => expect(bus.deliveries()).toHaveLength(6));
    expect(chat.requests()).toHaveLength(3);
    expect(await house.pending('chat')).toHaveLength(6);
  });

  it('keeps the alerts of a notifier that is unconfigured, lets its fallback tell them, and sends them when it is back', async () => {
    house.configure([slackDefinition({ unset: ['SLACK_BOT_TOKEN'], fallback: 'bus' }), webhookDefinition()]);
    house.start();
    await house.announce('chat', await house.incident());
    await eventually(() => expect(bus.deliveries()).toHaveLength(1));
    expect(chat.requests()).toEqual([]);
    house.configure([slackDefinition({ fallback: 'bus' }), webhookDefinition()]);
    house.pass(SECOND);
    await eventually(() => expect(chat.messages()).toHaveLength(1));
    expect(bus.deliveries()).toHaveLength(1);
  });

  it('keeps the alerts of a notifier that was removed until it is back', async () => {
    const row = await house.announce('gone', await house.incident());
    const alerter = house.start();
    await eventually(() => expect(alerter.queues().size).toBeGreaterThan(0));
    expect([alerter.queues().has('gone'), alerter.oldestPendingAt()]).toEqual([false, undefined]);
    house.configure([webhookDefinition({ name: 'gone' })]);
    house.pass(SECOND);
    await eventually(() => expect(bus.deliveries().map(({ body }) => body.event_id)).toEqual([row.alert.eventId]));
  });

  it('tells of its first delivery, because an earlier process may have told of trouble', async () => {
    house.start();
    await house.announce('bus', await house.incident());
    await eventually(() => expect(house.health).toEqual([{ notifier: 'bus', healthy: true }]));
    await house.announce('bus', await house.incident());
    await eventually(() => expect(bus.requests()).toHaveLength(2));
    expect(house.health).toHaveLength(1);
  });

  it('tells when a notifier has failed for two minutes, and when it is well again', async () => {
    bus.fail({ kind: 'status', status: 503 });
    house.start();
    await house.announce('bus', await house.incident());
    await eventually(() => expect(bus.requests()).toHaveLength(1));
    house.pass(MINUTE);
    await eventually(() => expect(bus.requests()).toHaveLength(2));
    expect(house.health).toEqual([]);
    house.pass(MINUTE + SECOND);
    await eventually(() => expect(house.health).toEqual([{ notifier: 'bus', healthy: false, error: 'HTTP 503' }]));
    bus.fail(undefined);
    house.pass(MINUTE);
    await eventually(() => expect(house.health.at(-1)).toEqual({ notifier: 'bus', healthy: true }));
    expect(house.health).toHaveLength(2);
  });

  it('counts deliveries and failures, and knows what it owes', async () => {
    bus.fail({ kind: 'status', status: 503 }, 1);
    const alerter = house.start();
    const row = await house.announce('bus', await house.incident());
    await eventually(() => expect(alerter.oldestPendingAt()).toBe(row.createdAt));
    await eventually(() =>
      expect(alerter.queues()).toEqual(
        new Map([
          ['chat', 0],
          ['bus', 1],
        ]),
      ),
    );
    house.pass(10 * SECOND);
    await eventually(() => expect(alerter.queues().get('bus')).toBe(0));
    expect(alerter.oldestPendingAt()).toBeUndefined();
    expect(house.counted.map(({ outcome }) => outcome)).toEqual(['retried', 'delivered']);
  });

  it('stops within its time although a channel hangs, and loses nothing', async () => {
    bus.fail({ kind: 'hang' });
    const alerter = house.start();
    await house.announce('bus', await house.incident());
    await eventually(() => expect(bus.requests()).toHaveLength(1));
    const startedAt = performance.now();
    await alerter.stop();
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await house.pending('bus'))[0]).toMatchObject({ state: 'pending', tries: 0 });
  });

  it('lets a delivery under way end when it stops', async () => {
    const alerter = house.start();
    await house.announce('bus', await house.incident());
    await alerter.stop();
    expect(await house.pending('bus')).toHaveLength(1 - bus.deliveries().length);
  });
});

/** A store whose transactions fail while `broken`, as when the process dies before they commit. */
function neverMarking(store: Store, broken = () => true): Store {
  return {
    ...store,
    transaction: (work) => (broken() ? Promise.reject(new Error('the store is away')) : store.transaction(work)),
  };
}
