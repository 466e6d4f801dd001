import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { compileCondition, NO_WINDOW } from '../../src/engine/condition.ts';
import type { ProbeOutput } from '../../src/ports.ts';
import { prometheus } from '../../src/probe-types/prometheus.ts';
import { freePort } from '../estate/daemon.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import {
  answering,
  closedPort,
  drip,
  flood,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type ServerProcess, serverProcess } from '../estate/server-process.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(prometheus, prometheus.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

interface Started {
  readonly url: string;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

/** A real Prometheus that scrapes itself every second. */
async function start(web = '', scheme = 'http', prefix = ''): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const port = await freePort();
  const scrape = `{ job_name: self, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }`;
  await writeFile(join(folder, 'p.yml'), `{ global: { scrape_interval: 1s }, scrape_configs: [${scrape}] }`);
  await writeFile(join(folder, 'web.yml'), web);
  const process = serverProcess({
    command: '/usr/bin/prometheus',
    arguments: [
      ...[`--config.file=${join(folder, 'p.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, `--web.config.file=${join(folder, 'web.yml')}`],
      ...(prefix === '' ? [] : [`--web.external-url=http://127.0.0.1:${port}${prefix}`]),
    ],
    ready: async () => {
      const tls = scheme === 'https' ? { tls: { insecure_skip_verify: true } } : {};
      return (await ask({ url, query: '1', ...tls })).reason === 'ok';
    },
  });
  const url = `${scheme}://127.0.0.1:${port}${prefix}`;
  await process.start();
  return {
    url,
    process,
    async stop() {
      await process.end('SIGTERM');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

let server: Started;
beforeAll(async () => {
  server = await start();
});
afterAll(() => server.stop());

describe('a query', () => {
  test('gives a value', async () => {
    const output = await ask({ url: server.url, query: 'vector(42.5)' });
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { value: 42.5, count: 1, series: [{ labels: {}, value: 42.5 }], warnings: [], ip: '127.0.0.1' },
    });
    expect(Object.keys(output.fields['phases'] as object)).toContain('transfer_ms');
    expect(await ask({ url: `${server.url}/`, query: 'scalar(vector(1))' })).toMatchObject({ fields: { value: 1 } });
  });

  test('gives series with their labels', async () => {
    const query = { url: server.url, query: 'up{job="self"} or vector(7)' };
    while ((await ask(query)).fields['count'] !== 2) await sleep(100);
    expect((await ask(query)).fields['series']).toEqual([
      { labels: { __name__: 'up', job: 'self', instance: server.url.slice('http://'.length) }, value: 1 },
      { labels: {}, value: 7 },
    ]);
  });

  test('counts all series and shows a hundred', async () => {
    const { fields } = await ask({ url: server.url, query: '{job="self"}' });
    expect(fields['count']).toBeGreaterThan(300);
    expect(fields['series']).toHaveLength(100);
  });

  test.each(['0 / vector(0)', 'vector(1) / 0', '-vector(1) / 0'])('%s is no value', async (query) => {
    expect(await ask({ url: server.url, query })).toMatchObject({ reason: 'ok', fields: { value: null, count: 1 } });
  });

  test('without a result is an observation, and fails unless a condition asks how many there are', async () => {
    const { reason, fields } = await ask({ url: server.url, query: 'absent_metric' });
    expect({ reason, fields }).toMatchObject({ reason: 'ok', fields: { value: undefined, series: [], count: 0 } });
    expect(prometheus.impliedExpect).toEqual({ unlessNames: 'count', source: 'count > 0' });
    const judged = (source: string) => {
      const location = { file: 'probes/x.yaml', line: 1, column: 1 };
      const scope = { fields: prometheus.fields, everyMs: 30_000, windows: true, location };
      const bindings = { ok: true, reason: 'ok', latency_ms: 1, error: null, ...fields } as const;
      return compileCondition(source, scope).evaluate(bindings, NO_WINDOW).outcome;
    };
    expect(['count > 0', 'value < 5', 'count == 0', 'series.all(s, s.value > 1)'].map(judged)).toEqual([
      'false',
      'false',
      'true',
      'true',
    ]);
  });

  test('goes behind a path', async () => {
    const prefixed = await start('', 'http', '/metrics/store');
    onTestFinished(() => prefixed.stop());
    expect(await ask({ url: prefixed.url, query: '3' })).toMatchObject({ reason: 'ok', fields: { value: 3 } });
    expect(await ask({ url: prefixed.url.replace('/store', ''), query: '3' })).toMatchObject({
      reason: 'http_status',
      error: 'it answered 404',
    });
  });

  test('goes over TLS', async () => {
    const authority = await createAuthority();
    onTestFinished(() => authority.remove());
    await authority.issue('metrics', { names: 'IP:127.0.0.1', days: 30 });
    const [cert, key] = ['pem', 'key'].map((end) => join(authority.folder, `metrics.${end}`));
    const secure = await start(`tls_server_config: { cert_file: ${cert}, key_file: ${key} }`, 'https');
    onTestFinished(() => secure.stop());
    const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=metrics,O=Test' } };
    const trusting = { url: secure.url, query: '1', tls: { ca: authority.cert } };
    expect(await ask(trusting)).toMatchObject({ reason: 'ok', fields: { ...fields, value: 1 } });
    expect(await ask({ url: secure.url, query: '1' })).toMatchObject({ reason: 'tls', fields });
  });

  test('carries who asks, and is not a URL', async () => {
    const heard: unknown[] = [];
    const { port } = await serveHttp((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        const { authorization, 'x-scope-orgid': tenant } = request.headers;
        heard.push([request.url, Buffer.concat(chunks).toString(), authorization, tenant]);
        response.end('{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}');
      });
    });
    const token = ['to', 'ken'].join('');
    const url = `http://127.0.0.1:${port}/prefix/?tenant=a`;
    const headers = { 'X-Scope-OrgID': 'shop' };
    await ask({ url, query: 'a{b="c&d"}', auth: { bearer: token }, headers });
    await ask({ url, query: '1', auth: { basic: { username: 'u', password: 'p' } } });
    expect(heard).toEqual([
      ['/prefix/api/v1/query?tenant=a', 'query=a%7Bb%3D%22c%26d%22%7D', `Bearer ${token}`, 'shop'],
      ['/prefix/api/v1/query?tenant=a', 'query=1', `Basic ${Buffer.from('u:p').toString('base64')}`, undefined],
    ]);
  });
});

