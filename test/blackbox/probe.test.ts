/** `GET /probe` as Prometheus uses it, on the daemon in a process of its own. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askProbe } from '../estate/blackbox-exporter.ts';
import { type BlackboxTargets, startBlackboxTargets } from '../estate/blackbox-targets.ts';
import { createHome, type Daemon, type Home, startDaemon, until } from '../estate/daemon.ts';
import { close, listen } from '../estate/faults.ts';
import { serveHttp } from '../estate/hostile-network.ts';

const TOKEN = ['a', 'long', 'enough', 'token'].join('-');
const PASSPHRASE = ['hidden', 'passphrase'].join('-');
const BEARER = ['bearer', 'of', 'forty', 'characters', 'or', 'a', 'few', 'more'].join('-');
const FETCHED = ['fetched', 'for', 'this', 'run'].join('-');

let targets: BlackboxTargets;
/** Gives whoever asks a token. */
let issuer: Server;
/** blackbox.yml, and the key of a client in it. */
let text: string;
let key: string;
let daemon: Daemon;
let home: Home;
/** With a token of its own. */
let guarded: Daemon;
let guardedHome: Home;

const MODULES = `modules:
  http_2xx: { prober: http, timeout: 5s }
  json: { prober: http, http: { fail_if_body_json_not_matches_cel: "body.status == 'up'" } }
  json_down: { prober: http, http: { fail_if_body_json_matches_cel: "body.status == 'up'" } }
  json_typo: { prober: http, http: { fail_if_body_json_matches_cel: "body.state == 'down'" } }
  login: { prober: http, http: { basic_auth: { username: u, password: ${PASSPHRASE} }, fail_if_body_not_matches_regexp: [""] } }
  bearer: { prober: http, http: { bearer_token: ${BEARER}, fail_if_body_matches_regexp: ["never"] } }
  oauth2: { prober: http, http: { oauth2: { client_id: u, client_secret: ${PASSPHRASE}, token_url: ISSUER }, fail_if_body_matches_regexp: ["never"] } }
  client: { prober: http, http: { tls_config: { cert: CERTIFICATE, key: KEY } } }
  fixed_host: { prober: http, http: { headers: { Host: other.example } } }
  tls: { prober: tcp, tcp: { tls: true, tls_config: { ca_file: CA_FILE } } }
`;

async function modules(): Promise<string> {
  const { folder } = targets.authority;
  const { cert, key: own } = await targets.authority.selfSigned('client');
  key = own;
  issuer = createServer((_request, response) =>
    response.end(JSON.stringify({ access_token: FETCHED, expires_in: 60 })),
  );
  return MODULES.replace('CA_FILE', `${folder}/ca.pem`)
    .replace('ISSUER', `"http://127.0.0.1:${await listen(issuer)}/"`)
    .replace('CERTIFICATE', JSON.stringify(cert))
    .replace('KEY', JSON.stringify(key));
}

beforeAll(async () => {
  targets = await startBlackboxTargets();
  text = await modules();
  home = await createHome({ 'blackbox.yml': text, 'brainstem.yml': 'http: { listen: "${LISTEN}" }\n' });
  daemon = await startDaemon({ home });
  guardedHome = await createHome({
    'blackbox.yml': text,
    'brainstem.yml': `http: { listen: "\${LISTEN}", token: "${TOKEN}" }\n`,
  });
  guarded = await startDaemon({ home: guardedHome });
});

afterAll(async () => {
  await daemon?.stop();
  await guarded?.stop();
  await targets?.close();
  if (issuer) await close(issuer);
  await home?.remove();
  await guardedHome?.remove();
});

