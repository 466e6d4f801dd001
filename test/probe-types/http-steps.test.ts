/** Several requests in one run, against real servers: what goes from one to the next, what must not, and how it ends. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { http } from '../../src/probe-types/http.ts';
import { load, only, problems } from '../config/homes.ts';
import { readBody } from '../estate/faults.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  flood,
  listen,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
} from '../estate/hostile-network.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});
afterAll(() => authority.remove());

type Request = Record<string, unknown> & { readonly name?: string };

/** A run of these requests; `name` is that of the step. */
const ask = (url: string, requests: readonly Request[], spec: object = {}, options: RunOptions = {}) => {
  const steps = requests.map(({ name, ...request }) => ({ ...(name !== undefined && { name }), request }));
  return probe(http, http.spec.parse({ url, steps, ...spec }) as never, options);
};

interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server that keeps what it hears. */
async function serve(answer: (heard: Heard, response: ServerResponse) => void) {
  const heard: Heard[] = [];
  const server = await serveHttp(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, body: await readBody(request) };
    heard.push(one);
    answer(one, response);
  });
  return { ...server, url: `http://127.0.0.1:${server.port}`, heard };
}

const json = (response: ServerResponse, value: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

describe('a round trip', () => {
  const objects = new Map<string, string>();
  /** As Supabase Storage answers. */
  const storage = ({ method, url, headers, body }: Heard, response: ServerResponse) => {
    if (headers.authorization !== `Bearer ${PASSWORD}`) return json(response, { message: 'jwt malformed' }, 400);
    if (method === 'POST' && objects.has(url)) return json(response, { error: 'Duplicate' }, 409);
    if (method === 'POST') objects.set(url, body);
    if (method === 'POST') return json(response, { Key: url.split('/object/')[1], Id: 'a1' });
    const text = objects.get(url);
    if (text === undefined) return json(response, { error: 'not_found' }, 404);
    if (method === 'DELETE') objects.delete(url);
    return method === 'DELETE' ? json(response, { message: 'Successfully deleted' }) : response.end(text);
  };
  const object = '/storage/v1/object/checks/brainstem.txt';
  const requests = [
    { name: 'write', method: 'POST', url: object, body: 'written', save: { id: { json: 'Id' } } },
    { name: 'read', url: '/storage/v1/object/checks/brainstem.txt', expect: ['body == "written"'] },
    { name: 'delete', method: 'DELETE', url: object },
    { name: 'gone', url: object, expect: ['status == 404', 'json.error == "not_found"'] },
  ];
  const spec = { auth: { bearer: PASSWORD } };

  test('of an object: written, read, deleted and gone', async () => {
    const server = await serve(storage);
    const { reason, error, fields } = await ask(server.url, requests, spec);
    expect({ reason, error }).toEqual({ reason: 'ok', error: undefined });
    expect(server.heard.map(({ method }) => method)).toEqual(['POST', 'GET', 'DELETE', 'GET']);
    expect(objects.size).toBe(0);
    // What is observed is the last answer, and in short each step.
    expect(fields).toMatchObject({ status: 404, json: { error: 'not_found' }, final_url: server.url + object });
    expect(fields['steps']).toEqual([
      { name: 'write', status: 200, latency_ms: expect.any(Number) },
      { name: 'read', status: 200, latency_ms: expect.any(Number) },
      { name: 'delete', status: 200, latency_ms: expect.any(Number) },
      { name: 'gone', status: 404, latency_ms: expect.any(Number) },
    ]);
    for (const name of Object.keys(fields)) expect(http.fields).toHaveProperty(name);
    await server.drained();
  });

  test('that fails names the step, what it saw, and ends there', async () => {
    const server = await serve(({ method }, response) => void response.end(method === 'POST' ? '{"Id":"k"}' : 'lost'));
    const { reason, error, fields } = await ask(server.url, requests, spec);
    expect({ reason, error }).toEqual({
      reason: 'body',
      error: 'step 2 (read): body == "written" (body = "lost")',
    });
    expect(server.heard).toHaveLength(2);
    expect(fields['steps']).toHaveLength(2);
    expect(fields).toMatchObject({ status: 200, body: 'lost' });
  });

  test('whose status is none of success fails, unless a condition names it', async () => {
    const server = await serve(storage);
    expect(await ask(server.url, [{ url: '/a' }], spec)).toMatchObject({
      reason: 'http_status',
      error: 'step 1 (request): status >= 200 && status < 300 (status = 404)',
      fields: { status: 404 },
    });
    expect(await ask(server.url, [{ url: '/a', expect: ['json.error == "not_found"'] }], spec)).toMatchObject({
      reason: 'http_status',
    });
    expect(await ask(server.url, [{ url: '/a', expect: ['status < 500'] }], spec)).toMatchObject({ reason: 'ok' });
  });
});

describe('what is saved', () => {
  test('of a login goes along: a field of the page, a cookie, a token, a header', async () => {
    const server = await serve(({ method, url, headers, body }, response) => {
      if (url === '/login' && method === 'GET') {
        response.setHeader('Set-Cookie', ['sid=before; Path=/; HttpOnly', 'theme=dark']);
        return void response.end('<form><input name="csrf" value="c/s=r&f"></form>');
      }
      if (url === '/login') {
        const form = new URLSearchParams(body);
        const isRight = form.get('csrf') === 'c/s=r&f' && form.get('password') === PASSWORD;
        response.setHeader('Set-Cookie', 'sid=after; Path=/');
        response.setHeader('X-Request-Id', 'r-17');
        const isKnown = headers.cookie === 'sid=before; theme=dark';
        return void json(response, { user: { ids: [7, 'u/8?x'] }, token: 'a.b.c' }, isRight && isKnown ? 200 : 401);
      }
      const isIn = headers.cookie === 'sid=after; theme=dark' && headers.authorization === 'Bearer a.b.c';
      json(
        response,
        { id: url, trace: headers['x-trace'], sent: body === '' ? null : JSON.parse(body) },
        isIn ? 200 : 403,
      );
    });
    const output = await ask(
      `${server.url}/login`,
      [
        { name: 'page', url: 'login', save: { csrf: { body: 'name="csrf" value="([^"]+)"' } } },
        {
          ...{ name: 'log in', method: 'POST', url: '/login' },
          form: { user: 'jo', password: '{{password}}', csrf: '{{csrf}}' },
          save: {
            token: { json: 'token' },
            user: { json: 'user.ids.1' },
            number: { json: 'user.ids.0' },
            request: { header: 'x-request-id' },
            session: { cookie: 'sid' },
          },
        },
        {
          ...{ name: 'read', url: '/users/{{user}}?n={{number}}', auth: { bearer: '{{token}}' } },
          headers: { 'X-Trace': '{{request}}:{{session}}' },
          expect: ['json.id == "/users/u%2F8%3Fx?n=7"', 'json.trace == "r-17:after"', 'saved.number == "7"'],
        },
        {
          ...{ name: 'change', method: 'PUT', url: '/users', auth: { bearer: '{{token}}' } },
          json: { csrf: '{{csrf}}"}', deep: [{ user: '{{user}}' }], n: 1 },
          expect: ['json.sent.csrf == saved.csrf + "\\"}"', 'json.sent.deep[0].user == "u/8?x"', 'json.sent.n == 1'],
        },
      ],
      { secrets: { password: PASSWORD } },
    );
    expect(output).toMatchObject({ reason: 'ok' });
    expect(server.heard[1]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(server.heard[3]?.headers['content-type']).toBe('application/json');
  });

  test.each<[string, object, string, RegExp]>([
    ['a key that is not there', { json: 'a.b' }, 'body', /json\.a\.b is no text or number to save/],
    ['a key of the prototype', { json: 'list.__proto__.length' }, 'body', /is no text or number/],
    ['a mapping', { json: 'map' }, 'body', /is no text or number/],
    ['an empty text', { json: 'empty' }, 'body', /is no text or number/],
    ['a header that is not there', { header: 'X-None' }, 'condition', /there is no header X-None/],
    ['a cookie that is not there', { cookie: 'sid' }, 'condition', /there is no cookie sid/],
    ['a group that does not match', { body: 'token=(\\w+)' }, 'body', /holds nothing to save that matches token=/],
    ['a document', { json: 'long' }, 'body', /more than 8192 characters/],
  ])('of an answer without it is a failure: %s', async (_name, value, reason, message) => {
    const server = await serve((_, response) =>
      json(response, { map: { x: 1 }, list: [1], empty: '', long: 'x'.repeat(9_000) }),
    );
    const output = await ask(server.url, [{ url: '/', save: { value } }]);
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('shows in no error and no address', async () => {
    const server = await serve(({ url }, response) => {
      if (url === '/login') return void json(response, { token: 'fresh-and-secret', next: 'x' });
      response.setHeader('Set-Cookie', 'sid=cookie-and-secret');
      json(response, { echo: `${url} cookie-and-secret` }, 200);
    });
    const { error, fields, hidden } = await ask(server.url, [
      { url: '/login', save: { token: { json: 'token' } } },
      { url: '/objects/{{token}}', expect: ['json.echo == "x"'] },
    ]);
    expect(error).toBe('step 2 (request): json.echo == "x" (json.echo = "/objects/[redacted] [redacted]")');
    expect(fields['final_url']).toBe(`${server.url}/objects/[redacted]`);
    expect(JSON.stringify(fields['steps'])).not.toContain('secret');
    expect(hidden).toEqual(expect.arrayContaining(['fresh-and-secret', 'cookie-and-secret']));
  });

  test.each<[string, string, object, string]>([
    ['a step up in the path', '..', { url: '/objects/{{value}}', method: 'DELETE' }, 'nothing but dots'],
    ['another header', 'a\r\nX-Admin: 1', { url: '/', headers: { 'X-Id': '{{value}}' } }, 'cannot stand in a header'],
    ['another header after a token', 'a\nb', { url: '/', auth: { bearer: '{{value}}' } }, 'cannot stand in a header'],
  ])('becomes no structure: %s', async (_name, value, request, message) => {
    const server = await serve((_, response) => json(response, { value }));
    const output = await ask(server.url, [{ url: '/', save: { value: { json: 'value' } } }, request as Request]);
    expect(output).toMatchObject({ reason: 'protocol', error: expect.stringContaining(message) });
    expect(output.error).not.toContain(value);
    expect(server.heard).toHaveLength(1);
  });

  test('with a slash, a question mark or half a character stays within its place', async () => {
    const server = await serve((_, response) => json(response, { value: '../a?b#c\ud800' }));
    const save = { value: { json: 'value' } };
    await ask(server.url, [{ url: '/', save }, { url: '/o/{{value}}?q={{value}}' }]);
    const encoded = '..%2Fa%3Fb%23c%EF%BF%BD';
    expect(server.heard[1]?.url).toBe(`/o/${encoded}?q=${encoded}`);
  });
});

describe('cookies', () => {
  const cookiesOf = (heard: readonly Heard[]) => heard.map(({ headers }) => headers.cookie ?? '');

  test.each<[string, readonly string[], readonly string[]]>([
    ['a plain one', ['a=1'], ['a=1', 'a=1']],
    ['of a path', ['a=1; Path=/deep', 'b=2; Path=/'], ['b=2', 'a=1; b=2']],
    ['of another host', ['a=1; Domain=example.org', 'b=2; Domain=127.0.0.1'], ['b=2', 'b=2']],
    ['over TLS alone', ['a=1; Secure', 'b=2'], ['b=2', 'b=2']],
    [
      'that has ended',
      ['a=1; Max-Age=0', 'b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'c=3; Max-Age=60'],
      ['c=3', 'c=3'],
    ],
    ['replaced', ['a=1', 'a=2'], ['a=2', 'a=2']],
    ['without a value, without a name, not at all', ['a=', '=b', 'c', ''], ['a=', 'a=']],
  ])('go where they belong: %s', async (_name, set, expected) => {
    const server = await serve((_, response) => response.setHeader('Set-Cookie', [...set]).end('x'));
    await ask(server.url, [{ url: '/first' }, { url: '/second' }, { url: '/deep/third' }]);
    expect(cookiesOf(server.heard)).toEqual(['', ...expected]);
  });

  test('that a redirect sets go along behind it, and a written header wins', async () => {
    const server = await serve(({ url }, response) => {
      if (url === '/') response.writeHead(302, { Location: '/in', 'Set-Cookie': 'sid=1' }).end();
      else response.end('x');
    });
    await ask(server.url, [{ url: '/' }, { url: '/own', headers: { Cookie: 'mine=2' } }]);
    expect(cookiesOf(server.heard)).toEqual(['', 'sid=1', 'mine=2']);
  });

  test('of a domain go to its hosts, and nobody sets one for others or for a whole top level', async () => {
    const set = ['a=1; Domain=shop.localhost', 'b=2; Domain=.shop.localhost', 'c=3; Domain=other.localhost'];
    const server = await serve(({ url }, response) => {
      if (url === '/first') response.setHeader('Set-Cookie', [...set, 'd=4; Domain=localhost', 'e=5']);
      response.end('x');
    });
    const hosts = [
      'www.shop.localhost',
      'api.shop.localhost',
      'shop.localhost',
      'badshop.localhost',
      'x.other.localhost',
    ];
    const steps = [{ url: '/first' }, ...hosts.map((host) => ({ url: `http://${host}:${server.port}/` }))];
    expect(await ask(`http://www.shop.localhost:${server.port}/`, steps)).toMatchObject({ reason: 'ok' });
    expect(cookiesOf(server.heard)).toEqual(['', 'a=1; b=2; e=5', 'a=1; b=2', 'a=1; b=2', '', '']);
  });

  test('are of one run, and floods of them are bounded', async () => {
    let count = 0;
    const server = await serve((_, response) => {
      const many = Array.from({ length: 150 }, () => `c${count++}=${'x'.repeat(90)}`);
      response.setHeader('Set-Cookie', many).end('x');
    });
    for (const run of [1, 2]) {
      const before = server.heard.length;
      expect(await ask(server.url, [{ url: '/' }, { url: '/' }, { url: '/' }])).toMatchObject({ reason: 'ok' });
      const counts = cookiesOf(server.heard.slice(before)).map((text) => text.split('; ').filter(Boolean).length);
      expect({ run, counts }).toEqual({ run, counts: [0, 50, 50] });
    }
  });

  test('do not exist for a single request', async () => {
    const server = await serve(({ url }, response) => {
      if (url === '/') response.writeHead(302, { Location: '/in', 'Set-Cookie': 'sid=1' }).end();
      else response.end('x');
    });
    await probe(http, http.spec.parse({ url: server.url }) as never);
    expect(cookiesOf(server.heard)).toEqual(['', '']);
  });
});

describe('credentials', () => {
  test('of the probe go to its own origin alone, those of a step to that of the step', async () => {
    const home = await serve((_, response) => response.end('x'));
    const other = await serve(({ url }, response) => {
      if (url === '/away') response.writeHead(307, { Location: `${home.url}/back` }).end();
      else response.end('x');
    });
    const spec = { auth: { bearer: PASSWORD }, headers: { 'X-Tenant': 'ours' } };
    await ask(
      home.url,
      [
        { url: '/a' },
        { url: `${other.url}/b` },
        { url: `${other.url}/away`, auth: { bearer: 'other' }, headers: { 'X-Own': '1' } },
      ],
      spec,
    );
    const seen = [...home.heard, ...other.heard].map(({ url, headers }) => [
      url,
      headers.authorization,
      headers['x-tenant'],
      headers['x-own'],
    ]);
    expect(seen).toEqual([
      ['/a', `Bearer ${PASSWORD}`, 'ours', undefined],
      ['/back', undefined, undefined, undefined],
      ['/b', undefined, undefined, undefined],
      ['/away', 'Bearer other', undefined, '1'],
    ]);
  });

  test('in the URL hold for all its steps', async () => {
    const { port, heard } = await serve((_, response) => response.end('x'));
    await ask(`http://jo:${PASSWORD}@127.0.0.1:${port}`, [{ url: '/a' }, { url: `http://127.0.0.1:${port}/b` }]);
    const basic = `Basic ${Buffer.from(`jo:${PASSWORD}`).toString('base64')}`;
    expect(heard.map(({ headers }) => headers.authorization)).toEqual([basic, basic]);
  });

  test('of OAuth are fetched once for all steps', async () => {
    const tokens = await serve((_, response) => json(response, { access_token: 'fetched', expires_in: 3_600 }));
    const target = await serve((_, response) => response.end('x'));
    const oauth2 = { token_url: `${tokens.url}/token`, client_id: 'me', client_secret: PASSWORD };
    expect(await ask(target.url, [{ url: '/a' }, { url: '/b' }], { auth: { oauth2 } })).toMatchObject({ reason: 'ok' });
    expect(target.heard.map(({ headers }) => headers.authorization)).toEqual(['Bearer fetched', 'Bearer fetched']);
    expect(tokens.heard).toHaveLength(1);
  });

  test('of OAuth that nobody gives say nothing of the target', async () => {
    const tokens = await serve((_, response) => response.writeHead(503).end());
    const target = await serve((_, response) => response.end('x'));
    const oauth2 = { token_url: `${tokens.url}/token`, client_id: 'me', client_secret: PASSWORD };
    expect(await ask(target.url, [{ url: '/a' }], { auth: { oauth2 } })).toMatchObject({
      ...{ reason: 'http_status', unknown: 'witness_away', error: expect.stringContaining('no token from') },
    });
    expect(target.heard).toEqual([]);
  });

  test('a client certificate is shown at home alone', async () => {
    const pair = await authority.issue('mutual', { names: 'IP:127.0.0.1', days: 30 });
    const peers: string[] = [];
    const serveMutual = async () => {
      const options = { ...pair, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
      const server = createTlsServer(options, (request, response) => {
        const { getPeerCertificate } = request.socket as unknown as {
          getPeerCertificate(): { subject?: { CN: string } };
        };
        peers.push(getPeerCertificate.call(request.socket).subject?.CN ?? 'nobody');
        response.end('x');
      });
      return `https://127.0.0.1:${(await listen(server)).port}`;
    };
    const [home, other] = [await serveMutual(), await serveMutual()];
    const tls = { ...pair, ca: authority.cert };
    expect(await ask(home, [{ url: '/' }, { url: `${other}/` }], { tls })).toMatchObject({
      reason: 'ok',
      fields: { certificate: { subject: 'CN=mutual,O=Test' } },
    });
    expect(peers).toEqual(['mutual', 'nobody']);
  });
});

describe('each request is asked as a single one is', () => {
  test('through the proxy', async () => {
    const asked: string[] = [];
    const proxy = await serveHttp((request, response) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] !== undefined}`);
      json(response, { token: 'abc' });
    });
    const spec = { proxy: `http://jo:${PASSWORD}@127.0.0.1:${proxy.port}` };
    const steps = [{ url: '/login', save: { token: { json: 'token' } } }, { url: '/{{token}}' }];
    expect(await ask('http://shop.test', steps, spec)).toMatchObject({ reason: 'ok' });
    expect(asked).toEqual(['http://shop.test/login true', 'http://shop.test/abc true']);
  });

  test('over a connection of its own, that is closed before the next', async () => {
    const ports: unknown[] = [];
    const open: number[] = [];
    const server = await serveHttp((request, response) => {
      ports.push(request.socket.remotePort);
      open.push(server.open());
      response.end('x');
    });
    await ask(`http://127.0.0.1:${server.port}`, [{ url: '/' }, { url: '/' }, { url: '/' }]);
    expect(new Set(ports).size).toBe(3);
    expect(Math.max(...open)).toBeLessThan(3);
  });

  test.each([
    ['plain', 'HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(9_999)],
    ['compressed', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n', gzipSync(Buffer.alloc(40 * 2 ** 20))],
  ])('and what a server sends beyond the cap is not waited for: %s', async (_name, head, piece) => {
    const first = await serveRaw(answering(head, (socket) => flood(socket, piece)));
    let open = -1;
    const slow = await serve((_, response) => {
      setTimeout(() => {
        open = first.open();
        response.end('x');
      }, 300);
    });
    const steps = [{ url: '/' }, { url: `${slow.url}/` }];
    expect(await ask(`http://127.0.0.1:${first.port}`, steps)).toMatchObject({ reason: 'ok' });
    expect(open).toBe(0);
  });

  test('up to max_body, which is no failure by itself', async () => {
    const server = await serve((_, response) => response.end('x'.repeat(5_000)));
    const steps = [{ url: '/', expect: ['body_truncated', 'body_bytes == 2000'] }, { url: '/' }];
    expect(await ask(server.url, steps, { max_body: '2kB' })).toMatchObject({
      reason: 'ok',
      fields: { body_truncated: true, body_bytes: 2_000 },
    });
  });

  test('with redirects as the probe says, or as the step does', async () => {
    const server = await serve(({ url }, response) => {
      if (url === '/a') response.writeHead(302, { Location: '/b' }).end();
      else response.end('x');
    });
    const steps = [
      { url: '/a', expect: ['redirects == 1', 'final_url.endsWith("/b")'] },
      { url: '/a', redirects: 0, expect: ['status == 302', 'headers.location == "/b"'] },
    ];
    expect(await ask(server.url, steps)).toMatchObject({ reason: 'ok', fields: { status: 302 } });
    expect(await ask(server.url, steps.slice(0, 1), { redirects: 0 })).toMatchObject({ reason: 'http_status' });
  });
});

describe('what goes wrong in the second step has its reason', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n';
  const ports: Record<string, [string, RegExp, () => Promise<number>]> = {
    refused: ['connect_refused', /refused/, closedPort],
    'no connection': ['connect_timeout', /no connection/, deafPort],
    silence: ['timeout', /waiting for an answer/, async () => (await serveRaw(() => {})).port],
    'half a body': ['timeout', /the whole body/, async () => (await serveRaw(answering(`${head}half`))).port],
    'a body that drips': ['timeout', /whole body/, async () => (await serveRaw(answering(head, dripped))).port],
    nonsense: ['protocol', /not valid HTTP/, async () => (await serveRaw(answering('SSH-2.0-x\r\n'))).port],
    'a close': ['protocol', /closed before/, async () => (await serveRaw((socket) => socket.end())).port],
    'an error': [
      'http_status',
      /status = 503/,
      async () => (await serve((_, response) => json(response, 1, 503))).port,
    ],
    'an endless body': [
      'body',
      /json.a == 1/,
      async () => (await serveRaw(answering('HTTP/1.1 200 OK\r\n\r\n', flooded))).port,
    ],
    'a loop': ['protocol', /more than 10 redirects/, async () => (await serve(redirected)).port],
  };

  const dripped = (socket: Socket) => drip(socket, '.', 20);
  const flooded = (socket: Socket) => flood(socket, 'x'.repeat(9_999));
  const redirected = (_: Heard, response: ServerResponse) => void response.writeHead(302, { Location: '/' }).end();

  test.each(Object.entries(ports))('%s', async (_name, [reason, message, portOf]) => {
    const first = await serve((_, response) => response.end('x'));
    const steps = [
      { url: '/' },
      { name: 'second', url: `http://127.0.0.1:${await portOf()}/`, expect: ['json.a == 1'] },
    ];
    const isLate = reason === 'timeout' || reason === 'connect_timeout';
    const timeoutMs = isLate ? 500 : 10_000;
    const startedAt = performance.now();
    const output = await ask(first.url, steps, {}, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    expect(output.error).toMatch(/^step 2 \(second\): /);
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
    expect(output.fields['steps']).toMatchObject([{ status: 200 }, {}]);
  });

  test('TLS', async () => {
    const first = await serve((_, response) => response.end('x'));
    const issue = { names: 'IP:127.0.0.1', days: 30 };
    const servers = {
      tls: createTlsServer(await authority.selfSigned('self')),
      certificate_expired: createTlsServer(await authority.issue('old', { ...issue, agoDays: 40 })),
    };
    for (const [reason, server] of Object.entries(servers)) {
      server.on('tlsClientError', () => {});
      const url = `https://127.0.0.1:${(await listen(server)).port}/`;
      const output = await ask(first.url, [{ url: '/' }, { url }], { tls: { ca: authority.cert } });
      expect(output).toMatchObject({ reason, fields: { certificate: {}, steps: [{ status: 200 }, { status: null }] } });
    }
  });

  test('the deadline is one for all steps', async () => {
    const server = await serve((_, response) => void setTimeout(() => response.end('x'), 150));
    const steps = Array.from({ length: 50 }, () => ({ url: '/' }));
    const output = await ask(server.url, steps, {}, { timeoutMs: 700 });
    expect(output).toMatchObject({ reason: 'timeout', error: expect.stringMatching(/^step \d \(request\)/) });
    await server.drained();
  });
});

describe('a definition', () => {
  const file = (steps: string, more = '') => ({
    'probes/a.yaml': `probes:\n  - name: a\n    http:\n      url: http://127.0.0.1/\n${more}      steps:\n${steps}`,
  });

  test.each([
    ['        - reqest: { url: / }\n', 'probes/a.yaml:6:11: unknown key "reqest" (did you mean "request"?)'],
    ['        - request: {}\n', 'probes/a.yaml:6:11: "request" needs "url"'],
    ['        - request: { url: /, methd: PUT }\n', 'unknown key "methd" (did you mean "method"?)'],
    ['        - request: { url: "ftp://x/" }\n', 'probes/a.yaml:6:27: "url" is not a URL of http:// or https://'],
    ['        - request: { url: "http://[" }\n', '"url" is not a URL'],
    ['        - request: { url: /, body: a }\n', '"method" must not be GET, without a body'],
    ['        - request: { url: /, method: PUT, body: a, json: {} }\n', 'has more than one body'],
    ['        - request: { url: /, expect: [statsu == 200] }\n', 'unknown field `statsu` (did you mean "status"?)'],
    ['        - request: { url: /, expect: ["status == \\"200\\""] }\n', 'probes/a.yaml:6:'],
    ['        - request: { url: /, save: { a: {} } }\n', '"a" needs exactly one of json, header, cookie, body'],
    ['        - request: { url: /, save: { a: { jsn: a } } }\n', 'unknown key "jsn" (did you mean "json"?)'],
    ['        - request: { url: /, save: { a: { json: a..b } } }\n', '"json" is not a path of keys such as data.0.id'],
    ['        - request: { url: /, save: { a: { body: abc } } }\n', '"body" needs a group: what is in ( ) is saved'],
    ['        - request: { url: /, save: { a: { body: "(" } } }\n', '"body" is not a regular expression of RE2'],
    ['        - request: { url: /, save: { "a b": { json: a } } }\n', 'the key "a b" must be letters'],
    [
      '        - request: { url: /, auth: { bearer: "a\\nb" } }\n',
      '"bearer" has characters that cannot stand in a header',
    ],
    ['        - request: { url: "/{{id}}" }\n', '"url" names {{id}}, which no step before saves'],
    [
      '        - request: { url: /, save: { token: { json: a } } }\n        - request: { url: /, headers: { X-A: "{{tokn}}" } }\n',
      'probes/a.yaml:7:46: "X-A" names {{tokn}}, which no step before saves (did you mean "token"?)',
    ],
    [
      '        - request: { url: /, save: { host: { json: a } } }\n        - request: { url: "http://{{host}}/" }\n',
      'probes/a.yaml:7:27: "url" may have {{NAME}} in its path and query alone',
    ],
    [
      '        - request: { url: /, save: { id: { json: a } } }\n        - request: { url: /, expect: [\'json.id == "{{id}}"\'] }\n',
      'item 1 of "expect" must read a saved value as saved.NAME',
    ],
  ])('is refused with its place: %j', async (steps, message) => {
    const found = await problems(file(steps));
    expect(found).toEqual([expect.stringContaining(message)]);
  });

  test('may not have what the requests have', async () => {
    const found = await problems(file('        - request: { url: / }\n', '      method: POST\n      body: a\n'));
    expect(found).toEqual([
      'probes/a.yaml:5:15: "method" must not stand beside "steps", whose requests have their own',
      'probes/a.yaml:6:13: "body" must not stand beside "steps", whose requests have their own',
    ]);
    const single = 'probes:\n  - name: a\n    http: { url: "http://127.0.0.1/", secrets: { a: correct-horse } }\n';
    expect(await problems({ 'probes/a.yaml': single })).toEqual([
      'probes/a.yaml:3:48: "secrets" has a meaning with "steps" alone',
    ]);
  });

  test('asks for success of each step, and not once more of the last', async () => {
    const { probes } = await load(file('        - request: { url: /, expect: [status == 404] }\n'));
    expect(only(probes).expect).toEqual([]);
    const plain = await load({ 'probes/a.yaml': 'probes:\n  - name: a\n    http: { url: "http://127.0.0.1/" }\n' });
    expect(only(plain.probes).expect.map(({ source }) => source)).toEqual(['status >= 200 && status < 300']);
  });
});
