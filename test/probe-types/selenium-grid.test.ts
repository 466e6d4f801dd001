import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ProbeOutput } from '../../src/ports.ts';
import { seleniumGrid } from '../../src/probe-types/selenium-grid.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  flood,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type SeleniumGrid, startSeleniumGrid } from '../estate/selenium-grid.ts';

const specOf = (spec: Record<string, unknown>) => seleniumGrid.spec.parse(spec) as never;
const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(seleniumGrid, specOf(spec), { timeoutMs: 30_000, ...options });

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(100);
}

/** Chromium as root, without a window. */
const CHROME = {
  browserName: 'chrome',
  'goog:chromeOptions': { args: ['--no-sandbox', '--headless=new', '--disable-gpu', '--disable-dev-shm-usage'] },
};

describe('a real grid', () => {
  let grid: SeleniumGrid;
  beforeAll(async () => {
    grid = await startSeleniumGrid();
  });
  afterAll(() => grid.stop());

  /** Opens a session as a test suite does; resolves to its id. */
  async function openSession(capabilities: Record<string, unknown> = {}): Promise<string> {
    const response = await fetch(`${grid.url}/session`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ capabilities: { alwaysMatch: { ...CHROME, ...capabilities } } }),
    });
    const { value } = (await response.json()) as { value: { sessionId: string } };
    return value.sessionId;
  }
  const quit = (id: string) => fetch(`${grid.url}/session/${id}`, { method: 'DELETE' });

  test('tells its nodes, slots and queue', async () => {
    const output = await ask({ url: grid.url });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({
      reason: 'ok',
      fields: {
        ready: true,
        nodes: 1,
        slots: 1,
        slots_free: 1,
        sessions: 0,
        queue: 0,
        version: '4.48.0',
        ip: '127.0.0.1',
      },
    });
    expect(output.fields).not.toHaveProperty('session_ms');
  });

  test('opens a real browser and quits it', async () => {
    const output = await ask({ url: grid.url, session: true, capabilities: CHROME });
    expect(output.error).toBeUndefined();
    expect(output.reason).toBe('ok');
    expect(output.fields['browser_version']).toMatch(/^\d+\./);
    expect(output.fields['session_ms']).toBeGreaterThan(10);
    // The grid frees the slot a moment after it has said that the session is gone.
    await until(async () => (await ask({ url: grid.url })).fields['slots_free'] === 1);
  });

  test('that is full is saturated, not broken; who waits is counted', async () => {
    const id = await openSession();
    const full = await ask({ url: grid.url });
    expect(full).toMatchObject({
      reason: 'saturated',
      error: 'all 1 slots are taken',
      fields: { ready: false, nodes: 1, slots: 1, slots_free: 0, sessions: 1 },
    });
    expect(await ask({ url: grid.url, session: true, capabilities: CHROME })).toMatchObject({ reason: 'saturated' });
    const waiting = openSession();
    await until(async () => (await ask({ url: grid.url })).fields['queue'] === 1);
    await quit(id);
    await quit(await waiting);
    await until(async () => (await ask({ url: grid.url })).reason === 'ok');
  });

  test('whose session came after the deadline is rid of it at the next run', async () => {
    const spec = specOf({ url: grid.url, session: true, capabilities: CHROME });
    const { fields } = await probe(seleniumGrid, spec, { timeoutMs: 30_000 });
    const timeoutMs = 200 + Number(fields['session_ms']) / 3;
    // Runs that end while their browser opens, until one opens all the same; it takes the only slot.
    const isOpen = async () => (await ask({ url: grid.url })).fields['sessions'] === 1;
    while (!(await isOpen())) {
      await probe(seleniumGrid, spec, { timeoutMs });
      for (let waits = 0; waits < 50 && !(await isOpen()); waits += 1) await sleep(100);
    }
    await until(async () => (await probe(seleniumGrid, spec, { timeoutMs: 30_000 })).reason === 'ok');
    await until(async () => (await ask({ url: grid.url })).fields['sessions'] === 0);
  });

  test('that cannot open what is asked for says so', async () => {
    const output = await ask({
      url: grid.url,
      session: true,
      capabilities: { ...CHROME, 'goog:chromeOptions': { binary: '/bin/false' } },
    });
    expect(output).toMatchObject({
      reason: 'unhealthy',
      error: expect.stringMatching(/no session was opened: session not created/),
    });
    expect(output.fields).toMatchObject({ nodes: 1 });
  });

  test('that stands still is given up at the deadline', async () => {
    grid.pause();
    try {
      expect(await ask({ url: grid.url }, { timeoutMs: 500 })).toMatchObject({ reason: 'timeout' });
    } finally {
      grid.resume();
    }
    await until(async () => (await ask({ url: grid.url })).reason === 'ok');
  });
});

