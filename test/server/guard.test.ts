import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Route } from '../../src/server/route.ts';
import { routes } from '../../src/server/routes.ts';
import { type Fixture, startServer } from './fixture.ts';

const token = ['a', 'test', 'token'].join('-');

/** A path that exists, or is at least answered by the route. */
const pathOf = (route: Route) =>
  route.path.replace(':id', '1').replace(':name', 'restart').replace(':key', 'k').replace(':exit', '0');
const guarded = routes.filter(({ access }) => access !== 'open');
const label = (route: Route) => [`${route.method} ${route.path}`, route] as const;

let bare: Fixture;
let locked: Fixture;

beforeAll(async () => {
  bare = await startServer();
  locked = await startServer({ token });
});

afterAll(async () => {
  await bare.close();
  await locked.close();
});

const ask = (fixture: Fixture, route: Route, headers: Record<string, string> = {}) =>
  fixture.ask(pathOf(route), { method: route.method, headers });

test('only health and pings are open, and everything that changes something says so', () => {
  const open = routes.filter(({ access }) => access === 'open').map(({ path }) => path);
  expect(open.every((path) => path.startsWith('/ping/') || path === '/-/healthy' || path === '/-/ready')).toBe(true);
  // It changes nothing here, but connects to whatever is asked for.
  const changes = ({ method, path }: Route) => method === 'POST' || path === '/probe';
  for (const route of guarded)
    expect([route.path, route.access]).toEqual([route.path, changes(route) ? 'change' : 'read']);
});

describe('with a token', () => {
  test.each(guarded.map(label))('%s needs it', async (_name, route) => {
    expect((await ask(locked, route)).status).toBe(401);
    expect((await ask(locked, route, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await ask(locked, route, { authorization: token })).status).toBe(401);
    expect((await ask(locked, route, { authorization: `Bearer ${token}` })).status).not.toBe(401);
  });

  test('the refusal says how to ask, and is a problem', async () => {
    const answer = await locked.ask('/api/v1/status');
    expect(answer.headers['www-authenticate']).toContain('Bearer');
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json()).toMatchObject({ status: 401, code: 'token_required' });
  });

  test('a path that cannot be decoded is a problem without an echo', async () => {
    for (const [path, status] of [
      ['/api/v1/probes/%ff<b>', 400],
      [`/ping/${'a'.repeat(300)}`, 414],
    ] as const) {
      const answer = await locked.ask(path);
      expect(answer.status).toBe(status);
      expect(answer.headers).toMatchObject({
        'content-type': expect.stringContaining('application/problem+json'),
        'x-content-type-options': 'nosniff',
      });
      expect(answer.text).not.toContain(path.slice(-3));
    }
  });

  test('any Host is answered, and a path that does not exist is not told apart without it', async () => {
    const authorization = `Bearer ${token}`;
    expect((await locked.ask('/api/v1/self', { headers: { authorization, host: 'anything.example' } })).status).toBe(
      200,
    );
    expect((await locked.ask('/nothing/here')).status).toBe(401);
    expect((await locked.ask('/nothing/here', { headers: { authorization } })).status).toBe(404);
  });

  test('health and pings need none', async () => {
    for (const path of ['/-/healthy', '/-/ready', '/ping/known-key']) expect((await locked.ask(path)).status).toBe(200);
  });
});

describe('without a token', () => {
  test.each(guarded.map(label))('%s refuses a name that was rebound to loopback', async (_name, route) => {
    for (const host of [
      'evil.example',
      `evil.example:${bare.port}`,
      '127.0.0.1.evil.example',
      'localhost@evil.example',
      '%6cocalhost',
    ]) {
      expect([host, (await ask(bare, route, { host })).status]).toEqual([host, 421]);
    }
  });

  test('loopback names and the public one are answered, at any port', async () => {
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:80', '[::1]:9911', 'status.example.org']) {
      expect([host, (await bare.ask('/api/v1/self', { headers: { host } })).status]).toEqual([host, 200]);
    }
  });

  test.each(routes.filter(({ access }) => access === 'change').map(label))(
    '%s refuses other origins',
    async (_name, route) => {
      for (const headers of [
        { origin: 'http://evil.example' },
        { origin: 'null' },
        { origin: 'http://127.0.0.1:3000' },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
      ]) {
        expect((await ask(bare, route, headers)).status).toBe(403);
      }
      const own = { origin: `http://127.0.0.1:${bare.port}`, 'sec-fetch-site': 'same-origin' };
      expect((await ask(bare, route, own)).status).not.toBe(403);
      expect((await ask(bare, route, { origin: 'http://status.example.org' })).status).not.toBe(403);
    },
  );

  test('a form of another page cannot send a body', async () => {
    bare.commanded.splice(0);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await bare.ask('/api/v1/freeze', {
        method: 'POST',
        headers: { 'content-type': type },
        body: '{}',
      });
      expect([type, answer.status]).toEqual([type, 415]);
    }
    expect(bare.commanded).toEqual([]);
  });
});

test('every answer carries the headers that protect a browser', async () => {
  for (const path of ['/', '/api/v1/self', '/nothing', '/metrics', '/-/healthy']) {
    const { headers } = await bare.ask(path);
    expect(headers['content-security-policy']).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  }
});
