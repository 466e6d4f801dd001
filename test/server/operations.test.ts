import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Fixture, startServer } from './fixture.ts';

let server: Fixture;

beforeEach(async () => {
  server = await startServer();
});

afterEach(() => server.close());

describe('metrics', () => {
  const format = async (accept?: string) =>
    (await server.ask('/metrics', { headers: accept === undefined ? {} : { accept } })).headers['content-type'];

  test('are text, and OpenMetrics for whoever prefers it', async () => {
    expect(await format()).toBe('text/text');
    expect(await format('text/html,application/xhtml+xml,*/*;q=0.8')).toBe('text/text');
    expect(await format('application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5')).toBe('text/text');
    expect(await format('application/openmetrics-text;q=0')).toBe('text/text');
    expect(await format('application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1')).toBe(
      'text/openmetrics',
    );
  });

  test('are compressed when asked', async () => {
    const answer = await server.ask('/metrics', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(answer.body).toString()).toBe('text\n'.repeat(50));
    const refused = await server.ask('/metrics', { headers: { 'accept-encoding': 'gzip;q=0, identity' } });
    expect(refused.headers['content-encoding']).toBeUndefined();
  });
});

test('healthy is always 200; ready says why not', async () => {
  expect(await server.ask('/-/ready')).toMatchObject({ status: 200, text: 'ready\n' });
  server.world.ready = false;
  expect(await server.ask('/-/ready')).toMatchObject({ status: 503, text: 'the store is not open yet\n' });
  expect(await server.ask('/-/healthy')).toMatchObject({ status: 200, text: 'healthy\n' });
});

describe('reload', () => {
  test('says what changed', async () => {
    expect(await server.post('/-/reload')).toMatchObject({ status: 200, text: 'reloaded: web\n' });
    server.reloadOutcome = { ok: true, changed: [] };
    expect((await server.post('/-/reload')).text).toBe('nothing changed\n');
    expect(server.commanded[0]).toEqual(['reload', 'local']);
  });

  test('answers 400 with every problem on its line, without secrets', async () => {
    const location = { file: 'probes/a.yaml', line: 3, column: 5 };
    server.reloadOutcome = {
      ok: false,
      problems: [
        { location, message: 'unknown key "x"' },
        { location: { ...location, line: 9 }, message: 'canary-secret is no duration' },
      ],
    };
    expect(await server.post('/-/reload')).toMatchObject({
      status: 400,
      text: 'probes/a.yaml:3:5: unknown key "x"\nprobes/a.yaml:9:5: [redacted] is no duration\n',
    });
  });

  test('is no GET', async () => {
    expect((await server.ask('/-/reload')).status).toBe(404);
  });
});

describe('a ping', () => {
  const pings = () => server.commanded.filter(([name]) => name === 'ping').map(([, , ping]) => ping);

  test.each([
    ['', { kind: 'success' }],
    ['/start', { kind: 'start' }],
    ['/fail', { kind: 'fail' }],
    ['/log', { kind: 'log' }],
    ['/0', { kind: 'success', exitCode: 0 }],
    ['/255', { kind: 'fail', exitCode: 255 }],
  ])('to /ping/KEY%s is heard by GET, HEAD and POST', async (suffix, expected) => {
    for (const method of ['GET', 'HEAD', 'POST']) {
      const answer = await server.ask(`/ping/known-key${suffix}?rid=00000000-0000-4000-8000-000000000000`, { method });
      expect([method, answer.status, answer.text]).toEqual([method, 200, method === 'HEAD' ? '' : 'OK']);
    }
    expect(pings()).toEqual([expected, expected, expected]);
  });

  test('of an unknown key is 404, whatever its suffix, and says nothing more', async () => {
    for (const suffix of ['', '/start', '/fail', '/7']) {
      expect(await server.ask(`/ping/unknown${suffix}`)).toMatchObject({ status: 404, text: 'not found' });
    }
  });

  test('with a suffix that means nothing is 400, for known and unknown keys alike', async () => {
    for (const path of ['/ping/known-key/256', '/ping/unknown/256', '/ping/known-key/nonsense', '/ping/known-key/-1']) {
      expect(await server.ask(path)).toMatchObject({ status: 400, text: 'invalid url format' });
    }
    expect(pings()).toEqual([]);
  });

  test('may carry a body of any type, of which the redacted tail is kept', async () => {
    const body = `canary-secret ${'é'.repeat(400_000)} the end canary-secret`;
    for (const type of ['text/plain', 'application/json', 'application/x-www-form-urlencoded']) {
      const answer = await server.ask('/ping/known-key/1', { method: 'POST', headers: { 'content-type': type }, body });
      expect([type, answer.status]).toEqual([type, 200]);
    }
    for (const ping of pings()) {
      const { body: kept } = ping as { body: string };
      expect(kept.length).toBeLessThanOrEqual(10_000);
      expect(kept.endsWith('the end [redacted]')).toBe(true);
      expect(kept).not.toContain('canary');
    }
  });

  test('without a content type is heard with its body', async () => {
    await server.ask('/ping/known-key', { method: 'POST', body: 'all well' });
    expect(pings()).toEqual([{ kind: 'success', body: 'all well' }]);
  });

  test('that fails does not write its key into the log', async () => {
    expect((await server.ask('/ping/broken-key')).status).toBe(500);
    expect(server.logged.map(({ event }) => event)).toContain('request_failed');
    expect(JSON.stringify(server.logged)).not.toContain('broken-key');
  });
});