/** A grid in miniature: what it answers by path, a status or JSON, perhaps after a look at the question. */
async function pretend(
  answers: Readonly<Record<string, unknown>>,
): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const { port } = await serveHttp((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', async () => {
      const key = `${request.method} ${request.url}${body.includes('sessionsInfo') ? ' sessions' : ''}`;
      asked.push(key);
      const given = answers[key] ?? 404;
      const answer = typeof given === 'function' ? await given(body) : given;
      response.statusCode = typeof answer === 'number' ? answer : 200;
      response.end(typeof answer === 'number' ? '{}' : JSON.stringify(answer));
    });
  });
  return { url: `http://127.0.0.1:${port}`, asked };
}

const node = (availability: string, ...sessions: readonly unknown[]) => ({
  availability,
  version: '4.48.0 (revision abc)',
  slots: sessions.map((session) => ({ session })),
});
const status = (ready: boolean, ...nodes: readonly unknown[]) => ({
  value: { ready, message: 'Selenium Grid not ready.', nodes },
});

describe('what a grid says', () => {
  test('of nodes that drain or are down is not counted as room', async () => {
    const { url } = await pretend({
      'GET /wd/status': status(true, node('UP', null, { id: 'a' }), node('DRAINING', null), node('DOWN', null)),
      'POST /wd/graphql': { data: { grid: { sessionQueueSize: 3 } } },
    });
    expect(await ask({ url: `${url}/wd/` })).toMatchObject({
      reason: 'ok',
      fields: { nodes: 1, slots: 2, slots_free: 1, sessions: 1, queue: 3, version: '4.48.0' },
    });
  });

  test('without nodes is unhealthy', async () => {
    const { url } = await pretend({ 'GET /status': status(false) });
    expect(await ask({ url })).toMatchObject({
      reason: 'unhealthy',
      error: 'Selenium Grid not ready.',
      fields: { ready: false, nodes: 0, slots: 0, queue: undefined },
    });
  });

  test('of sessions of earlier runs is heeded: they are quit, and those of others are not', async () => {
    const sessions = [{ id: 'theirs', capabilities: '{"se:name":"checkout"}' }];
    const { url, asked } = await pretend({
      'GET /status': status(true, node('UP', null)),
      'POST /graphql': { data: { grid: { sessionQueueSize: 0 } } },
      'POST /graphql sessions': () => ({ data: { sessionsInfo: { sessions } } }),
      async 'POST /session'(body: string) {
        if (sessions.length === 1) {
          sessions.push({ id: 'late', capabilities: JSON.stringify(JSON.parse(body).capabilities.alwaysMatch) });
          await sleep(1_000);
        }
        return { value: { sessionId: 'new', capabilities: { browserVersion: '1.2' } } };
      },
      'DELETE /session/new': {},
      'DELETE /session/late': {},
    });
    const spec = specOf({ url, session: true });
    expect(await probe(seleniumGrid, spec, { timeoutMs: 600 })).toMatchObject({ reason: 'timeout' });
    expect(asked.filter((key) => key.startsWith('DELETE'))).toEqual([]);
    expect(await probe(seleniumGrid, spec)).toMatchObject({ reason: 'ok', fields: { browser_version: '1.2' } });
    expect(asked.filter((key) => key.startsWith('DELETE'))).toEqual(['DELETE /session/late', 'DELETE /session/new']);
  });

  test('of sessions with ids that are none is not heeded', async () => {
    let capabilities = '';
    const ids = ['\ud800', '../../status', 'a b', ''];
    const { url, asked } = await pretend({
      'GET /status': status(true, node('UP', null)),
      'POST /graphql': { data: { grid: { sessionQueueSize: 0 } } },
      'POST /graphql sessions': () => ({
        data: { sessionsInfo: { sessions: ids.map((id) => ({ id, capabilities })) } },
      }),
      'POST /session'(body: string) {
        capabilities = JSON.stringify(JSON.parse(body).capabilities.alwaysMatch);
        return { value: { sessionId: 'new' } };
      },
      'DELETE /session/new': {},
    });
    const spec = specOf({ url, session: true });
    expect(await probe(seleniumGrid, spec)).toMatchObject({ reason: 'ok' });
    expect(await probe(seleniumGrid, spec)).toMatchObject({ reason: 'ok' });
    expect(asked.filter((key) => key.startsWith('DELETE'))).toEqual(['DELETE /session/new', 'DELETE /session/new']);
  });

  test.each<[string, unknown, string, RegExp]>([
    ['an id that is none', { value: { sessionId: '../../status' } }, 'protocol', /not as WebDriver/],
    [
      'an error',
      { value: { error: 'session not created', message: 'no chrome\nat line 5' } },
      'unhealthy',
      /no chrome$/,
    ],
    ['capabilities that are wrong', { value: { error: 'invalid argument', message: '' } }, 'body', /invalid argument/],
    ['what every object has', { value: { error: 'constructor', message: 'x' } }, 'unhealthy', /constructor: x/],
    ['its prototype', { value: { error: '__proto__', message: 'x' } }, 'unhealthy', /__proto__: x/],
    ['nothing', {}, 'protocol', /not as WebDriver/],
  ])('about a session may be %s', async (_name, session, reason, message) => {
    const { url } = await pretend({
      'GET /status': status(true, node('UP', null)),
      'POST /graphql': {},
      'POST /graphql sessions': {},
      'POST /session': session,
    });
    expect(await ask({ url, session: true })).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('about a session that will not quit is a failure', async () => {
    const { url } = await pretend({
      'GET /status': status(true, node('UP', null)),
      'POST /session': { value: { sessionId: 'new' } },
      'DELETE /session/new': 500,
    });
    expect(await ask({ url, session: true })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/was not quit/),
    });
  });
});

