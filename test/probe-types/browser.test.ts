/** Pages in a real Chromium: those that behave, and those that do not. */
import { spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { Log, ProbeOutput } from '../../src/ports.ts';
import { createBrowserProbeType } from '../../src/probe-types/browser.ts';
import { keepScreenshots } from '../../src/probe-types/browser-screenshots.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import { answering, closedPort, listen, serveHttp, serveRaw, sleep } from '../estate/hostile-network.ts';

const PASSWORD = ['correct', 'horse', 'battery'].join('-');
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const browser = createBrowserProbeType();
/** These tests run as root, where Chromium has no sandbox. */
const sandbox = process.getuid?.() !== 0;

let data: string;
/** All that a run puts anywhere is below it, and so is the working folder of all that it starts. */
let temporary: string;
let running: RunningBrowser;
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'browser-test-'));
  process.env['TMPDIR'] = temporary;
  data = await mkdtemp(join(temporary, 'data-'));
  running = await startBrowser();
}, 60_000);
afterAll(async () => {
  await running.stop();
  delete process.env['TMPDIR'];
  await rm(temporary, { recursive: true });
});

interface RunningBrowser {
  /** Its DevTools. */
  readonly address: string;
  stop(): Promise<void>;
}

/** One that most tests share: to start a browser is what takes the time. */
async function startBrowser(): Promise<RunningBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'browser-shared-'));
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  const argv = [...args, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
  const child = spawn('/usr/bin/chromium', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = createInterface({ input: child.stderr });
  const address = await new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      const found = /listening on (ws:\S+)/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return {
    address,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      await rm(profile, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

interface Options {
  readonly timeoutMs?: number;
  readonly environment?: Record<string, string>;
  readonly type?: typeof browser;
  /** Starts a browser of its own. Default: the shared one. */
  readonly launch?: boolean;
}

async function visit(spec: Record<string, unknown>, options: Options = {}): Promise<ProbeOutput> {
  const { timeoutMs = 60_000, environment = { PATH: process.env['PATH'] ?? '' }, type = browser, launch } = options;
  const where = launch === true ? { sandbox } : { cdp: running.address };
  const controller = new AbortController();
  const timer = setTimeout(
    () => controller.abort(new DOMException('the deadline has passed', 'TimeoutError')),
    timeoutMs,
  );
  const input = { probe: 'page', data, heartbeat: () => Promise.reject(new Error('not a heartbeat')) };
  try {
    const parsed = type.spec.parse({ ...where, patience: '10s', ...spec }) as never;
    return await type.run(parsed, input, { signal: controller.signal, timeoutMs, clock, log, environment });
  } finally {
    clearTimeout(timer);
  }
}

const page = (body: string, title = 'Shop') =>
  `<!doctype html><html><head><title>${title}</title><link rel="icon" href="data:,"></head><body>${body}</body></html>`;

async function serve(body: string | RequestListener): Promise<string> {
  const listener: RequestListener =
    typeof body === 'string'
      ? (_request, response) => {
          response.setHeader('content-type', 'text/html');
          response.end(body);
        }
      : body;
  return `http://127.0.0.1:${(await serveHttp(listener)).port}`;
}

/** What our runs have started and is not gone. */
function processes(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(join(temporary, 'brainstem-browser-'));
    } catch {
      return false;
    }
  });
}

const folders = async () => (await readdir(temporary)).filter((name) => name.startsWith('brainstem-browser-'));

/** The kernel needs a moment to take away what was killed. */
async function nothingLeft(): Promise<void> {
  for (let round = 0; round < 50 && processes().length > 0; round += 1) await sleep(100);
  expect(processes()).toEqual([]);
  expect(await folders()).toEqual([]);
}

test('a page is seen as people see it', async () => {
  const script =
    'console.error("broken picture"); console.log("fine"); setTimeout(() => { throw new Error("nobody caught me"); }, 0)';
  const url = await serve(page(`<h1>Welcome</h1><p style="display:none">hidden</p><script>${script}</script>`));
  const output = await visit({ url: `${url}/?token=x#y`, steps: [{ wait: '100ms' }] }, { launch: true });
  expect(output.error).toBeUndefined();
  expect(output).toMatchObject({
    reason: 'ok',
    fields: { status: 200, title: 'Shop', text: 'Welcome', final_url: `${url}/`, console_errors: 2 },
  });
  expect(output.fields['console']).toEqual(['broken picture', 'nobody caught me']);
  expect(output.fields['lcp_ms']).toBeGreaterThan(0);
  expect(output.latencyMs).toBeGreaterThan(0);
  await nothingLeft();
});

describe('steps', () => {
  const shop: RequestListener = (request, response) => {
    response.setHeader('content-type', 'text/html');
    if (request.url === '/login') {
      response.end(
        page(
          '<form action="/session"><input id="user" name="u"><input id="pass" type="password" name="p"><button>Sign in</button></form>',
          'Login',
        ),
      );
    } else if (request.url === `/session?u=ana&p=${PASSWORD}`) {
      response.end(page('<p>Hello Ana</p><a href="/orders?page=1">Orders</a>', 'Home'));
    } else if (request.url?.startsWith('/orders')) {
      response.end(page('<ul id="orders"><li>One</li></ul>', 'Orders of Ana'));
    } else {
      response.writeHead(403).end(page('<p>No</p>', 'No'));
    }
  };
  const login = [
    { fill: { field: '#user', text: 'ana' } },
    { fill: { field: '#pass', text: '{{password}}' } },
    { click: 'text="{{button}}"' },
  ];

  test('log in, go on, and look', async () => {
    const url = await serve(shop);
    const steps = [
      ...login,
      { expect: { text: 'hello ana', title: 'Home', url: '/session' } },
      { click: 'role=link[name="Orders"]' },
      { expect: { selector: '#orders li', title: 'Orders' } },
      { goto: '/orders?page=2' },
      { expect: { url: 'page=2' } },
      { screenshot: 'orders' },
    ];
    const output = await visit({ url: `${url}/login`, secrets: { password: PASSWORD, button: 'Sign in' }, steps });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { title: 'Orders of Ana', final_url: `${url}/orders`, status: 200 },
    });
    const picture = await readFile(String(output.fields['screenshot']));
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    expect(String(output.fields['screenshot'])).toMatch(/page_0-orders\.png$/);
  });

  test('that fail say which, keep a picture, and show no secret', async () => {
    const url = await serve(shop);
    const steps = [...login, { name: 'greeting', expect: { text: 'Hello {{password}}' } }];
    const output = await visit({
      url: `${url}/login`,
      secrets: { password: `not-${PASSWORD}`, button: 'Sign in' },
      steps,
      patience: '5s',
    });
    expect(output).toMatchObject({
      reason: 'body',
      error: 'step 4 (greeting): the page does not show "Hello {{password}}"',
      fields: { title: 'No', screenshot: expect.stringContaining('failed') },
    });
    expect(JSON.stringify(output)).not.toContain(PASSWORD);
  });

  test('a page that says too much of itself hides nothing by it', async () => {
    const lies = `Object.defineProperty(HTMLElement.prototype, 'innerText', { get: () => ({ slice: () => 7 }) })`;
    const url = await serve(page(`<p>one</p><script>${lies}</script>`, 'T'.repeat(2 * 2 ** 20)));
    const steps = [{ expect: { title: 'Elsewhere' } }];
    const output = await visit({ url, steps, patience: '2s', screenshot_on_failure: false });
    expect(output).toMatchObject({ reason: 'body', fields: { title: 'T'.repeat(1_000) } });
    expect(output.fields['text']).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      'an element that is not there',
      { click: '#nowhere' },
      'body',
      /step 1 \(click\): clicking #nowhere took too long/,
    ],
    ['two elements where one is meant', { click: 'p' }, 'body', /strict mode/],
    ['a title that is another', { expect: { title: 'Elsewhere' } }, 'body', /title does not hold "Elsewhere"/],
    ['a file instead of a page', { goto: 'file:///etc/passwd' }, 'protocol', /scheme file: is not opened/],
  ])('stop at %s', async (_name, step, reason, message) => {
    const url = await serve(page('<p>one</p><p>two</p>'));
    const output = await visit({ url, steps: [step], patience: '2s', screenshot_on_failure: false });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });
});

