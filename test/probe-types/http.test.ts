import type { Socket } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { RetryableError } from '../../src/errors.ts';
import type { Sample } from '../../src/ports.ts';
import { classify } from '../../src/probe-types/failure.ts';
import { http } from '../../src/probe-types/http.ts';
import { startNameServer } from '../estate/hostile-names.ts';
import { answering, closedPort, probe, serveHttp, serveRaw, sleep } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options = {}) => probe(http, http.spec.parse(spec) as never, options);

describe('what an answer shows', () => {
  test('status, headers, body, json, phases and where it came from', async () => {
    const modified = 'Mon, 02 Nov 2026 00:00:00 GMT';
    const { port } = await serveHttp((_request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Last-Modified', modified);
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.writeHead(203).end('{"status":"operational","depth":{"of":[1,2]}}');
    });
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${port}/health?token=x` });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      status: 203,
      headers: { 'content-type': 'application/json', 'set-cookie': 'a=1, b=2' },
      body: '{"status":"operational","depth":{"of":[1,2]}}',
      json: { status: 'operational', depth: { of: [1, 2] } },
      redirects: 0,
      final_url: `http://127.0.0.1:${port}/health`,
      body_bytes: 45,
      body_truncated: false,
      content_length: undefined,
      last_modified_s: Date.parse(modified) / 1_000,
      http_version: 1.1,
      ip: '127.0.0.1',
      certificate: undefined,
      tls: undefined,
    });
    const phases = fields['phases'] as Record<string, number>;
    expect(Object.keys(phases)).toEqual(['resolve_ms', 'connect_ms', 'tls_ms', 'processing_ms', 'transfer_ms']);
    expect(phases['processing_ms']).toBeGreaterThan(0);
  });

  test('each phase holds the time that was spent in it', async () => {
    const { port } = await serveHttp((_request, response) => {
      setTimeout(() => {
        response.write('one');
        setTimeout(() => response.end('two'), 300);
      }, 150);
    });
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/` });
    const phases = fields['phases'] as Record<string, number>;
    expect(phases['processing_ms']).toBeGreaterThan(140);
    expect(phases['transfer_ms']).toBeGreaterThan(290);
    expect(phases['connect_ms']).toBeLessThan(140);
  });

  test('every observed field is declared', async () => {
    const { port } = await serveHttp((_request, response) => response.end('x'));
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/` });
    for (const name of Object.keys(fields)) expect(http.fields).toHaveProperty(name);
  });

  test('an error status is an answer like any other', async () => {
    const { port } = await serveHttp((_request, response) => response.writeHead(503).end('away'));
    expect(await ask({ url: `http://127.0.0.1:${port}/` })).toMatchObject({ reason: 'ok', fields: { status: 503 } });
    expect(http.impliedExpect).toMatchObject({ unlessNames: 'status', source: 'status >= 200 && status < 300' });
  });

  test('bytes that are not UTF-8 become replacement characters', async () => {
    const { port } = await serveHttp((_request, response) => response.end(Buffer.from([0x61, 0xff, 0xfe, 0x62])));
    expect((await ask({ url: `http://127.0.0.1:${port}/` })).fields['body']).toBe('a\ufffd\ufffdb');
  });

  test('what nobody reads is not made', async () => {
    const { port } = await serveHttp((_request, response) => response.end('{"a":1}'));
    const url = `http://127.0.0.1:${port}/`;
    const { fields } = await ask({ url }, { reads: new Set(['status']) });
    expect(fields).toMatchObject({ status: 200, body_bytes: 7, headers: undefined, body: undefined, json: undefined });
    expect((await ask({ url }, { reads: new Set(['json']) })).fields).toMatchObject({
      json: { a: 1 },
      body: undefined,
    });
    expect((await ask({ url }, { reads: new Set(['body']) })).fields).toMatchObject({
      body: '{"a":1}',
      json: undefined,
    });
  });

  test.each([
    ['an object', '{"a":1}', 'text/plain', { a: 1 }],
    ['a bare word that says it is JSON', 'true', 'application/json', true],
    ['a bare word that does not', 'true', 'text/plain', undefined],
    ['broken JSON', '{"a":', 'application/json', undefined],
    ['text', 'hello', 'application/json', undefined],
    ['nothing', '', 'application/json', undefined],
    ['nesting as deep as allowed', '['.repeat(64) + ']'.repeat(64), 'application/json', expect.anything()],
    ['nesting that would overflow', '['.repeat(50_000) + ']'.repeat(50_000), 'application/json', undefined],
    ['brackets inside strings', JSON.stringify({ a: '['.repeat(100), b: '"[' }), '', { a: '['.repeat(100), b: '"[' }],
  ])('json of %s', async (_name, body, type, json) => {
    const { port } = await serveHttp((_request, response) =>
      response.writeHead(200, { 'Content-Type': type }).end(body),
    );
    expect((await ask({ url: `http://127.0.0.1:${port}/` })).fields['json']).toEqual(json);
  });

  test('a key named __proto__ stays a key', async () => {
    const { port } = await serveHttp((_request, response) => response.end('{"__proto__":{"polluted":true}}'));
    await ask({ url: `http://127.0.0.1:${port}/` });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('what is sent', () => {
  /** Answers with what it was asked. */
  const echo = () =>
    serveHttp(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
    });

  test('method, headers and body', async () => {
    const { port } = await echo();
    const { fields } = await ask({
      url: `http://127.0.0.1:${port}/a/b?c=d#e`,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Host: 'shop.example', 'X-Empty': '', 'user-agent': 'me' },
      body: '{"grüße":1}',
    });
    expect(fields['json']).toMatchObject({
      method: 'POST',
      url: '/a/b?c=d',
      headers: { 'content-type': 'application/json', 'content-length': '13', host: 'shop.example', 'user-agent': 'me' },
      body: '{"grüße":1}',
    });
    expect((fields['json'] as { headers: object }).headers).not.toHaveProperty('x-empty');
    expect((fields['json'] as { headers: object }).headers).toHaveProperty('connection', 'close');
  });

  test('HEAD has no body to wait for', async () => {
    const { port } = await serveHttp((_request, response) => response.writeHead(200, { 'Content-Length': 5 }).end());
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${port}/`, method: 'HEAD' });
    expect({ reason, bytes: fields['body_bytes'], length: fields['content_length'] }).toEqual({
      reason: 'ok',
      bytes: 0,
      length: 5,
    });
  });

  test.each([
    [
      'basic',
      '',
      { basic: { username: 'jo', password: 'pü:x' } },
      `Basic ${Buffer.from('jo:pü:x').toString('base64')}`,
    ],
    ['bearer', '', { bearer: 'abc' }, 'Bearer abc'],
    ['an empty bearer', '', { bearer: '' }, undefined],
    ['userinfo', 'jo:a%20b%@', undefined, `Basic ${Buffer.from('jo:a b%').toString('base64')}`],
  ])('authorisation by %s', async (_name, userinfo, auth, expected) => {
    const { port } = await echo();
    const { fields } = await ask({ url: `http://${userinfo}127.0.0.1:${port}/`, auth });
    expect((fields['json'] as { headers: Record<string, string> }).headers['authorization']).toBe(expected);
  });

  test('a fresh connection for every run', async () => {
    let connections = 0;
    const { port } = await serveHttp((request, response) => response.end(String(request.socket.remotePort)));
    const seen = new Set<unknown>();
    for (; connections < 3; connections += 1)
      seen.add((await ask({ url: `http://127.0.0.1:${port}/` })).fields['body']);
    expect(seen.size).toBe(3);
  });
});

