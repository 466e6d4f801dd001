import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Incident } from '../../src/model.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { type House, openHouse } from './alerter-house.ts';

const TOKEN = ['xoxb', 'test', 'token'].join('-');
const SECOND = 1_000;
const MINUTE = 60_000;

function eventually(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20 });
}

describe('a burst of alerts', () => {
  let house: House;
  let chat: FakeSlack;
  let bus: Receiver;
  beforeEach(async () => {
    house = await openHouse();
    chat = await startFakeSlack({ token: TOKEN });
    bus = await startReceiver();
    house.configure([
      { name: 'chat', type: 'slack', spec: { token: TOKEN, channel: 'C1', api_url: chat.url } },
      { name: 'bus', type: 'webhook', spec: { url: bus.url } },
    ]);
  });
  afterEach(async () => {
    await house.close();
    await chat.close();
    await bus.close();
  });

  /** Opens incidents and announces them in one transaction, as a mass failure does. */
  async function failTogether(count: number, notifier = 'bus'): Promise<Incident[]> {
    const incidents: Incident[] = [];
    for (let index = 0; index < count; index += 1) incidents.push(await house.incident());
    for (const incident of incidents) await house.announce(notifier, incident);
    return incidents;
  }

  /** Ids of the incidents that the webhook was told of, alone or in a digest. */
  function told(): Set<number> {
    const ids = bus
      .deliveries()
      .flatMap(({ body }) => [body.incident?.id, ...body.digest.map(({ incident_id }) => incident_id)]);
    return new Set(ids.filter((id) => id !== undefined));
  }

  it('of 500 incidents becomes at most five messages that name them all', async () => {
    const incidents = await failTogether(500, 'chat');
    house.start();
    await eventually(() => expect(chat.messages()).toHaveLength(4));
    house.pass(10 * SECOND);
    await eventually(async () => expect(await house.pending('chat')).toEqual([]));
    expect(chat.messages()).toHaveLength(5);
    const text = JSON.stringify(chat.calls().map((call) => call.arguments));
    for (const { title } of incidents) expect(text).toMatch(new RegExp(`${title}\\b`));
    const rows = await house.store.notifications({ limit: 1_000 });
    expect(rows.filter(({ state }) => state === 'sent')).toHaveLength(501);
    expect(house.counted.filter(({ outcome }) => outcome === 'digested')).toHaveLength(496);
  });

  it('is not delayed for as many as the cap lets through, and gathers the rest for ten seconds', async () => {
    house.start();
    await failTogether(4);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    await failTogether(3);
    house.pass(8 * SECOND);
    expect(bus.deliveries()).toHaveLength(4);
    house.pass(2 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(5));
    expect(bus.deliveries().at(-1)?.body.digest).toHaveLength(3);
  });

  it('makes no digest of a single alert', async () => {
    house.start();
    await failTogether(5);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    house.pass(10 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(5));
    expect(bus.deliveries().map(({ body }) => body.kind)).toEqual(Array(5).fill('opened'));
  });

  it('waits with the next digest until the minute is over', async () => {
    house.start();
    await failTogether(10);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    house.pass(10 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(5));
    const late = await failTogether(2);
    house.pass(40 * SECOND);
    await eventually(async () => expect(await house.pending('bus')).toHaveLength(2));
    expect(bus.deliveries()).toHaveLength(5);
    house.pass(10 * SECOND);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    for (const { id } of late) expect(told()).toContain(id);
  });

  it('does not hold up what is told about known incidents', async () => {
    house.start();
    const [known] = await failTogether(10);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    if (known) await house.announce('bus', known, 'resolved');
    await eventually(() => expect(bus.deliveries().at(-1)?.body).toMatchObject({ kind: 'resolved' }));
    expect(bus.deliveries().at(-1)?.body.incident?.id).toBe(known?.id);
  });

  it('is told as resolved in a digest too, after the one that named it', async () => {
    house.start();
    const incidents = await failTogether(20);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    house.pass(10 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(5));
    for (const incident of incidents) await house.announce('bus', incident, 'resolved');
    house.pass(MINUTE);
    house.pass(10 * SECOND);
    await eventually(async () => {
      house.pass(10 * SECOND);
      expect(await house.pending('bus')).toEqual([]);
    });
    const last = new Map<number, string>();
    for (const { body } of bus.deliveries()) {
      if (body.incident) last.set(body.incident.id, body.kind);
      for (const { incident_id, kind } of body.digest) last.set(incident_id, kind);
    }
    expect([...last.values()]).toEqual(Array(20).fill('resolved'));
  });

  it('tells an incident that opened and resolved within the gathering once, as resolved', async () => {
    house.start();
    const incidents = await failTogether(8);
    const brief = incidents.at(-1);
    if (brief) await house.announce('bus', brief, 'resolved');
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    house.pass(10 * SECOND);
    await eventually(() => expect(bus.deliveries()).toHaveLength(5));
    const digest = bus.deliveries().at(-1)?.body;
    expect(digest?.digest.map(({ kind }) => kind)).toEqual(['opened', 'opened', 'opened', 'resolved']);
    expect(digest?.text).toBe('3 failing: Probe 5, Probe 6, Probe 7; 1 over: Probe 8');
  });

  it('keeps its digest, members and order when the channel fails and the daemon restarts', async () => {
    const first = house.start();
    const incidents = await failTogether(10);
    await eventually(() => expect(bus.deliveries()).toHaveLength(4));
    bus.fail({ kind: 'status', status: 503 });
    house.pass(10 * SECOND);
    await eventually(async () => expect((await house.pending('bus')).at(-1)).toMatchObject({ tries: 1 }));
    const digest = (await house.pending('bus')).at(-1);
    const carried = incidents.at(-1);
    if (carried) await house.announce('bus', carried, 'resolved');
    await first.stop();
    bus.fail(undefined);
    house.clock.advance(5 * MINUTE);
    house.start();
    await eventually(() => expect(bus.deliveries()).toHaveLength(6));
    const [told, resolved] = bus.deliveries().slice(4);
    expect(told?.body.event_id).toBe(digest?.alert.eventId);
    expect(told?.body.digest).toHaveLength(6);
    expect(resolved?.body).toMatchObject({ kind: 'resolved', incident: { id: carried?.id } });
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
  });

  it('keeps its cap across a restart', async () => {
    const first = house.start();
    await failTogether(4);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    await first.stop();
    house.start();
    await failTogether(4);
    house.pass(10 * SECOND);
    await eventually(async () => expect(await house.pending('bus')).toEqual([]));
    expect(bus.deliveries()).toHaveLength(5);
  });
});