describe('what goes wrong has a reason', () => {
  const cases: Record<string, [string, number, () => Promise<string>, RegExp]> = {
    refused: ['connect_refused', 20_000, async () => `http://127.0.0.1:${await closedPort()}`, /refused/],
    'no name': ['dns', 20_000, async () => 'http://shop.invalid/', /no address/],
    garbage: [
      'protocol',
      20_000,
      async () => `http://127.0.0.1:${(await serveRaw(answering('SSH-2.0\r\n', (socket) => socket.end()))).port}`,
      /./,
    ],
    'no answer': [
      'timeout',
      4_000,
      async () => `http://127.0.0.1:${(await serveRaw(() => {})).port}`,
      /deadline|loading the page/,
    ],
    'half a page': [
      'timeout',
      4_000,
      () =>
        serve(
          (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).write(page('half')),
        ),
      /deadline|loading the page/,
    ],
    'a page that is busy with itself': ['timeout', 5_000, () => serve(page('<script>for (;;);</script>')), /./],
    'an untrusted certificate': ['tls', 20_000, untrusted, /certificate/],
  };

  async function untrusted(): Promise<string> {
    const authority = await createAuthority();
    onTestFinished(() => authority.remove());
    const server = createServer(await authority.selfSigned('shop'), (_request, response) => response.end(page('in')));
    return `https://127.0.0.1:${(await listen(server)).port}`;
  }

  test.each(Object.entries(cases))('%s', async (_name, [reason, timeoutMs, target, message]) => {
    const began = performance.now();
    const launch = reason === 'timeout';
    const output = await visit({ url: await target() }, { timeoutMs, launch });
    expect(performance.now() - began).toBeLessThan(timeoutMs + 1_000);
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    await nothingLeft();
  });

  test('a status that is none of success is for conditions', async () => {
    const url = await serve((_request, response) => void response.writeHead(503).end(page('down')));
    expect(await visit({ url })).toMatchObject({ reason: 'ok', fields: { status: 503, text: 'down' } });
    expect(browser.impliedExpect?.source).toContain('status');
  });

  test('a certificate may be accepted on purpose', async () => {
    expect(await visit({ url: await untrusted(), insecure_skip_verify: true })).toMatchObject({ reason: 'ok' });
  });
});