describe('oauth2 client credentials', () => {
  test('a token is fetched, kept, and fetched again when it is refused', async () => {
    const requests: string[] = [];
    let valid = 'first';
    const tokens = await serveHttp(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      requests.push(`${request.headers.authorization} ${Buffer.concat(chunks)}`);
      response.end(JSON.stringify({ access_token: valid, token_type: 'Bearer', expires_in: 3600 }));
    });
    const target = await serveHttp((request, response) => {
      response.writeHead(request.headers.authorization === `Bearer ${valid}` ? 200 : 401).end();
    });
    const spec = http.spec.parse({
      url: `http://127.0.0.1:${target.port}/`,
      auth: {
        oauth2: {
          token_url: `http://127.0.0.1:${tokens.port}/token`,
          client_id: 'me',
          client_secret: 's p',
          scopes: ['a', 'b'],
        },
      },
    });
    expect(await probe(http, spec)).toMatchObject({ reason: 'ok', fields: { status: 200 }, hidden: ['first'] });
    expect(await probe(http, spec)).toMatchObject({ fields: { status: 200 }, hidden: ['first'] });
    const credentials = Buffer.from('me:s%20p').toString('base64');
    expect(requests).toEqual([`Basic ${credentials} grant_type=client_credentials&scope=a+b`]);
    valid = 'second';
    expect(await probe(http, spec)).toMatchObject({ fields: { status: 401 }, hidden: ['first'] });
    expect(await probe(http, spec)).toMatchObject({ fields: { status: 200 }, hidden: ['second'] });
    expect(requests).toHaveLength(2);
  });

  test.each([
    ['refuses', 401, '{}', /answered 401/],
    ['answers nonsense', 200, 'hello', /no access_token/],
    ['answers without a token', 200, '{"token_type":"Bearer"}', /no access_token/],
    [
      'answers with a token that no header can hold',
      200,
      '{"access_token":"a\\nb","expires_in":1e300}',
      /no access_token/,
    ],
    ['answers with a token without end', 200, `{"access_token":"${'x'.repeat(20_000)}"}`, /no access_token/],
  ])('a token server that %s is reason auth', async (_name, status, body, message) => {
    const { port } = await serveHttp((_request, response) => response.writeHead(status).end(body));
    const oauth2 = { token_url: `http://127.0.0.1:${port}/`, client_id: 'me', client_secret: 'x' };
    const output = await ask({ url: `http://127.0.0.1:${port}/target`, auth: { oauth2 } });
    expect(output).toMatchObject({
      reason: 'auth',
      fields: { status: undefined },
      error: expect.stringMatching(message),
    });
    expect(output.unknown).toBeUndefined();
  });

  test('a token that is said to be good for ever is kept for a day', async () => {
    let fetched = 0;
    const { port } = await serveHttp((request, response) => {
      if (request.method === 'POST') fetched += 1;
      response.end('{"access_token":"abc","expires_in":1e300}');
    });
    const oauth2 = { token_url: `http://127.0.0.1:${port}/`, client_id: 'me', client_secret: 'x' };
    const spec = http.spec.parse({ url: `http://127.0.0.1:${port}/target`, auth: { oauth2 } });
    const hours = [0, 23, 25];
    for (const hour of hours) {
      const clock = { now: () => Date.now() + hour * 3_600_000, monotonic: () => performance.now() };
      expect(await probe(http, spec, { clock })).toMatchObject({ reason: 'ok' });
    }
    expect(fetched).toBe(2);
  });

  test.each<[string, string, RegExp, (socket: Socket) => void]>([
    ['is overloaded', 'http_status', /answered 503/, answering('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')],
    ['speaks something else', 'protocol', /not valid HTTP/, answering('SSH-2.0-x\r\n')],
    ['hangs', 'timeout', /deadline/, () => {}],
    ['hangs in its answer', 'timeout', /whole body/, answering('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{')],
  ])('a token server that %s is no matter of credentials', async (_name, reason, message, onConnection) => {
    const { port } = await serveRaw(onConnection);
    const oauth2 = { token_url: `http://127.0.0.1:${port}/`, client_id: 'me', client_secret: 'x' };
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const output = await ask({ url: 'http://127.0.0.1:1/', auth: { oauth2 } }, { timeoutMs });
    expect(output).toMatchObject({ reason, unknown: 'witness_away', error: expect.stringMatching(message) });
    expect(output.error).toContain(`no token from 127.0.0.1:${port}: `);
  });

  test('a token server that is away, or has no name, is told by what is wrong', async () => {
    const port = await closedPort();
    const from = (host: string) => ({ token_url: `http://${host}/`, client_id: 'me', client_secret: 'x' });
    const url = 'http://127.0.0.1:1/';
    expect(await ask({ url, auth: { oauth2: from(`127.0.0.1:${port}`) } })).toMatchObject({
      reason: 'connect_refused',
      error: `no token from 127.0.0.1:${port}: connection refused`,
    });
    const { address: resolver } = await startNameServer('--local=/test/');
    expect(await ask({ url, auth: { oauth2: from('gone.test') }, resolver })).toMatchObject({
      reason: 'dns',
      error: 'no token from gone.test: gone.test does not exist',
    });
  });

  test('the time that a token takes is not the time of the target', async () => {
    const tokens = await serveHttp(async (_request, response) => {
      await sleep(1_000);
      response.end('{"access_token":"abc"}');
    });
    const oauth2 = { token_url: `http://127.0.0.1:${tokens.port}/`, client_id: 'me', client_secret: 'x' };
    const target = await serveHttp((_request, response) => response.end());
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${target.port}/`, auth: { oauth2 } });
    expect(reason).toBe('ok');
    const spent = Object.values(fields['phases'] as Record<string, number>);
    expect(spent.reduce((sum, one) => sum + one, 0)).toBeLessThan(900);
    expect(fields).toMatchObject({ phases: { processing_ms: expect.toSatisfy((one: number) => one > 0) } });
  });
});

describe('body', () => {
  test('reading stops at max_body, which is no failure', async () => {
    const server = await serveHttp((_request, response) => response.end('x'.repeat(5_000)));
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${server.port}/`, max_body: '2kB' });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      body_bytes: 2_000,
      body_truncated: true,
      body: 'x'.repeat(2_000),
      content_length: 5_000,
    });
    await server.drained();
  });

  test('a body of exactly max_body is whole', async () => {
    const { port } = await serveHttp((_request, response) => response.end('x'.repeat(2_000)));
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/`, max_body: 2_000 });
    expect(fields).toMatchObject({ body_bytes: 2_000, body_truncated: false });
  });

  test('text is cut at 64 KiB, all bytes are counted', async () => {
    const { port } = await serveHttp((_request, response) => response.end('x'.repeat(100_000)));
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/` });
    expect((fields['body'] as string).length).toBe(65_536);
    expect(fields).toMatchObject({ body_bytes: 100_000, body_truncated: false });
  });

  test('layers of compression are undone', async () => {
    const { port } = await serveHttp((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip, identity, x-gzip' }).end(gzipSync(gzipSync('{"a":1}')));
    });
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/` });
    expect(fields).toMatchObject({ json: { a: 1 }, body_bytes: 7 });
  });

  test.each(['gzip', 'deflate', 'br', 'gzip, br'])('that is empty needs no decoding from %s', async (encoding) => {
    const { port } = await serveHttp((request, response) => {
      const empty = encoding === 'gzip, br' && request.method === 'GET' ? brotliCompressSync('') : '';
      response.writeHead(200, { 'Content-Encoding': encoding }).end(empty);
    });
    const url = `http://127.0.0.1:${port}/`;
    for (const method of ['HEAD', 'GET']) {
      expect(await ask({ url, method })).toMatchObject({ reason: 'ok', fields: { status: 200, body_bytes: 0 } });
    }
    // Whoever says what the body is demands one.
    expect(await ask({ url, encoding: 'gzip' })).toMatchObject({ reason: 'protocol' });
  });
});