const ask = (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
  askProbe(daemon.url, parameters, headers);
const askGuarded = (parameters: Record<string, string>) =>
  askProbe(guarded.url, parameters, { authorization: `Bearer ${TOKEN}` });
const page = (path: string) => `http://${targets.at['http']}${path}`;

test('a target that answers is a success, in the text format of Prometheus', async () => {
  const response = await daemon.fetch(`/probe?target=${encodeURIComponent(page('/ok'))}`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const text = await response.text();
  expect(text).toMatch(/^# HELP probe_success .+\n# TYPE probe_success gauge\nprobe_success 1$/m);
  expect(text).not.toContain('probe="');
});

test('a target that fails is 200 with probe_success 0', async () => {
  for (const target of [page('/broken'), `http://${targets.at['refused']}/`, 'http://', 'ht tp://x']) {
    const { status, series } = await ask({ target });
    expect([target, status, series.get('probe_success')]).toEqual([target, 200, 0]);
    expect(series.has('probe_http_status_code')).toBe(true);
  }
});

test.each([
  [{}, 'target is missing'],
  [{ target: '' }, 'target is missing'],
  [{ target: 'x', module: 'htttp_2xx' }, 'unknown module \\"htttp_2xx\\" (did you mean \\"http_2xx\\"?)'],
  [{ target: 'x', module: 'constructor' }, 'unknown module'],
  [{ target: 'x', module: 'fixed_host', hostname: 'shop.example' }, 'sets the header Host to other.example'],
])('%o is refused', async (parameters, message) => {
  const { status, text } = await ask(parameters);
  expect([status, text]).toEqual([400, expect.stringContaining(message)]);
});

test('hostname is the Host of HTTP, and the name on the certificate of TCP', async () => {
  expect((await ask({ target: page('/host') })).series.get('probe_http_status_code')).toBe(400);
  expect((await ask({ target: page('/host'), hostname: 'shop.example' })).series.get('probe_success')).toBe(1);
  const secured = { target: targets.at['tls'] ?? '', module: 'tls' };
  expect((await ask({ ...secured, hostname: 'shop.example' })).series.get('probe_success')).toBe(1);
  expect((await ask({ ...secured, hostname: 'elsewhere.example' })).series.get('probe_success')).toBe(0);
});

describe('the deadline', () => {
  test.each([
    ['that of the module, when Prometheus waits longer', '30', 5_000],
    ['half a second before Prometheus gives up', '1.5', 1_000],
  ])('is %s', async (_name, seconds, expectedMs) => {
    const began = performance.now();
    const target = `http://${targets.at['silent']}/`;
    const { series } = await ask({ target }, { 'x-prometheus-scrape-timeout-seconds': seconds });
    const took = performance.now() - began;
    expect(series.get('probe_success')).toBe(0);
    expect(took).toBeGreaterThan(expectedMs - 50);
    expect(took).toBeLessThan(expectedMs + 1_000);
  });

  test('that is no number is refused', async () => {
    for (const seconds of ['soon', '-1']) {
      const { status } = await ask({ target: page('/ok') }, { 'x-prometheus-scrape-timeout-seconds': seconds });
      expect(status).toBe(400);
    }
  });
});

test('conditions on JSON fail a probe that cannot be judged, too', async () => {
  const outcome = async (module: string, path = '/json') => {
    const { series } = await ask({ module, target: page(path) });
    return [series.get('probe_success'), series.get('probe_failed_due_to_cel')];
  };
  expect(await outcome('json')).toEqual([1, 0]);
  expect(await outcome('json_down')).toEqual([0, 1]);
  expect(await outcome('json_typo')).toEqual([0, 1]);
  expect(await outcome('json', '/ok')).toEqual([0, 1]);
  expect(await outcome('json', '/missing')).toEqual([0, 0]);
});

describe('debug', () => {
  const AUTHORITY = Buffer.from(`u:${PASSPHRASE}`).toString('base64');
  const debug = async (parameters: Record<string, string>) => (await askGuarded({ ...parameters, debug: 'true' })).text;

  test('shows why, and no secret', async () => {
    const answer = await debug({ target: page('/missing'), module: 'login' });
    expect(answer).toContain('check failed: status >= 200 && status < 300 (status = 404)');
    expect(answer).toContain('\nprobe_success 0\n');
    expect(answer).toContain('Module configuration:\nprober: http\n');
    const seen = await debug({ target: page('/echo'), module: 'login' });
    expect(seen).toContain('probe_success 1');
    expect(seen).toMatch(/body = "Basic \w*\[redacted\]/);
    expect(seen).toContain('password: [redacted]');
    expect(seen).not.toContain(PASSPHRASE);
    expect(seen).not.toContain(AUTHORITY);
  });

  test('shows no secret that a long body is cut in', async () => {
    const { port } = await serveHttp(({ url = '', headers }, response) => {
      response.end('x'.repeat(Number(url.slice(1))) + headers.authorization);
    });
    const whole = 'Bearer '.length + BEARER.length;
    for (const shown of [whole - 1, whole - 5, Math.ceil(whole / 2)]) {
      const target = `http://127.0.0.1:${port}/${1_000 - '"'.length - shown}`;
      const answer = await debug({ target, module: 'bearer' });
      expect(answer).toMatch(/body = "x+B/);
      expect(answer).not.toContain('of-forty');
    }
  });

  test('shows no token that was fetched for the run', async () => {
    const { port } = await serveHttp(({ headers }, response) => response.end(headers.authorization));
    const answer = await debug({ target: `http://127.0.0.1:${port}/`, module: 'oauth2' });
    expect(answer).toContain('body = "Bearer [redacted]"');
    expect(answer).not.toContain(FETCHED);
  });

  test('shows no secret that the module holds in several lines', async () => {
    const answer = await debug({ target: page('/ok'), module: 'client' });
    expect(answer).toContain('Module configuration:\nprober: http\n');
    for (const line of key.trim().split('\n')) expect(answer).not.toContain(line.slice(0, 20));
  });
});

test('nobody has credentials sent without a token', async () => {
  for (const module of ['login', 'bearer', 'oauth2', 'client']) {
    const { status, text: answer } = await ask({ target: page('/echo'), module });
    expect([status, answer]).toEqual([400, expect.stringContaining('set http.token')]);
  }
  const doubts = ({ log }: Daemon) => log.filter(({ event }) => event === 'configuration_doubtful');
  expect(doubts(daemon)).toHaveLength(4);
  expect(doubts(guarded)).toEqual([]);
});

describe('nobody else can have it connect to anything', () => {
  const isReached = async (headers: Record<string, string>) => {
    let reached = false;
    const server = createServer((_request, response) => {
      reached = true;
      response.end();
    });
    const port = await listen(server);
    try {
      const { status } = await ask({ target: `http://127.0.0.1:${port}/` }, headers);
      return [status, reached];
    } finally {
      await close(server);
    }
  };

  test('neither a page of another origin, nor a name that was bound to loopback', async () => {
    expect(await isReached({})).toEqual([200, true]);
    expect(await isReached({ 'sec-fetch-site': 'cross-site' })).toEqual([403, false]);
    expect(await isReached({ origin: 'http://evil.example' })).toEqual([403, false]);
  });

  test('a listener for others needs a token, and so does the probe', async () => {
    const open = await createHome({ 'brainstem.yml': `http: { listen: "0.0.0.0:0" }\n` });
    const refused = await startDaemon({ home: open, ready: false });
    expect(await refused.exited).toBe(1);
    await open.remove();
    const target = page('/ok');
    expect((await askProbe(guarded.url, { target })).status).toBe(401);
    expect((await askGuarded({ target })).series.get('probe_success')).toBe(1);
  });
});

test('more than a hundred at once are told to come back', async () => {
  const target = `http://${targets.at['silent']}/`;
  const headers = { 'x-prometheus-scrape-timeout-seconds': '2.5' };
  const answers = await Promise.all(Array.from({ length: 110 }, () => ask({ target }, headers)));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(100);
  expect(statuses.filter((status) => status === 503)).toHaveLength(10);
  expect((await ask({ target: page('/ok') })).series.get('probe_success')).toBe(1);
});

test('a saved blackbox.yml is what is asked next; a broken one changes nothing', async () => {
  const added = `${text}  added: { prober: http, http: { valid_status_codes: [404] } }\n`;
  const isKnown = async (module: string) => (await ask({ module, target: page('/missing') })).status === 200;
  expect(await isKnown('added')).toBe(false);
  await home.write({ 'blackbox.yml': added });
  await until(() => isKnown('added'), { what: 'the new module' });
  await home.write({ 'blackbox.yml': `${added}  bad: { prober: htttp }\n` });
  await until(() => daemon.log.some(({ event }) => event === 'configuration_invalid'), { what: 'the refusal' });
  expect(await isKnown('added')).toBe(true);
  expect(await isKnown('bad')).toBe(false);
});
