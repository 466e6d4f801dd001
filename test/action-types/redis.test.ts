import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { redis } from '../../src/action-types/redis.ts';
import type { Probe } from '../../src/model.ts';
import type { ActionOutput, Context, Log } from '../../src/ports.ts';
import { answering, closedPort, flood, serveRaw, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';
import { QUIET } from './input.ts';

const PASSWORD = ['correct', 'horse'].join('-');
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

function act(written: object, timeoutMs = 20_000): Promise<ActionOutput> {
  const input = {
    remediation: 'fix',
    attemptId: 1,
    probe: { name: 'p' } as Probe,
    folder: '/',
    onChild: async () => {},
  };
  const context: Context = { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet };
  return redis.run(redis.spec.parse(written), { ...input, ...QUIET }, context);
}

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.cli('FLUSHALL');
});

const fill = (prefix: string, count: number) =>
  server.cli('EVAL', `for i = 1, ${count} do redis.call('SET', '${prefix}' .. i, 'x') end`, '0');

describe('keys that match', () => {
  test('are deleted, and no others', async () => {
    await fill('cache:', 2_000);
    await fill('session:', 10);
    expect(await act({ url: server.url, unlink: { match: 'cache:*', at_most: 5_000 } })).toEqual({
      done: true,
      output: '2000 keys deleted',
    });
    expect(await server.cli('DBSIZE')).toBe('10');
  });

  test('are deleted up to a bound', async () => {
    await fill('cache:', 1_500);
    expect(await act({ url: server.url, unlink: { match: 'cache:*', at_most: 700 } })).toMatchObject({
      output: '700 keys deleted',
    });
    expect(await server.cli('DBSIZE')).toBe('800');
  });

  test('are spared while somebody uses them', async () => {
    await fill('cache:', 3);
    await sleep(2_100);
    await server.cli('GET', 'cache:1');
    const unlink = { match: 'cache:*', idle_longer_than: '2s' };
    expect(await act({ url: server.url, unlink })).toMatchObject({ output: '2 keys deleted' });
    expect(await server.cli('KEYS', '*')).toBe('cache:1');
  });

  test('are those of the database that is named', async () => {
    await server.cli('-n', '3', 'SET', 'cache:1', 'x');
    await fill('cache:', 1);
    await act({ url: `${server.url}/3`, unlink: { match: 'cache:*' } });
    expect(await server.cli('-n', '3', 'DBSIZE')).toBe('0');
    expect(await server.cli('DBSIZE')).toBe('1');
  });
});

test('memory is given back', async () => {
  expect(await act({ url: server.url, purge_memory: true })).toMatchObject({ done: true });
});

test('idle connections are ended, and neither its own nor those that wait', async () => {
  const idle = connect(server.port, '127.0.0.1');
  onTestFinished(() => void idle.destroy());
  // Only a socket that is read notices that the other side has closed.
  idle.resume();
  idle.write('CLIENT SETNAME loafer\r\n');
  const waiting = spawn('redis-cli', ['-p', String(server.port), 'BLPOP', 'nothing', '0'], { stdio: 'ignore' });
  onTestFinished(() => void waiting.kill());
  await sleep(2_200);
  expect(await act({ url: server.url, end_clients: { idle_longer_than: '2s', name: 'other' } })).toMatchObject({
    output: '0 connections ended, 0 left',
  });
  const closed = new Promise((resolve) => idle.once('close', resolve));
  expect(await act({ url: server.url, end_clients: { idle_longer_than: '2s' } })).toMatchObject({
    output: '1 connections ended, 0 left',
  });
  await closed;
  expect(waiting.exitCode).toBeNull();
});

describe('what goes wrong is told', () => {
  test('passwords and permissions', async () => {
    const closed = await startRedis(['--requirepass', PASSWORD]);
    onTestFinished(() => closed.stop());
    const purge = { purge_memory: true };
    expect(await act({ url: closed.url, ...purge })).toEqual({ done: false, error: expect.stringContaining('NOAUTH') });
    const at = `127.0.0.1:${closed.port}`;
    expect(await act({ url: `redis://:wrong@${at}`, ...purge })).toMatchObject({
      error: expect.stringContaining('WRONGPASS'),
    });
    expect(await act({ url: `redis://default:${PASSWORD}@${at}/2`, ...purge })).toMatchObject({ done: true });
  });

  test('nobody there, another protocol, silence, a flood', async () => {
    const at = (port: number) => ({ url: `redis://127.0.0.1:${port}`, purge_memory: true });
    expect(await act(at(await closedPort()))).toMatchObject({ error: expect.stringContaining('did not answer') });
    const web = await serveRaw(answering('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await act(at(web.port))).toMatchObject({ error: 'what answers does not speak Redis' });
    const silent = await serveRaw(() => {});
    expect(await act(at(silent.port), 300)).toEqual({ done: false, error: 'the deadline passed' });
    const closing = await serveRaw((socket) => socket.end());
    expect(await act(at(closing.port))).toMatchObject({ error: expect.stringContaining('closed the connection') });
    const flooding = await serveRaw((socket) => {
      socket.write('$8388608\r\n');
      flood(socket, 'x'.repeat(65_536));
    });
    expect(await act(at(flooding.port))).toMatchObject({ error: expect.stringContaining('larger than') });
    const nested = await serveRaw(answering('*1\r\n'.repeat(1_000)));
    expect(await act(at(nested.port))).toMatchObject({ error: 'the answer has too many items' });
    const long = await serveRaw(answering('*1000000000\r\n'));
    expect(await act(at(long.port))).toMatchObject({ error: 'the answer has too many items' });
  });

  test('and nothing is left behind', async () => {
    await leavesNothing(async () => void (await act({ url: server.url, purge_memory: true })), 200, 20);
    const silent = await serveRaw(() => {});
    const deaf = { url: `redis://127.0.0.1:${silent.port}`, purge_memory: true };
    await leavesNothing(async () => void (await act(deaf, 100)), 100, 20);
  });
});

describe('the definition', () => {
  const url = 'redis://127.0.0.1';
  test.each([
    [{ url }, 'needs exactly one of'],
    [{ url, purge_memory: true, unlink: { match: 'cache:*' } }, 'needs exactly one of'],
    [{ url, unlink: { match: '*' } }, 'never means all'],
    [{ url, unlink: { match: 'a*' } }, 'never means all'],
    [{ url, unlink: { match: '[c]ache:*' } }, 'never means all'],
    [{ url: 'http://127.0.0.1', purge_memory: true }, 'is not a URL'],
  ])('refuses %j', (written, message) => {
    const problems = redis.spec.safeParse(written).error?.issues.map((issue) => issue.message);
    expect(problems?.join()).toContain(message);
  });

  test('is told without its password', () => {
    const spec = redis.spec.parse({ url: `redis://:${PASSWORD}@cache/2`, unlink: { match: 'cache:*' } });
    expect(redis.would(spec, undefined)).toBe('delete at most 1000 keys that match cache:* on cache:6379/2');
    expect(redis.resource(spec, 'fix', undefined)).toBe('redis:cache:6379/2');
  });
});
