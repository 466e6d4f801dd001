/** Pages in a browser of a real Selenium Grid with one slot, and what happens when it is the grid that fails. */
import { readdirSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ProbeOutput } from '../../src/ports.ts';
import { createBrowserProbeType } from '../../src/probe-types/browser.ts';
import { createHome, startDaemon, until } from '../estate/daemon.ts';
import {
  answering,
  closedPort,
  deafPort,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';
import { type SeleniumGrid, startSeleniumGrid } from '../estate/selenium-grid.ts';

const PASSWORD = ['correct', 'horse', 'battery'].join('-');
const browser = createBrowserProbeType();
const environment = { PATH: process.env['PATH'] ?? '' };
const specOf = (spec: Record<string, unknown>) => browser.spec.parse({ patience: '5s', ...spec }) as never;
const visit = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(browser, specOf(spec), { timeoutMs: 60_000, environment, ...options });

const page = (body: string) =>
  `<!doctype html><html><head><title>Shop</title><link rel="icon" href="data:,"></head><body>${body}</body></html>`;
const html: (body: string) => RequestListener = (body) => (_request, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(page(body));
};
const serve = async (listener: RequestListener) => `http://127.0.0.1:${(await serveHttp(listener)).port}`;
/** A page that never comes; `asked` resolves when somebody waits for it. */
async function endless() {
  let tell = () => {};
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { url: await serve(() => tell()), asked };
}

/** Whatever becomes of a run, the page is not blamed. */
const GRID = { unknown: 'witness_away', fields: {} };
const blaming = (message: string) => expect.stringMatching(new RegExp(`^the Selenium Grid: .*${message}`, 's'));

describe('a real grid', () => {
  let grid: SeleniumGrid;
  /** With userinfo. */
  let address: string;
  beforeAll(async () => {
    grid = await startSeleniumGrid(['--username', 'probe', '--password', PASSWORD]);
    address = grid.url.replace('://', `://probe:${PASSWORD}@`);
  });
  afterAll(() => grid.stop());

  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${grid.url}${path}`, {
      ...init,
      headers: {
        authorization: `Basic ${Buffer.from(`probe:${PASSWORD}`).toString('base64')}`,
        'content-type': 'application/json; charset=utf-8',
      },
    });
  async function sessions(): Promise<string[]> {
    const query = '{ sessionsInfo { sessions { id } } }';
    const answer = await call('/graphql', { method: 'POST', body: JSON.stringify({ query }) });
    const { data } = (await answer.json()) as { data: { sessionsInfo: { sessions: { id: string }[] } } };
    return data.sessionsInfo.sessions.map(({ id }) => id);
  }
  /** A moment after it was quit: the grid says so before it has forgotten it. */
  const quit = () => until(async () => (await sessions()).length === 0, { what: 'its end', withinMs: 5_000 });
  const isFree = async () => (await (await call('/status')).text()).includes('"ready": true');
  const free = () => until(isFree, { what: 'the slot to be free', withinMs: 30_000 });
  beforeEach(free);

  test('shows a page as people see it, and its session is quit', async () => {
    const url = await serve(html('<h1>Welcome</h1><script>console.error("broken")</script>'));
    const began = performance.now();
    const output = await visit({ url: `${url}/?token=x`, grid: address, steps: [{ expect: { text: 'welcome' } }] });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { status: 200, title: 'Shop', text: 'Welcome', final_url: `${url}/`, console_errors: 1 },
    });
    expect(output.unknown).toBeUndefined();
    await quit();
    // Opening and quitting are the grid's slowness.
    expect(output.latencyMs).toBeLessThan(performance.now() - began - 300);
  });

  test('has its session quit when a step fails, and the page is blamed', async () => {
    const url = await serve(html('<p>Out of order</p>'));
    const steps = [{ expect: { text: 'Welcome' } }];
    const fails = () => visit({ url, grid: address, patience: '100ms', steps });
    // The slot is free a moment later: who comes at once waits for it in the grid's queue.
    for (const output of [await fails(), await fails()]) {
      expect(output).toMatchObject({
        reason: 'body',
        error: 'step 1 (expect): the page does not show "Welcome"',
        fields: { text: 'Out of order' },
      });
      expect(output.unknown).toBeUndefined();
    }
    await quit();
  });

  test('has its session quit when whoever drives it had to be killed', async () => {
    const url = await serve(html('<script>for (;;);</script>'));
    const began = performance.now();
    const output = await visit({ url, grid: address }, { timeoutMs: 12_000 });
    expect(performance.now() - began).toBeLessThan(13_000);
    expect(output).toMatchObject({ reason: 'timeout' });
    expect(output.unknown).toBeUndefined();
    await quit();
  });

  test('has its session quit when the daemon stops in the middle', async () => {
    const { url, asked } = await endless();
    const probes = `probes: [{ name: page, timeout: 60s, every: 60s, browser: { url: "${url}", grid: "${address}" } }]\n`;
    const home = await createHome({ 'brainstem.yml': 'http: { listen: "${LISTEN}" }\n', 'probes/page.yaml': probes });
    try {
      const daemon = await startDaemon({ home });
      await asked;
      expect(await sessions()).toHaveLength(1);
      expect(await daemon.stop()).toBe(0);
      await quit();
      expect(JSON.stringify(daemon.log)).not.toContain(PASSWORD);
      // The run did not take longer than is granted then.
      expect(daemon.log.map(({ event }) => event)).not.toContain('probe_threw');
    } finally {
      await home.remove();
    }
  });

  test('leaves no session behind when the run ends while it opens', async () => {
    const url = await serve(html('here'));
    for (const ms of [300, 900]) {
      const stopping = new AbortController();
      const run = visit({ url, grid: address }, { signal: stopping.signal });
      await sleep(ms);
      stopping.abort();
      await run;
    }
    // What came after that is quit at the next run, which finds the slot free.
    expect(await visit({ url, grid: address })).toMatchObject({ reason: 'ok' });
    await quit();
  });

  test('that refuses our password is said', async () => {
    expect(await visit({ url: 'http://127.0.0.1:1', grid: address.replace(PASSWORD, 'wrong') })).toMatchObject({
      ...GRID,
      reason: 'auth',
      error: blaming('401'),
    });
  });

  test('without a free slot is saturated', async () => {
    const capabilities = { alwaysMatch: { browserName: 'chrome' } };
    const answer = await call('/session', { method: 'POST', body: JSON.stringify({ capabilities }) });
    const { value } = (await answer.json()) as { value: { sessionId: string } };
    try {
      const output = await visit({ url: 'http://127.0.0.1:1', grid: address }, { timeoutMs: 4_000 });
      expect(output).toMatchObject({
        ...GRID,
        reason: 'saturated',
        error: blaming('all slots for chrome are taken'),
      });
      expect(await sessions()).toEqual([value.sessionId]);
    } finally {
      await call(`/session/${value.sessionId}`, { method: 'DELETE' });
    }
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['another browser', { browserName: 'firefox' }, 'unhealthy', 'no node offers the browser firefox'],
    ['a version', { browserVersion: '1.0' }, 'timeout', 'no browser was opened in half of the time'],
    ['what does not start', { 'goog:chromeOptions': { binary: '/bin/false' } }, 'unhealthy', 'session not created'],
  ])('that cannot open %s says so', async (_name, capabilities, reason, message) => {
    const timeoutMs = reason === 'unhealthy' && 'goog:chromeOptions' in capabilities ? 60_000 : 4_000;
    const output = await visit({ url: 'http://127.0.0.1:1', grid: address, capabilities }, { timeoutMs });
    expect(output).toMatchObject({ ...GRID, reason, error: blaming(message) });
  });

  test('that stands still while a browser opens is given up', async () => {
    grid.pause();
    try {
      const began = performance.now();
      const output = await visit({ url: 'http://127.0.0.1:1', grid: address }, { timeoutMs: 3_000 });
      expect(performance.now() - began).toBeLessThan(4_000);
      expect(output).toMatchObject({ ...GRID, reason: 'timeout', error: blaming('half of the time') });
    } finally {
      grid.resume();
    }
  });

  test('that stands still in the middle is told from a page that does', async () => {
    const { url, asked } = await endless();
    const began = performance.now();
    const run = visit({ url, grid: address }, { timeoutMs: 12_000 });
    await asked;
    grid.pause();
    try {
      expect(await run).toMatchObject({ ...GRID, reason: 'timeout', error: blaming('the browser answers no more') });
      expect(performance.now() - began).toBeLessThan(13_000);
    } finally {
      grid.resume();
    }
    // The next run finds what this one could not quit.
    expect(await visit({ url: await serve(html('here')), grid: address })).toMatchObject({ reason: 'ok' });
  });

  test('whose browser dies in the middle is told from a page that fails', async () => {
    const { url, asked } = await endless();
    const run = visit({ url, grid: address }, { timeoutMs: 12_000 });
    await asked;
    for (const pid of browsersBelow(grid.pid)) process.kill(pid, 'SIGKILL');
    // The grid does not always close the DevTools with it.
    expect(await run).toMatchObject({ ...GRID, error: blaming('the browser (ended|answers no more)') });
    await quit();
  });

  test('that ends in the middle is told from a page that fails', async () => {
    const { url, asked } = await endless();
    const run = visit({ url, grid: address });
    await asked;
    const stopped = grid.stop();
    expect(await run).toMatchObject({ ...GRID, reason: 'unhealthy', error: blaming('the browser ended') });
    await stopped;
  });
});

/** Main processes of Chromium among what a process has started. */
function browsersBelow(root: number | undefined): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      parents.set(Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || isBelow(parents.get(pid)));
  return [...parents.keys()].filter((pid) => {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return isBelow(pid) && /chromium/.test(command.split('\0')[0] ?? '') && !command.includes('--type=');
  });
}

/** A grid in miniature: what it answers by path, a status or JSON, perhaps after a look at the question. */
async function pretend(answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const { port } = await serveHttp(async (request, response) => {
    const key = `${request.method} ${request.url}`;
    asked.push(key);
    const body = await text(request);
    const given = answers[key] ?? 404;
    const answer = typeof given === 'function' ? given(body) : given;
    if (answer === 'silence') return;
    response.statusCode = typeof answer === 'number' ? answer : 200;
    response.end(typeof answer === 'number' ? '{}' : JSON.stringify(answer));
  });
  return { url: `http://127.0.0.1:${port}`, asked };
}

const session = (capabilities: object) => ({ value: { sessionId: 's1', capabilities } });

describe('what answers as a grid may be anything', () => {
  const url = 'http://127.0.0.1:1/';

  test('refused, unanswered, without a name', async () => {
    expect(await visit({ url, grid: `http://127.0.0.1:${await closedPort()}` })).toMatchObject({
      ...GRID,
      reason: 'connect_refused',
      error: blaming('refused'),
    });
    const deaf = `http://127.0.0.1:${await deafPort()}`;
    expect(await visit({ url, grid: deaf }, { timeoutMs: 600 })).toMatchObject({ ...GRID, reason: 'connect_timeout' });
    expect(await visit({ url, grid: 'http://grid.invalid:4444' })).toMatchObject({ ...GRID, reason: 'dns' });
  });

  const ok = 'HTTP/1.1 200 OK\r\n';
  test.each<[string, string, string]>([
    ['a web page', `${ok}Content-Length: 6\r\nConnection: close\r\n\r\n<html>`, 'protocol'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol'],
    ['half a body', `${ok}Content-Length: 100\r\n\r\n{`, 'timeout'],
    ['nobody', '', 'timeout'],
  ])('%s', async (_name, bytes, reason) => {
    const { port } = await serveRaw(answering(bytes));
    const began = performance.now();
    const timeoutMs = reason === 'timeout' ? 800 : 10_000;
    const output = await visit({ url, grid: `http://127.0.0.1:${port}` }, { timeoutMs });
    expect(performance.now() - began).toBeLessThan(timeoutMs + 1_000);
    expect(output).toMatchObject({ ...GRID, reason, error: blaming('.') });
  });

  test('a session that never opens', async () => {
    const status = { value: { ready: false, message: 'Selenium Grid not ready.', nodes: [] } };
    const silent = await pretend({ 'POST /graphql': {}, 'POST /session': 'silence', 'GET /status': status });
    expect(await visit({ url, grid: silent.url }, { timeoutMs: 800 })).toMatchObject({
      ...GRID,
      reason: 'unhealthy',
      error: blaming('no node is up'),
    });
    expect(silent.asked).toEqual(['POST /graphql', 'POST /session', 'POST /graphql', 'GET /status']);
  });

  test('a session that opens too slowly is not taken for a grid that is full', async () => {
    const slot = { stereotype: { browserName: 'chrome' }, session: { sessionId: 'reserved' } };
    const nodes = [{ availability: 'UP', slots: [slot] }];
    const slow = await pretend({ 'POST /session': 'silence', 'GET /status': { value: { ready: false, nodes } } });
    expect(await visit({ url, grid: slow.url }, { timeoutMs: 800 })).toMatchObject({
      ...GRID,
      reason: 'timeout',
      error: blaming('no browser was opened in half of the time'),
    });
  });

  test('sessions of earlier runs are quit first, those of others are not, and one that will not is no hindrance', async () => {
    const sessions = [{ id: 'theirs', capabilities: '{"se:name":"checkout"}' }];
    const grid = await pretend({
      'POST /graphql': () => ({ data: { sessionsInfo: { sessions } } }),
      'POST /session'(body: string) {
        if (sessions.length > 1) return { value: { error: 'session not created', message: 'no' } };
        sessions.push({ id: 'late', capabilities: JSON.stringify(JSON.parse(body).capabilities.alwaysMatch) });
        return 'silence';
      },
      'DELETE /session/late': 500,
    });
    const spec = specOf({ url, grid: grid.url });
    const run = () => probe(browser, spec, { timeoutMs: 1_000, environment });
    expect(await run()).toMatchObject({ ...GRID, reason: 'timeout' });
    const before = grid.asked.length;
    expect(await run()).toMatchObject({ ...GRID, reason: 'unhealthy', error: blaming('session not created') });
    expect(grid.asked.slice(before)).toEqual(['POST /graphql', 'DELETE /session/late', 'POST /session']);
  });

  test('a browser without DevTools, and its session is quit', async () => {
    const grid = await pretend({ 'POST /session': session({}), 'DELETE /session/s1': {} });
    const output = await visit({ url, grid: grid.url, capabilities: { browserName: 'firefox' } });
    expect(output).toMatchObject({ ...GRID, reason: 'protocol', error: blaming('its firefox offers no DevTools') });
    expect(grid.asked).toContain('DELETE /session/s1');
  });

  test('DevTools that nobody passes on, and the session is quit', async () => {
    const away = { 'se:cdp': 'ws://172.18.0.9:4444/session/s1/se/cdp' };
    const grid = await pretend({ 'POST /wd/session': session(away), 'DELETE /wd/session/s1': 500 });
    const output = await visit({ url, grid: `${grid.url}/wd/` });
    expect(output).toMatchObject({ ...GRID, reason: 'unhealthy', error: blaming('DevTools are not to be reached') });
    expect(grid.asked).toContain('DELETE /wd/session/s1');
    // The address of the node, inside of the grid's network, is not used.
    expect(output.error).not.toContain('172.18.0.9');
  });

  test('and leaves nothing behind', async () => {
    const refusing = await pretend({ 'POST /session': { value: { error: 'session not created', message: 'no' } } });
    const run = async () => expect((await visit({ url, grid: refusing.url })).reason).toBe('unhealthy');
    await leavesNothing(run, 200, 25);
    await doesNotGrow(run);
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ grid: 'ftp://h' }, /is not a URL/],
    [{ grid: 'http://h', cdp: 'http://h' }, /opens a browser of its own/],
    [{ grid: 'http://h', executable: 'chromium' }, /opens a browser of its own/],
    [{ capabilities: { browserName: 'chrome' } }, /session on a `grid`/],
  ])('%j is refused', (spec, message) => {
    const issues = browser.spec.safeParse({ url: 'http://h', ...spec }).error?.issues ?? [];
    expect(issues.map((issue) => issue.message).join('\n')).toMatch(message);
  });
});