describe('what answers may be anything', () => {
  test('refused, unanswered, unreachable, without a name', async () => {
    expect(await ask({ url: `http://127.0.0.1:${await closedPort()}` })).toMatchObject({ reason: 'connect_refused' });
    const deaf = await ask({ url: `http://127.0.0.1:${await deafPort()}` }, { timeoutMs: 300 });
    expect(deaf).toMatchObject({ reason: 'connect_timeout' });
    expect(await ask({ url: 'http://224.0.0.1:4444' })).toMatchObject({ reason: 'unreachable' });
    expect(await ask({ url: 'http://grid.invalid:4444' })).toMatchObject({ reason: 'dns' });
  });

  const ok = 'HTTP/1.1 200 OK\r\n';
  test.each<[string, string, string, RegExp]>([
    ['a web page', `${ok}Content-Length: 6\r\n\r\n<html>`, 'protocol', /no JSON/],
    ['JSON of something else', `${ok}Content-Length: 2\r\n\r\n{}`, 'protocol', /is not a Selenium Grid/],
    [
      'a driver without a grid',
      `${ok}Content-Length: 24\r\n\r\n{"value":{"ready":true}}`,
      'protocol',
      /is not a Selenium Grid/,
    ],
    ['another path', 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', 'http_status', /404/],
    ['a login', 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n', 'auth', /401/],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol', /not valid HTTP/],
    ['half a body', `${ok}Content-Length: 100\r\n\r\n{`, 'timeout', /whole body/],
    ['nobody', '', 'timeout', /an answer/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw(answering(bytes));
    const output = await ask({ url: `http://127.0.0.1:${port}` }, { timeoutMs: reason === 'timeout' ? 400 : 10_000 });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('too much, or drop by drop', async () => {
    const flooding = await serveRaw(answering(`${ok}\r\n`, (socket) => flood(socket, '[1, '.repeat(5_000))));
    expect(await ask({ url: `http://127.0.0.1:${flooding.port}` })).toMatchObject({
      reason: 'body',
      error: expect.stringMatching(/1 MiB/),
    });
    await flooding.drained();
    const dripping = await serveRaw(answering(`${ok}\r\n`, (socket) => drip(socket, '[', 20)));
    const output = await ask({ url: `http://127.0.0.1:${dripping.port}` }, { timeoutMs: 400 });
    expect(output).toMatchObject({ reason: 'timeout' });
  });
});

test('hundreds of runs leave nothing behind', async () => {
  const { url } = await pretend({
    'GET /status': status(true, node('UP', null)),
    'POST /session': { value: { sessionId: 'new' } },
    'DELETE /session/new': {},
  });
  await leavesNothing(async () => expect((await ask({ url, session: true })).reason).toBe('ok'), 200, 25);
  const { port } = await serveRaw(() => {});
  const silent = { url: `http://127.0.0.1:${port}` };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
});

describe('a grid behind a password', () => {
  test('lets in who knows it', async () => {
    const { port } = await serveHttp((request, response) => {
      const isKnown = request.headers.authorization === `Basic ${Buffer.from('u:p-p-p').toString('base64')}`;
      response.statusCode = isKnown ? 200 : 401;
      response.end(JSON.stringify(status(true, node('UP', null))));
    });
    expect(await ask({ url: `http://127.0.0.1:${port}` })).toMatchObject({ reason: 'auth' });
    expect(await ask({ url: `http://u:p-p-p@127.0.0.1:${port}` })).toMatchObject({ reason: 'ok' });
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'ftp://h' }, /is not a URL/],
    [{ url: 'http://h', session: 'yes' }, /./],
  ])('%j is refused', (spec, message) => {
    const [issue] = seleniumGrid.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test('the target is without credentials, and the example is valid', () => {
    expect(seleniumGrid.target(specOf({ url: 'http://u:secret@grid.example:4444/' }))).toBe(
      'http://grid.example:4444/',
    );
    const [definition] = parse(seleniumGrid.example);
    expect(seleniumGrid.spec.safeParse(definition['selenium-grid']).error).toBeUndefined();
  });
});
