import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../src/model.ts';
import { parseRetryAfter, webhook } from '../../src/notifiers/webhook.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { alertOf, contextOf, digestOf, incidentOf, OPENED_AT } from './alerts.ts';

const SECRET = ['signing', 'key', 'of', 'the', 'test'].join('-');

describe('webhook', () => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await startReceiver({ secret: SECRET });
  });
  afterEach(() => receiver.close());

  function send(alert: Alert, options: Record<string, unknown> = {}, context = contextOf()) {
    const spec = webhook.spec.parse({ url: receiver.url, secret: SECRET, ...options });
    return webhook.run(spec, { alert }, context);
  }

  it('posts signed JSON that a receiver can verify', async () => {
    expect(await send(alertOf())).toEqual({ delivered: true });
    const [delivery] = receiver.deliveries();
    expect(delivery?.headers['x-brainstem-event-id']).toBe('event-7-opened');
    expect(delivery?.body).toEqual({
      version: 1,
      event_id: 'event-7-opened',
      kind: 'opened',
      at: '2026-11-23T04:00:00.000Z',
      severity: 'critical',
      title: 'Backend API',
      text: 'Backend API is down: status = 503',
      facts: [{ label: 'Reason', value: 'http_status' }],
      url: 'http://127.0.0.1:9911/incidents/7',
      incident: {
        id: 7,
        state: 'open',
        source: 'probe',
        subject: 'backend-api',
        title: 'Backend API',
        severity: 'critical',
        reason: 'http_status',
        cause: 'status = 503',
        degraded: false,
        opened_at: '2026-11-23T04:00:00.000Z',
        resolved_at: null,
        resolution: null,
        acknowledged_at: null,
        acknowledged_by: null,
        healed_by: null,
        parent_id: null,
      },
      digest: [],
    });
  });

  it('says when an incident is resolved, and names every incident of a digest', async () => {
    await send(alertOf({ kind: 'resolved', incident: incidentOf({ resolvedAt: OPENED_AT + 60_000 }) }));
    await send(digestOf(500));
    const [resolved, digest] = receiver.deliveries();
    expect(resolved?.body.incident).toMatchObject({ state: 'resolved', resolved_at: '2026-11-23T04:01:00.000Z' });
    expect(digest?.body.incident).toBeNull();
    expect(digest?.body.digest).toHaveLength(500);
  });

  it('is refused for good when the secret is wrong', async () => {
    expect(await send(alertOf(), { secret: 'another' })).toEqual({ delivered: false, retry: false, error: 'HTTP 401' });
    expect(receiver.deliveries()).toEqual([]);
  });

  it('sends configured headers and userinfo, but lets nothing replace its own headers', async () => {
    const url = receiver.url.replace('//', `//${['user', 'word'].join(':')}@`);
    await send(alertOf(), { url, headers: { 'X-Team': 'platform', 'X-Brainstem-Event-Id': 'forged' } });
    const headers = receiver.deliveries()[0]?.headers;
    expect(headers).toMatchObject({ 'x-team': 'platform', 'x-brainstem-event-id': 'event-7-opened' });
    expect(headers?.authorization).toBe(`Basic ${Buffer.from('user:word').toString('base64')}`);
  });

  it.each([408, 425, 429, 500, 502, 503])('asks for another try after %i', async (status) => {
    receiver.fail({ kind: 'status', status });
    expect(await send(alertOf())).toEqual({ delivered: false, retry: true, error: `HTTP ${status}` });
  });

  it.each([301, 400, 401, 404, 410, 422])('leaves %i to a person', async (status) => {
    receiver.fail({ kind: 'status', status });
    expect(await send(alertOf())).toEqual({ delivered: false, retry: false, error: `HTTP ${status}` });
  });

  it('obeys Retry-After in seconds and as a date', async () => {
    receiver.fail({ kind: 'status', status: 429, retryAfter: '90' });
    expect(await send(alertOf())).toMatchObject({ retryAfterMs: 90_000 });
    expect(parseRetryAfter('Mon, 23 Nov 2026 04:01:00 GMT', OPENED_AT)).toBe(60_000);
    expect(parseRetryAfter('Mon, 23 Nov 2026 03:00:00 GMT', OPENED_AT)).toBe(0);
    expect(parseRetryAfter('soon', OPENED_AT)).toBeUndefined();
    expect(parseRetryAfter('-5 apples', OPENED_AT)).toBeUndefined();
  });

  it('asks for another try when the connection is cut, refused or never answered', async () => {
    receiver.fail({ kind: 'cut' });
    expect(await send(alertOf())).toEqual({ delivered: false, retry: true, error: 'ECONNRESET' });
    receiver.fail({ kind: 'hang' });
    expect(await send(alertOf(), {}, contextOf(300))).toMatchObject({ delivered: false, retry: true });
    await receiver.close();
    expect(await send(alertOf())).toEqual({ delivered: false, retry: true, error: 'ECONNREFUSED' });
  });
});