describe('redirects', () => {
  test('are followed, counted, and named at the end', async () => {
    const { port } = await serveHttp((request, response) => {
      const step = Number(request.url?.slice(1));
      if (step < 3) response.writeHead(302, { Location: `/${step + 1}` }).end();
      else response.end('here');
    });
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/0` });
    expect(fields).toMatchObject({ status: 200, redirects: 3, body: 'here', final_url: `http://127.0.0.1:${port}/3` });
  });

  test('are the answer when none are to be followed, or when they lead nowhere', async () => {
    const { port } = await serveHttp((request, response) => {
      response.writeHead(302, request.url === '/to' ? { Location: '/x' } : {}).end('moved');
    });
    const to = await ask({ url: `http://127.0.0.1:${port}/to`, redirects: 0 });
    expect(to).toMatchObject({ reason: 'ok', fields: { status: 302, redirects: 0, body: 'moved' } });
    expect(await ask({ url: `http://127.0.0.1:${port}/` })).toMatchObject({ reason: 'ok', fields: { status: 302 } });
  });

  test('that lead where nobody answers are no answer', async () => {
    const away = `http://127.0.0.1:${await closedPort()}/`;
    const { port } = await serveHttp((_request, response) => response.writeHead(302, { Location: away }).end());
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${port}/` });
    expect(reason).toBe('connect_refused');
    expect(fields).toMatchObject({ redirects: 1, final_url: away });
    expect(fields).toMatchObject({ status: undefined, http_version: undefined, content_length: undefined });
    expect(fields['headers']).toBeUndefined();
  });

  test('may lead to what is not ASCII', async () => {
    const { port } = await serveHttp((request, response) => {
      if (request.url !== '/') response.end(request.url);
      else response.writeHead(302, { Location: Buffer.from('/grüße').toString('latin1') }).end();
    });
    expect((await ask({ url: `http://127.0.0.1:${port}/` })).fields['body']).toBe('/gr%C3%BC%C3%9Fe');
  });

  test('a loop ends at the limit', async () => {
    let requests = 0;
    const server = await serveHttp((_request, response) => {
      requests += 1;
      response.writeHead(302, { Location: '/again' }).end();
    });
    const output = await ask({ url: `http://127.0.0.1:${server.port}/` });
    expect(output).toMatchObject({ reason: 'protocol', fields: { status: 302, redirects: 10 } });
    expect(output.error).toContain('more than 10 redirects');
    expect(requests).toBe(11);
    await server.drained();
  });

  test.each([
    ['POST', 301, 'GET', ''],
    ['POST', 303, 'GET', ''],
    ['PUT', 303, 'GET', ''],
    ['PUT', 302, 'PUT', 'text'],
    ['POST', 307, 'POST', 'text'],
    ['POST', 308, 'POST', 'text'],
  ])('%s after %i goes on as %s', async (method, status, nextMethod, nextBody) => {
    const { port } = await serveHttp(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      if (request.url === '/') response.writeHead(status, { Location: '/next' }).end();
      else response.end(`${request.method} ${Buffer.concat(chunks)}`);
    });
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/`, method, body: 'text' });
    expect(fields['body']).toBe(`${nextMethod} ${nextBody}`);
  });

  test('credentials stay with the origin they are for, also when it is reached again by a detour', async () => {
    const seen: unknown[] = [];
    const record = (name: string, location?: string) =>
      serveHttp((request, response) => {
        const { authorization, 'x-internal': internal, 'user-agent': agent } = request.headers;
        seen.push({ at: `${name}${request.url}`, authorization, internal, agent });
        const next = request.url === '/' ? '/same' : request.url === '/same' ? location : undefined;
        if (next) response.writeHead(302, { Location: next }).end();
        else response.end();
      });
    const detour = await serveHttp((request, response) => {
      const { authorization, 'x-internal': internal, 'user-agent': agent } = request.headers;
      seen.push({ at: 'other', authorization, internal, agent });
      response.writeHead(302, { Location: `http://127.0.0.1:${home.port}/back` }).end();
    });
    const home = await record('home', `http://127.0.0.1:${detour.port}/`);
    await ask({
      url: `http://127.0.0.1:${home.port}/`,
      auth: { bearer: 'abc' },
      headers: { 'X-Internal': 'yes', 'User-Agent': 'me' },
    });
    const known = { authorization: 'Bearer abc', internal: 'yes', agent: 'me' };
    const stranger = { authorization: undefined, internal: undefined, agent: 'me' };
    expect(seen).toEqual([
      { at: 'home/', ...known },
      { at: 'home/same', ...known },
      { at: 'other', ...stranger },
      { at: 'home/back', ...stranger },
    ]);
  });

  test.each([
    ['another scheme', 'file:///etc/passwd', /to the scheme file:/],
    ['what is no URL', 'http://[', /not a URL/],
  ])('to %s are refused', async (_name, location, message) => {
    const { port } = await serveHttp((_request, response) => response.writeHead(302, { Location: location }).end());
    const output = await ask({ url: `http://127.0.0.1:${port}/` });
    expect(output).toMatchObject({ reason: 'protocol', error: expect.stringMatching(message) });
  });

  test('that would carry a body to another origin are refused', async () => {
    let reached = false;
    const other = await serveHttp((_request, response) => {
      reached = true;
      response.end();
    });
    const { port } = await serveHttp((_request, response) => {
      response.writeHead(307, { Location: `http://127.0.0.1:${other.port}/?secret=1` }).end();
    });
    const output = await ask({ url: `http://127.0.0.1:${port}/`, method: 'POST', body: 'login' });
    expect(output).toMatchObject({ reason: 'protocol', error: expect.stringContaining('another origin') });
    expect(output.error).not.toContain('secret');
    expect(reached).toBe(false);
  });
});