describe('our own trouble', () => {
  test('no browser on PATH is said', async () => {
    const url = 'http://127.0.0.1:1';
    expect(await visit({ url }, { environment: { PATH: '/nonexistent' }, launch: true })).toMatchObject({
      reason: 'internal',
      error: expect.stringContaining('no browser is installed'),
    });
    expect(await visit({ url, executable: '/usr/bin/no-such-browser' }, { launch: true })).toMatchObject({
      reason: 'internal',
    });
    const broken = await visit({ url, executable: '/bin/false' }, { launch: true });
    expect(broken).toMatchObject({ reason: 'internal', error: expect.stringContaining('does not start') });
    await nothingLeft();
  });

  test.runIf(process.getuid?.() === 0)('as root the sandbox is not dropped in silence', async () => {
    expect(await visit({ url: 'http://127.0.0.1:1', sandbox: true }, { launch: true })).toMatchObject({
      reason: 'internal',
      error: expect.stringContaining('sandbox: false'),
    });
  });

  test('there is one browser at a time, and who does not get his turn blames no page', async () => {
    const type = createBrowserProbeType();
    const slow = `http://127.0.0.1:${(await serveRaw(() => {})).port}`;
    const began = performance.now();
    const first = visit({ url: slow }, { timeoutMs: 8_000, type, launch: true });
    await sleep(200);
    const hasty = visit({ url: slow }, { timeoutMs: 500, type });
    const late = visit({ url: slow }, { timeoutMs: 12_000, type, launch: true });
    const patient = visit({ url: await serve(page('after')) }, { timeoutMs: 60_000, type, launch: true });
    // This one gets its turn, but with too little time left for a page that is slow.
    const tooLate = expect(late).rejects.toMatchObject({ code: 'out_of_resources' });
    await expect(hasty).rejects.toMatchObject({ code: 'out_of_resources' });
    expect((await first).reason).toBe('timeout');
    await tooLate;
    const output = await patient;
    expect(output).toMatchObject({ reason: 'ok', fields: { text: 'after' } });
    // Waiting for the turn is not the page's slowness.
    expect(output.latencyMs).toBeLessThan(performance.now() - began - 3_000);
    await nothingLeft();
  });
});