test('a fetched token that is said back is named as what nobody may see', async () => {
  const token = ['minted', 'just', 'now'].join('-');
  const tokens = await serveHttp((_request, response) => response.end(JSON.stringify({ access_token: token })));
  const { port } = await serveHttp(({ headers }, response) => {
    const error = `no such tenant: ${headers.authorization}`;
    response.writeHead(400).end(JSON.stringify({ status: 'error', errorType: 'bad_data', error }));
  });
  const oauth2 = { token_url: `http://127.0.0.1:${tokens.port}/`, client_id: 'me', client_secret: 'x' };
  expect(await ask({ url: `http://127.0.0.1:${port}`, query: '1', auth: { oauth2 } })).toMatchObject({
    error: expect.stringContaining(token),
    hidden: [token],
  });
});

describe('what goes wrong has a reason', () => {
  test.each([
    ['a query that cannot be read', 'sum(', /^bad_data: .*parse error/],
    [
      'a query that cannot be run',
      'vector(1) + on() (vector(1) or label_replace(vector(2), "a", "b", "", ""))',
      /^execution: /,
    ],
    ['a query that gives ranges', 'up[5m]', /ranges/],
  ])('%s', async (_name, query, message) => {
    expect(await ask({ url: server.url, query })).toMatchObject({
      reason: 'body',
      error: expect.stringMatching(message),
    });
  });

  const http = (status: string, body: string) =>
    `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const refusal = (type: string) => JSON.stringify({ status: 'error', errorType: type, error: 'no' });

  test.each<[string, string, string, RegExp]>([
    ['no credentials', http('401 Unauthorized', 'Unauthorized'), 'auth', /401/],
    ['wrong ones', http('403 Forbidden', ''), 'auth', /403/],
    ['a proxy without Prometheus', http('502 Bad Gateway', '<html>'), 'http_status', /502/],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n', 'http_status', /302/],
    ['a query that takes too long', http('503 Service Unavailable', refusal('timeout')), 'timeout', /timeout: no/],
    ['a store that is away', http('503 Service Unavailable', refusal('unavailable')), 'unhealthy', /unavailable/],
    ['a page', http('200 OK', '<html>'), 'protocol', /not the query API/],
    ['other JSON', http('200 OK', '{"status":"success","data":null}'), 'protocol', /not the query API/],
    ['deep JSON', http('200 OK', '['.repeat(500_000)), 'protocol', /not the query API/],
    ['no HTTP', 'SSH-2.0-x\r\n', 'protocol', /HTTP/],
    ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'timeout', /deadline/],
    ['nobody', '', 'timeout', /deadline/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw(answering(bytes));
    const timeoutMs = reason === 'timeout' && !bytes.includes('503') ? 300 : 10_000;
    const output = await ask({ url: `http://127.0.0.1:${port}`, query: '1' }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('an endless answer ends at the cap', async () => {
    const { port, drained } = await serveRaw(
      answering('HTTP/1.1 200 OK\r\n\r\n', (socket) => flood(socket, 'x'.repeat(9_999))),
    );
    expect(await ask({ url: `http://127.0.0.1:${port}`, query: '1' })).toMatchObject({
      reason: 'body',
      error: expect.stringContaining('larger than 1 MiB'),
    });
    await drained();
  });

  test('a drip ends at the deadline', async () => {
    const { port } = await serveRaw(answering('HTTP/1.1 200 OK\r\n\r\n', (socket) => drip(socket, ' ', 20)));
    const output = await ask({ url: `http://127.0.0.1:${port}`, query: '1' }, { timeoutMs: 400 });
    expect(output).toMatchObject({ reason: 'timeout' });
  });

  test('nobody there, no such host', async () => {
    const refused = await ask({ url: `http://127.0.0.1:${await closedPort()}`, query: '1' });
    expect(refused).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ url: 'http://metrics.invalid', query: '1' })).toMatchObject({ reason: 'dns' });
  });

  test('a server that stands still', async () => {
    const still = await start();
    onTestFinished(() => still.stop());
    still.process.signal('SIGSTOP');
    expect(await ask({ url: still.url, query: '1' }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
    still.process.signal('SIGCONT');
    expect(await ask({ url: still.url, query: '1' })).toMatchObject({ reason: 'ok' });
  });
});

test('hundreds of runs leave nothing behind', async () => {
  const right = { url: server.url, query: '1' };
  await leavesNothing(async () => expect((await ask(right)).reason).toBe('ok'), 300, 50);
  const wrong = { url: server.url, query: 'sum(' };
  await leavesNothing(async () => expect((await ask(wrong)).reason).toBe('body'), 300, 50);
});

describe('definition', () => {
  test.each([
    [{ url: 'x', query: '1' }, /is not a URL/],
    [{ url: 'http://h', query: '' }, /./],
    [{ url: 'http://h', query: '1', auth: {} }, /exactly one/],
    [{ url: 'http://h', query: '1', method: 'GET' }, /method/],
  ])('%j is refused', (spec, message) => {
    expect(prometheus.spec.safeParse(spec).error?.issues[0]?.message).toMatch(message);
  });

  test('the target is without credentials', () => {
    const spec = prometheus.spec.parse({ url: 'http://u:secret@h:9090/p?q=1', query: '1' }) as never;
    expect(prometheus.target(spec)).toBe('http://h:9090/p');
  });

  test('the example is valid', () => {
    const [definition] = parse(prometheus.example);
    expect(prometheus.spec.safeParse(definition.prometheus).error).toBeUndefined();
  });
});