describe('proxy', () => {
  test('is asked for the whole URL, with its own credentials', async () => {
    const proxy = await serveHttp((request, response) => {
      response.end(`${request.url} ${request.headers.host} ${request.headers['proxy-authorization']}`);
    });
    const { fields } = await ask({ url: 'http://shop.invalid/a?b', proxy: `http://u:p@127.0.0.1:${proxy.port}` });
    expect(fields['body']).toBe(`http://shop.invalid/a?b shop.invalid Basic ${Buffer.from('u:p').toString('base64')}`);
    expect(fields).toMatchObject({ ip: '127.0.0.1', final_url: 'http://shop.invalid/a' });
  });

  test.each([
    ['HTTP/1.1 407 No\r\n\r\n', 'auth', /credentials/],
    ['HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad', 'protocol', /refused to connect \(502\)/],
    ['hello\r\n\r\n', 'protocol', /not valid HTTP/],
  ])('that answers CONNECT with %j is reason %s', async (answer, reason, message) => {
    const proxy = await serveRaw((socket) => socket.once('data', () => socket.write(answer)));
    const output = await ask({ url: 'https://shop.invalid/', proxy: `http://127.0.0.1:${proxy.port}` });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    await proxy.drained();
  });
});

describe('definition', () => {
  const oauth2 = (client_id: string, client_secret: string) => ({ token_url: 'http://x/', client_id, client_secret });

  test.each([
    [{ url: 'ftp://x/' }, 'url', /not a URL that starts with http:/],
    [{ url: 'shop' }, 'url', /not a URL/],
    [{ url: 'http://x/', headers: { 'a b': 'c' } }, 'headers.a b', /not a valid header/],
    [{ url: 'http://x/', headers: { a: 'b\r\nc: d' } }, 'headers.a', /not a valid header/],
    [{ url: 'http://x/', headers: { 'Content-Length': '1' } }, 'headers.Content-Length', /set by Brainstem/],
    [{ url: 'http://x/', auth: {} }, 'auth', /exactly one/],
    [{ url: 'http://x/', auth: { bearer: 'a', basic: { username: 'b' } } }, 'auth', /exactly one/],
    [{ url: 'http://x/', auth: { bearer: 'a\nb' } }, 'auth.bearer', /cannot stand in a header/],
    [{ url: 'http://x/', auth: { bearer: 'tök€n' } }, 'auth.bearer', /cannot stand in a header/],
    [{ url: 'http://x/', auth: { oauth2: oauth2('\ud800', 'x') } }, 'auth.oauth2.client_id', /not text/],
    [{ url: 'http://x/', auth: { oauth2: oauth2('x', '\ud800') } }, 'auth.oauth2.client_secret', /not text/],
    [{ url: 'https://x/', tls: { server_name: 'a b' } }, 'tls.server_name', /not the name of a host/],
    [{ url: 'https://x/', tls: { server_name: 'a\0b' } }, 'tls.server_name', /not the name of a host/],
    [{ url: 'https://x/', tls: { server_name: 'x'.repeat(300) } }, 'tls.server_name', /not the name of a host/],
    [{ url: 'http://x/', tls: { cert: '-----BEGIN x' } }, 'tls', /belong together/],
    [{ url: 'http://x/', tls: { ca: 'ca.pem' } }, 'tls.ca', /neither PEM text nor an absolute path/],
    [{ url: 'http://x/', tls: { cert: '-----BEGIN x', key: '-----BEGIN x' } }, 'tls', /not usable/],
    [{ url: 'http://x/', resolver: 'ns.example' }, 'resolver', /not a name server/],
    [{ url: 'http://x/', max_body: '1GiB' }, 'max_body', /more than 64MiB/],
    [{ url: 'http://x/', redirect: 1 }, '', /redirect/],
  ])('%j is refused', (spec, path, message) => {
    const issues = http.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
  });

  test.each(['shop.example', 'shop.example.', 'bücher.example', '_sip.shop.example', '127.0.0.1', '::1'])(
    'a server may be called %s',
    (name) => {
      expect(http.spec.safeParse({ url: 'https://x/', tls: { server_name: name } }).error).toBeUndefined();
    },
  );

  test('becomes JSON Schema with its defaults and its secrets marked', () => {
    const schema = z.toJSONSchema(http.spec, { io: 'input' }) as {
      properties: Record<string, Record<string, unknown>>;
    };
    expect(schema.properties['max_body']).toMatchObject({ default: '1MiB' });
    expect(schema.properties['auth']).toMatchObject({ properties: { bearer: { writeOnly: true } } });
    expect(schema.properties['headers']).toMatchObject({ properties: { Authorization: { writeOnly: true } } });
  });

  test('the example is valid', () => {
    const [definition] = parse(http.example);
    expect(http.spec.safeParse(definition.http).error).toBeUndefined();
  });

  test('the target shows neither userinfo nor query', () => {
    expect(http.target(http.spec.parse({ url: 'https://u:p@Shop.example:8443/a/b?c=d#e' }))).toBe(
      'https://shop.example:8443/a/b',
    );
  });
});

test("the series are blackbox_exporter's", async () => {
  const { port } = await serveHttp((_request, response) => response.end('hello'));
  const output = await ask({ url: `http://localhost:${port}/` });
  const sampled = new Map(http.families.map((family) => [family.name, family.sample(output.fields, {} as never)]));
  expect(Object.fromEntries(sampled)).toMatchObject({
    probe_http_status_code: 200,
    probe_http_content_length: 5,
    probe_http_uncompressed_body_length: 5,
    probe_http_redirects: 0,
    probe_http_ssl: 0,
    probe_http_version: 1.1,
    probe_ip_protocol: 4,
    probe_dns_lookup_time_seconds: expect.any(Number),
  });
  const phases = sampled.get('probe_http_duration_seconds') as readonly Sample[];
  expect(phases.map((sample) => sample.labels['phase'])).toEqual([
    'resolve',
    'connect',
    'tls',
    'processing',
    'transfer',
  ]);
});

test('our own lack of descriptors blames no target', () => {
  const lack = Object.assign(new Error('connect EMFILE'), { code: 'EMFILE' });
  expect(classify(lack, 'connect')).toBeInstanceOf(RetryableError);
});