test('a browser that runs already is used over its DevTools, and left as it was', async () => {
  const open = async () => {
    const response = await fetch(`http://${new URL(running.address).host}/json/list`);
    return (await response.json()) as unknown[];
  };
  const before = (await open()).length;
  const output = await visit({ url: await serve(page('shared')) });
  expect(output).toMatchObject({ reason: 'ok', fields: { text: 'shared' } });
  expect(await open()).toHaveLength(before);
  const away = `http://127.0.0.1:${await closedPort()}`;
  expect(await visit({ url: 'http://127.0.0.1:1', cdp: away })).toMatchObject({ reason: 'internal' });
});

test('what was typed is painted over in a picture', async () => {
  const field = '<input id="big" style="position: fixed; inset: 0; width: 100vw; height: 100vh; font-size: 200px">';
  const steps = [{ fill: { field: '#big', text: PASSWORD } }, { screenshot: 'typed' }];
  const { fields } = await visit({ url: await serve(page(field)), steps });
  const picture = await readFile(String(fields['screenshot']));
  // A browser is what can read it.
  const script = `const image = new Image();
    image.onload = () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const pen = canvas.getContext('2d');
      pen.drawImage(image, 0, 0);
      const { data } = pen.getImageData(0, 0, image.width, image.height);
      const colours = new Set();
      for (let at = 0; at < data.length; at += 4) colours.add([data[at], data[at + 1], data[at + 2]].join());
      document.title = [...colours].join(' ');
    };
    image.src = '/picture.png';`;
  const url = await serve((request, response) => {
    const isPicture = request.url === '/picture.png';
    response.setHeader('content-type', isPicture ? 'image/png' : 'text/html');
    response.end(isPicture ? picture : page(`<script>${script}</script>`, ''));
  });
  expect((await visit({ url, steps: [{ expect: { title: ',' } }], patience: '20s' })).fields['title']).toBe(
    '255,0,255',
  );
});

test('pictures are few, the newest ones', async () => {
  const folder = join(data, 'bounded');
  const file = join(data, 'one.png');
  await writeFile(file, 'picture');
  for (let run = 0; run < 8; run += 1) await keepScreenshots(folder, 'shop', [{ name: `n${run}`, file }], run * 60_000);
  const kept = (await readdir(folder)).toSorted();
  expect(kept.map((name) => name.slice(-6, -4))).toEqual(['n3', 'n4', 'n5', 'n6', 'n7']);
  for (let probe = 0; probe < 120; probe += 1)
    await keepScreenshots(folder, `p_${probe}`, [{ name: 'x', file }], 10 ** 9 + probe);
  expect(await readdir(folder)).toHaveLength(100);
  expect(await keepScreenshots(folder, 'shop', [], 0)).toBeUndefined();
});

test('a picture stays in its folder, whatever its probe is called', async () => {
  const folder = join(data, 'strange');
  const file = join(data, 'one.png');
  await writeFile(file, 'picture');
  for (const probe of ['shop[https://a.example/login]', 'shop[../../../out]', 'shop[https://b.example/login]']) {
    for (let run = 0; run < 7; run += 1) await keepScreenshots(folder, probe, [{ name: 'x', file }], run);
  }
  expect(await readdir(folder)).toHaveLength(15);
});

test('runs leave neither processes nor descriptors nor folders behind', async () => {
  const url = await serve(page('again'));
  await visit({ url }, { launch: true });
  const before = readdirSync('/proc/self/fd').length;
  for (let run = 0; run < 3; run += 1) expect((await visit({ url }, { launch: true })).reason).toBe('ok');
  await nothingLeft();
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'file:///etc/passwd' }, /is not a URL/],
    [{ url: 'http://h', steps: [{}] }, /needs one of goto, click/],
    [{ url: 'http://h', steps: [{ fill: { field: '#a', text: '{{nobody}}' } }] }, /names \{\{nobody\}\}/],
    [{ url: 'http://h', steps: [{ expect: {} }] }, /at least one of text/],
    [{ url: 'http://h', cdp: 'http://h', executable: 'chromium' }, /starts nothing/],
  ])('%j is refused', (spec, message) => {
    const issues = browser.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.message).join('\n')).toMatch(message);
  });

  test('the target is without credentials', () => {
    const spec = browser.spec.parse({ url: `http://u:${PASSWORD}@shop.example/a?b` }) as never;
    expect(browser.target(spec)).toBe('http://shop.example/a');
  });

  test('the example is valid', () => {
    const [definition] = parse(browser.example);
    expect(browser.spec.safeParse(definition.browser).error).toBeUndefined();
  });
});
