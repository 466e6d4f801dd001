import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../src/model.ts';
import { slack } from '../../src/notifiers/slack.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { alertOf, contextOf, digestOf, incidentOf } from './alerts.ts';

const TOKEN = ['xoxb', 'test', 'token'].join('-');

describe('slack', () => {
  let fake: FakeSlack;
  beforeEach(async () => {
    fake = await startFakeSlack({ token: TOKEN, channels: ['#ops', '#night'] });
  });
  afterEach(() => fake.close());

  function send(alert: Alert, conversation?: unknown, options: { channel?: string; token?: string } = {}) {
    const spec = slack.spec.parse({ token: TOKEN, channel: '#ops', api_url: fake.url, ...options });
    return slack.run(spec, { alert, conversation }, contextOf());
  }

  async function conversationOf(alert: Alert): Promise<unknown> {
    const output = await send(alert);
    return output.delivered ? output.conversation : expect.fail('not delivered');
  }

  it('writes one message an incident, with the event id as metadata', async () => {
    await conversationOf(alertOf());
    const [message] = fake.messages();
    expect(fake.messages()).toHaveLength(1);
    expect(message?.channel).toBe('COPS');
    expect(message?.arguments.text).toContain('Backend API is down: status = 503');
    expect(message?.arguments.metadata).toEqual({
      event_type: 'brainstem_alert',
      event_payload: { event_id: 'event-7-opened', kind: 'opened', incident_id: 7 },
    });
  });

  it('updates that message as the incident changes and tells what happened in its thread', async () => {
    const conversation = await conversationOf(alertOf());
    const resolved = incidentOf({ resolvedAt: Date.UTC(2026, 10, 23, 4, 5) });
    await send(alertOf({ kind: 'progress', text: 'restart-backend is running' }), conversation);
    await send(alertOf({ kind: 'resolved', text: 'Backend API is up again', incident: resolved }), conversation);
    const [message, ...others] = fake.messages();
    expect(others).toEqual([]);
    expect(message?.updates).toBe(2);
    expect(JSON.stringify(message?.arguments.blocks)).toContain('✅ Backend API');
    const replies = fake.thread(message?.ts ?? '').map((reply) => reply.arguments.text);
    expect(replies).toEqual(['🔴 restart-backend is running', '✅ Backend API is up again']);
  });

  it.each([
    ['reminder', true],
    ['escalated', true],
    ['progress', false],
    ['reopened', false],
    ['resolved', false],
  ] as const)('shows a reply of kind %s in the channel: %s', async (kind, broadcast) => {
    const conversation = await conversationOf(alertOf());
    await send(alertOf({ kind }), conversation);
    expect(fake.calls().at(-1)?.arguments.reply_broadcast).toBe(broadcast);
  });

  it('writes a new message when a person deleted the old one', async () => {
    const conversation = await conversationOf(alertOf());
    fake.forget(fake.messages()[0]?.ts ?? '');
    const output = await send(alertOf({ kind: 'escalated' }), conversation);
    expect(fake.messages()).toHaveLength(1);
    expect(output).toMatchObject({ delivered: true, conversation: { ts: fake.messages()[0]?.ts } });
  });

  it('starts anew when the notifier has moved to another channel', async () => {
    const conversation = await conversationOf(alertOf());
    await send(alertOf({ kind: 'escalated' }), conversation, { channel: '#night' });
    expect(fake.messages().map(({ channel }) => channel)).toEqual(['COPS', 'CNIGHT']);
  });

  it('escapes foreign text everywhere', async () => {
    const evil = '<!channel> <https://evil.example|click> & <@U1>';
    const incident = incidentOf({ title: evil });
    const facts = [{ label: evil, value: evil }];
    await conversationOf(alertOf({ title: evil, text: evil, incident, facts, url: 'http://h/a|b>c' }));
    const sent = JSON.stringify(fake.messages()[0]?.arguments);
    expect(sent).not.toMatch(/<[!@#]|<https:/);
    expect(sent.match(/<[^>]*>/g)).toEqual(['<http://h/a%7Cb%3Ec|Open in Brainstem>']);
    expect(sent).toContain('&lt;!channel&gt; &lt;https://evil.example|click&gt; &amp; &lt;@U1&gt;');
  });

  it("stays within Slack's limits whatever it is given", async () => {
    const long = '<&>\n'.repeat(5_000);
    const facts = Array.from({ length: 40 }, () => ({ label: long, value: long }));
    const output = await send(alertOf({ title: long, text: long, facts }));
    expect(output).toMatchObject({ delivered: true });
  });

  it('names all of 500 incidents of a digest, the rest in its thread', async () => {
    const output = await send(digestOf(500, (id) => `a rather long title of probe number ${id}.`));
    expect(output).toEqual({ delivered: true });
    expect(fake.messages()).toHaveLength(1);
    const sent = JSON.stringify(fake.calls().map((call) => call.arguments.blocks));
    for (let id = 1; id <= 500; id += 1) expect(sent).toContain(`probe number ${id}.`);
  });

  it('sends a test message', async () => {
    const { incident: _incident, ...alert } = alertOf({ kind: 'test', facts: [] });
    expect(await send(alert)).toEqual({ delivered: true });
  });

  it('reports a wrong token and an unknown channel as what only a person can mend', async () => {
    expect(await send(alertOf(), undefined, { token: 'wrong' })).toEqual({
      delivered: false,
      retry: false,
      error: 'invalid_auth',
    });
    expect(await send(alertOf(), undefined, { channel: '#nowhere' })).toMatchObject({
      retry: false,
      error: 'channel_not_found',
    });
  });

  it('passes on how long Slack asks to wait, and does not ask again by itself', async () => {
    fake.fail({ kind: 'status', status: 429, retryAfter: '7' });
    expect(await send(alertOf())).toMatchObject({ delivered: false, retry: true, retryAfterMs: 7_000 });
    expect(fake.requests()).toHaveLength(1);
  });

  it.each([
    ['HTTP 503', { kind: 'status', status: 503 }],
    ['ECONNRESET|UND_ERR_SOCKET', { kind: 'cut' }],
    ['internal_error', { kind: 'answer', error: 'internal_error' }],
    ['the reply is not from Slack', { kind: 'answer', error: '<html>' }],
  ] as const)('asks for another try after %s', async (error, fault) => {
    fake.fail(fault);
    expect(await send(alertOf())).toEqual({ delivered: false, retry: true, error: expect.stringMatching(error) });
    expect(fake.requests()).toHaveLength(1);
  });

  it('ends when the signal aborts', async () => {
    fake.fail({ kind: 'hang' });
    const spec = slack.spec.parse({ token: TOKEN, channel: '#ops', api_url: fake.url });
    expect(await slack.run(spec, { alert: alertOf() }, contextOf(300))).toMatchObject({
      delivered: false,
      retry: true,
    });
  });
});
