/** What modules of blackbox.yml become, and what running them leaves behind: nothing. */
import { describe, expect, test } from 'vitest';
import { aboutJson } from '../../src/blackbox/json-condition.ts';
import type { BlackboxModule, Configuration } from '../../src/model.ts';
import type { Log, RunOnDemand } from '../../src/ports.ts';
import { registries } from '../../src/registries.ts';
import { createOnDemand } from '../../src/runtime/on-demand.ts';
import { createRunner } from '../../src/runtime/runner.ts';
import { load } from '../config/homes.ts';
import { serveHttp, serveRaw } from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';

async function moduleOf(text: string, files: Record<string, string> = {}): Promise<BlackboxModule> {
  const { modules } = await load({ 'blackbox.yml': `modules:\n  one: ${text}\n`, ...files });
  const module = modules?.get('one');
  if (!module) throw new Error('there is no module');
  return module;
}

async function specOf(text: string, target: string, files: Record<string, string> = {}) {
  const made = (await moduleOf(text, files)).specFor(target, undefined);
  if ('fault' in made) throw new Error(made.fault);
  return made.spec as Record<string, unknown>;
}

describe('a condition on JSON', () => {
  test.each([
    ['body.status == "up"', 'json.status == "up"'],
    ['"body" in body && body["body"].body == \'body\'', '"body" in json && json["body"].body == \'body\''],
    ['body.items.exists(x, x.body == r"body\\")', 'json.items.exists(x, x.body == r"body\\")'],
    ['size(body) > 0 && nobody == body1', 'size(json) > 0 && nobody == body1'],
  ])('%s', (written, expected) => expect(aboutJson(written)).toBe(expected));
});

describe('the proxy of a target', () => {
  const http = (exceptions: string) =>
    `{ prober: http, http: { proxy_url: "http://p:3128", no_proxy: "${exceptions}" } }`;
  test.each([
    ['', 'http://shop.example/', true],
    ['*', 'http://shop.example/', false],
    ['shop.example', 'http://shop.example/', false],
    ['shop.example', 'http://www.shop.example/', false],
    ['shop.example', 'http://workshop.example/', true],
    ['.shop.example', 'http://shop.example/', true],
    ['a.example, shop.example:8080', 'http://shop.example:8080/', false],
    ['shop.example:8080', 'http://shop.example/', true],
    ['10.0.0.0/8', 'http://10.1.2.3/', false],
    ['10.0.0.0/8', 'http://11.1.2.3/', true],
    ['2001:db8::/32', 'http://[2001:db8::1]/', false],
    ['127.0.0.1', 'http://127.0.0.1/', false],
  ])('with no_proxy %j, %s: %j', async (exceptions, target, isUsed) => {
    expect('proxy' in (await specOf(http(exceptions), target))).toBe(isUsed);
  });
});

test('secrets of files are those of the spec, and are redacted everywhere', async () => {
  const text = '{ prober: http, http: { authorization: { type: Token, credentials_file: key } } }';
  expect(await specOf(text, 'a.example', { key: 'a-long-secret\n' })).toMatchObject({
    url: 'http://a.example',
    headers: { Authorization: 'Token a-long-secret' },
  });
  const { secrets } = await load({ 'blackbox.yml': `modules:\n  one: ${text}\n`, key: 'a-long-secret\n' });
  expect(secrets).toContain('a-long-secret');
});

test('a dollar in a module is a dollar, and groups become names of values', async () => {
  const step =
    '{ expect: "^PING (?P<word>.*) (.*)$", send: "PONG ${word} $2 $$ $9", labels: [{ name: a, value: "${HOME}" }] }';
  const spec = await specOf(`{ prober: tcp, tcp: { query_response: [${step}] } }`, '127.0.0.1:1');
  expect(spec['steps']).toEqual([
    { expect_line: '^PING (?P<word>.*) (.*)$' },
    { observe: { a: '' } },
    { send: 'PONG {{word}} {{2}} $ \n' },
  ]);
});

test('without a blackbox.yml there are the modules that every guide uses', async () => {
  const { modules } = await load({});
  expect([...(modules?.keys() ?? [])]).toEqual(
    expect.arrayContaining(['http_2xx', 'http_post_2xx', 'tcp_connect', 'icmp']),
  );
});

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function runnerOf(configuration: Configuration): RunOnDemand {
  const { probeTypes } = registries;
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const redact = (text: string) => text;
  const run = createRunner({
    ...{ probeTypes, clock, log: silent, redact, environment: {}, home: () => configuration.settings.home },
    stalls: { since: () => undefined },
    heartbeat: () => Promise.reject(new Error('no heartbeat')),
    onScarce: () => undefined,
    stopping: new AbortController().signal,
  });
  return createOnDemand({ run, probeTypes, clock, redact, configuration: () => configuration });
}

test('many targets leave no descriptor, timer or connection behind', async () => {
  const configuration = await load({ 'blackbox.yml': 'modules:\n  one: { prober: http }\n' });
  const run = runnerOf(configuration);
  const { port } = await serveHttp((_request, response) => response.end('ok'));
  let count = 0;
  await leavesNothing(async () => {
    count += 1;
    const target = `http://127.0.0.1:${port}/${count}`;
    expect((await run({ module: 'one', target, timeoutMs: 20_000 })).verdict.kind).toBe('pass');
  });
}, 90_000);

test('targets that hang leave nothing behind either', async () => {
  const configuration = await load({ 'blackbox.yml': 'modules:\n  one: { prober: http, timeout: 300ms }\n' });
  const run = runnerOf(configuration);
  const { port } = await serveRaw((socket) => void socket.resume());
  await leavesNothing(async () => {
    const { observation } = await run({ module: 'one', target: `127.0.0.1:${port}`, timeoutMs: 20_000 });
    expect(observation.reason).toBe('timeout');
  }, 100);
}, 90_000);

test('the memory of a thousand targets does not grow', async () => {
  const configuration = await load({
    'blackbox.yml': 'modules:\n  one: { prober: http, http: { fail_if_body_matches_regexp: [no] } }\n',
  });
  const run = runnerOf(configuration);
  const { port } = await serveHttp((_request, response) => response.end('ok'));
  let count = 0;
  await doesNotGrow(async () => {
    count += 1;
    // A module keeps what it made for the last five hundred targets.
    const target = `http://127.0.0.1:${port}/${count % 150}`;
    expect((await run({ module: 'one', target, timeoutMs: 20_000 })).verdict.kind).toBe('pass');
  });
}, 90_000);
