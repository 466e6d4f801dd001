/** What modules of blackbox.yml become, and what running them leaves behind: nothing. */
import { describe, expect, test } from 'vitest';
import { aboutJson } from '../../src/blackbox/json-condition.ts';
import type { BlackboxModule, Configuration } from '../../src/model.ts';
import type { Log, RunOnDemand } from '../../src/ports.ts';
import { registries } from '../../src/registries.ts';
import { createOnDemand } from '../../src/runtime/on-demand.ts';
import { createRunner, type Runner } from '../../src/runtime/runner.ts';
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

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const redact = (text: string) => text;
const { probeTypes } = registries;

function runnerOf(configuration: Configuration): RunOnDemand {
  const run = createRunner({
    ...{ probeTypes, clock, log: silent, redact, environment: {}, home: () => configuration.settings.home },
    stalls: { since: () => undefined },
    heartbeat: () => Promise.reject(new Error('no heartbeat')),
    onScarce: () => undefined,
    stopping: new AbortController().signal,
  });
  return createOnDemand({ run, probeTypes, clock, redact, configuration: () => configuration });
}

const WHO = { hasToken: true };

describe('a module with credentials', () => {
  const WORD = ['a', 'long', 'secret'].join('-');
  const FILES = { 'one.txt': WORD, 'one.pem': 'x' };
  const TLS = 'tls_config: { cert_file: one.pem, key_file: one.pem }';
  const WITH = {
    basic: `{ prober: http, http: { basic_auth: { username: u, password: ${WORD} } } }`,
    'basic of a file': '{ prober: http, http: { basic_auth: { username: u, password_file: one.txt } } }',
    authorization: `{ prober: http, http: { authorization: { credentials: ${WORD} } } }`,
    'authorization of a file': '{ prober: http, http: { authorization: { credentials_file: one.txt } } }',
    bearer: `{ prober: http, http: { bearer_token: ${WORD} } }`,
    'bearer of a file': '{ prober: http, http: { bearer_token_file: one.txt } }',
    oauth2: `{ prober: http, http: { oauth2: { client_id: u, client_secret: ${WORD}, token_url: "http://127.0.0.1:1/" } } }`,
    'a header': `{ prober: http, http: { headers: { AUTHORIZATION: ${WORD} } } }`,
    'a cookie': `{ prober: http, http: { headers: { cookie: "id=${WORD}" } } }`,
    'a token of its own': `{ prober: http, http: { headers: { PRIVATE-TOKEN: ${WORD} } } }`,
    'a key over HTTP': `{ prober: http, http: { ${TLS} } }`,
    'a key over TCP': `{ prober: tcp, tcp: { tls: true, ${TLS} } }`,
    'a key over gRPC': `{ prober: grpc, grpc: { tls: true, ${TLS} } }`,
    'a key to a name server': `{ prober: dns, dns: { query_name: a.test, transport_protocol: tcp, dns_over_tls: true, ${TLS} } }`,
  };
  const WITHOUT = {
    nothing: '{ prober: http }',
    headers: '{ prober: http, http: { headers: { Accept: "text/html", Host: a.example }, body: password } }',
    'an authority': '{ prober: tcp, tcp: { tls: true, tls_config: { ca_file: one.pem } } }',
    'an empty header': '{ prober: http, http: { headers: { Cookie: "" } } }',
  };

  /** Targets that were really probed. */
  async function asker(text: string, settings = '') {
    const configuration = await load({
      'blackbox.yml': `modules:\n  one: ${text}\n`,
      'brainstem.yml': settings,
      ...FILES,
    });
    const asked: string[] = [];
    const run: Runner = async ({ name: probe, target }) => {
      asked.push(target);
      return { probe, startedAt: 0, latencyMs: 0, reason: 'timeout', fields: {} };
    };
    const onDemand = createOnDemand({ run, probeTypes, clock, redact, configuration: () => configuration });
    const ask = (target: string, who = WHO) => onDemand({ module: 'one', target, timeoutMs: 1_000 }, who);
    return { ask, asked, warnings: configuration.warnings.map(({ message }) => message) };
  }

  test.each(Object.entries(WITH))('%s: is for whoever has shown the token', async (_name, text) => {
    const { ask, asked } = await asker(text);
    await expect(ask('127.0.0.1:1', { hasToken: false })).rejects.toThrow('set http.token');
    expect(asked).toEqual([]);
    await ask('127.0.0.1:1');
    expect(asked).toHaveLength(1);
  });

  test.each(Object.entries(WITHOUT))('%s is none', async (_name, text) => {
    const { ask, asked, warnings } = await asker(text);
    await ask('127.0.0.1:1', { hasToken: false });
    await ask('169.254.169.254:80');
    expect(asked).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    '169.254.0.1:8080',
    'HTTP://u:p@169.254.1.1',
    'http://0xA9FEA9FE/',
    'http://2852039166/',
    'http://169.254.43518/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fe80::1]/',
    '[febf::1]:443',
    '[fe80::1%eth0]:443',
    'fe80::1%eth0',
  ])('is not for %s', async (target) => {
    const { ask, asked } = await asker(WITH.bearer);
    await expect(ask(target)).rejects.toThrow('link-local');
    expect(asked).toEqual([]);
  });

  test.each(['http://169.253.1.1/', 'http://[fec0::1]/', 'http://shop.example/?at=169.254.1.1'])(
    'is for %s',
    async (target) => {
      const { ask, asked } = await asker(WITH.bearer);
      await ask(target);
      expect(asked).toHaveLength(1);
    },
  );

  test('is doubted while there is no token', async () => {
    const { warnings } = await asker(WITH.bearer);
    expect(warnings).toEqual(['the module "one" holds credentials, so /probe refuses it until http.token is set']);
    expect((await asker(WITH.bearer, `http: { token: ${WORD} }\n`)).warnings).toEqual([]);
  });
});

test('many targets leave no descriptor, timer or connection behind', async () => {
  const configuration = await load({ 'blackbox.yml': 'modules:\n  one: { prober: http }\n' });
  const run = runnerOf(configuration);
  const { port } = await serveHttp((_request, response) => response.end('ok'));
  let count = 0;
  await leavesNothing(async () => {
    count += 1;
    const target = `http://127.0.0.1:${port}/${count}`;
    expect((await run({ module: 'one', target, timeoutMs: 20_000 }, WHO)).verdict.kind).toBe('pass');
  });
}, 90_000);

test('targets that hang leave nothing behind either', async () => {
  const configuration = await load({ 'blackbox.yml': 'modules:\n  one: { prober: http, timeout: 300ms }\n' });
  const run = runnerOf(configuration);
  const { port } = await serveRaw((socket) => void socket.resume());
  await leavesNothing(async () => {
    const { observation } = await run({ module: 'one', target: `127.0.0.1:${port}`, timeoutMs: 20_000 }, WHO);
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
    expect((await run({ module: 'one', target, timeoutMs: 20_000 }, WHO)).verdict.kind).toBe('pass');
  });
}, 90_000);
