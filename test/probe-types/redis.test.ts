import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { redis } from '../../src/probe-types/redis.ts';
import { freePort } from '../estate/daemon.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import {
  answering,
  closedPort,
  drip,
  flood,
  probe,
  type RunOptions,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(redis, redis.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

/** A server of the test's own. */
async function serve(settings: readonly string[]): Promise<RedisServer> {
  const own = await startRedis(settings);
  onTestFinished(() => own.stop());
  return own;
}

/** A client that stays, in a command that blocks. */
function block(port: number, ...command: string[]): ChildProcess {
  const client = spawn('redis-cli', ['-p', String(port), ...command], { stdio: 'ignore' });
  onTestFinished(() => void client.kill());
  return client;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

describe('the figures', () => {
  test('of a server with nobody else on it leave the probe itself out', async () => {
    const { reason, fields, error } = await ask({ url: server.url });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      role: 'primary',
      memory_max_bytes: undefined,
      memory_percent: undefined,
      clients: 0,
      clients_max: 10_000,
      clients_percent: 0,
      blocked_clients: 0,
      evictions: 0,
      keys: 0,
      persistence_ok: true,
      connected_replicas: 0,
      replication_lag_s: undefined,
      version: expect.stringMatching(/^\d+\.\d+/),
      ip: '127.0.0.1',
    });
    expect(fields['memory_bytes']).toBeGreaterThan(100_000);
    expect(fields['uptime_s']).toBeGreaterThanOrEqual(0);
  });

  test('tell the memory limit, what is evicted, and when nothing more can be written', async () => {
    const full = await serve(['--maxmemory', '4mb', '--maxmemory-policy', 'allkeys-random']);
    const big = 'x'.repeat(100_000);
    for (let key = 0; key < 60; key += 1) await full.cli('SET', `key-${key}`, big);
    const { fields } = await ask({ url: full.url });
    expect(fields['memory_max_bytes']).toBe(4 * 2 ** 20);
    expect(fields['memory_percent']).toBeGreaterThan(80);
    expect(fields['evictions']).toBeGreaterThan(0);
    expect(fields['keys']).toBeGreaterThan(0);
    await full.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await full.cli('CONFIG', 'SET', 'maxmemory', '1mb');
    expect(Number((await ask({ url: full.url })).fields['memory_percent'])).toBeGreaterThan(100);
  });

  test('count clients, and those that wait', async () => {
    for (const key of ['a', 'b']) block(server.port, 'BLPOP', key, '0');
    await until(async () => (await ask({ url: server.url })).fields['blocked_clients'] === 2);
    expect((await ask({ url: server.url })).fields['clients']).toBe(2);
  });

  test('count look-ups and keys of the database that is named', async () => {
    await server.cli('-n', '3', 'SET', 'here', '1');
    await server.cli('-n', '3', 'GET', 'here');
    await server.cli('-n', '3', 'GET', 'absent');
    const { fields } = await ask({ url: `${server.url}/3`, command: ['GET', 'here'] });
    expect(fields).toMatchObject({ keys: 1, hit_ratio: 0.5, value: '1' });
  });

  test('follow replication from both ends', async () => {
    const replica = await serve(['--replicaof', '127.0.0.1', String(server.port)]);
    await until(async () => (await ask({ url: server.url })).fields['connected_replicas'] === 1);
    await until(async () => Number((await ask({ url: server.url })).fields['replication_lag_s']) <= 1);
    expect(await ask({ url: replica.url })).toMatchObject({ reason: 'ok', fields: { role: 'replica' } });

    replica.pause();
    await until(async () => Number((await ask({ url: server.url })).fields['replication_lag_s']) > 2);
    replica.resume();

    await replica.cli('REPLICAOF', '127.0.0.1', String(await closedPort()));
    await until(async () => Number((await ask({ url: replica.url })).fields['replication_lag_s']) > 1);
  });

  test('of a replica that never reached its primary count from its start', async () => {
    const replica = await serve(['--replicaof', '127.0.0.1', String(await closedPort())]);
    await sleep(2_000);
    const { fields } = await ask({ url: replica.url });
    expect(fields['replication_lag_s']).toBeGreaterThanOrEqual(1);
    expect(fields['replication_lag_s']).toBe(fields['uptime_s']);
  });

  test('of a server that cannot save say so', async () => {
    const stuck = await serve([]);
    await stuck.cli('CONFIG', 'SET', 'dbfilename', 'dump.rdb');
    const folder = await stuck.cli('CONFIG', 'GET', 'dir');
    // The name of the snapshot is taken by a folder.
    await stuck.cli('SET', 'key', 'value');
    await mkdir(join(folder.split('\n')[1] ?? '', 'dump.rdb'));
    await stuck.cli('BGSAVE');
    await until(async () => (await ask({ url: stuck.url })).fields['persistence_ok'] === false);
  });
});

describe('a command of your own', () => {
  beforeAll(async () => {
    await server.cli('RPUSH', 'jobs', 'first', 'second');
    await server.cli('SET', 'word', 'grüß');
  });

  test.each<[readonly string[], unknown]>([
    [['PING'], 'PONG'],
    [['get', 'word'], 'grüß'],
    [['GET', 'absent'], null],
    [['LLEN', 'jobs'], 2],
    [
      ['LRANGE', 'jobs', '0', '-1'],
      ['first', 'second'],
    ],
    [
      ['MGET', 'word', 'absent'],
      ['grüß', null],
    ],
    [['MEMORY', 'USAGE', 'word'], expect.any(Number)],
  ])('%j gives %j', async (command, value) => {
    expect(await ask({ url: server.url, command })).toMatchObject({ reason: 'ok', fields: { value } });
  });

  test('that asks in the wrong way says so', async () => {
    expect(await ask({ url: server.url, command: ['GET', 'jobs'] })).toMatchObject({
      reason: 'body',
      error: expect.stringContaining('WRONGTYPE'),
      fields: { role: 'primary' },
    });
  });

  test('with a huge reply neither grows the daemon nor passes', async () => {
    await server.cli('SETRANGE', 'huge', String(400 * 2 ** 20), 'x');
    const before = process.memoryUsage.rss();
    expect(await ask({ url: server.url, command: ['GET', 'huge'] })).toMatchObject({
      reason: 'body',
      error: 'the answer is larger than 1 MiB',
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 * 2 ** 20);
    await server.cli('DEL', 'huge');
  });

  test('sees a hundred items of a long list', async () => {
    await server.cli('EVAL', `for i = 1, 5000 do redis.call('RPUSH', 'long', i) end`, '0');
    const { fields } = await ask({ url: server.url, command: ['LRANGE', 'long', '0', '-1'] });
    expect(fields['value']).toHaveLength(100);
  });
});

describe('what goes wrong has a reason', () => {
  test('passwords', async () => {
    const closed = await serve(['--requirepass', PASSWORD]);
    const at = `127.0.0.1:${closed.port}`;
    expect(await ask({ url: `redis://${at}` })).toMatchObject({
      reason: 'auth',
      error: expect.stringMatching(/^NOAUTH/),
    });
    expect(await ask({ url: `redis://:wrong@${at}` })).toMatchObject({
      reason: 'auth',
      error: expect.stringMatching(/^WRONGPASS/),
    });
    expect(await ask({ url: `redis://:${PASSWORD}@${at}` })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url: `redis://default:${PASSWORD}@${at}/2` })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url: `redis://:${PASSWORD}@127.0.0.1:${server.port}` })).toMatchObject({ reason: 'auth' });
  });

  test('permissions', async () => {
    await server.cli('ACL', 'SETUSER', 'narrow', 'on', `>${PASSWORD}`, '+info', '~*');
    const url = `redis://narrow:${PASSWORD}@127.0.0.1:${server.port}`;
    expect(await ask({ url })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url, command: ['GET', 'word'] })).toMatchObject({
      reason: 'auth',
      error: expect.stringMatching(/^NOPERM/),
    });
  });

  test('a database that is not there', async () => {
    expect(await ask({ url: `${server.url}/99` })).toMatchObject({ reason: 'not_found' });
  });

  test('a full server', async () => {
    const full = await serve(['--maxclients', '2']);
    const clients = [connect(full.port), connect(full.port)];
    onTestFinished(() => {
      for (const client of clients) client.destroy();
    });
    await Promise.all(clients.map((client) => once(client, 'connect')));
    expect(await ask({ url: full.url })).toMatchObject({ reason: 'saturated' });
    clients.pop()?.destroy();
    await until(async () => (await ask({ url: full.url })).reason === 'ok');
  });

  test('a server that stands still, is killed, and comes back', async () => {
    const still = await serve([]);
    still.pause();
    expect(await ask({ url: still.url }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
    still.resume();
    await until(async () => (await ask({ url: still.url })).reason === 'ok');
    await still.kill();
    expect(await ask({ url: still.url })).toMatchObject({ reason: 'connect_refused' });
    await still.start();
    expect(await ask({ url: still.url })).toMatchObject({ reason: 'ok' });
  });

  test('an unknown host', async () => {
    expect(await ask({ url: 'redis://cache.invalid' })).toMatchObject({ reason: 'dns' });
  });

  const info = (text: string) => `$${text.length}\r\n${text}\r\n`;

  test.each<[string, string, string, RegExp]>([
    ['a server that loads', info('redis_version:7\r\nloading:1\r\nloading_loaded_perc:42.00'), 'unhealthy', /42.00 %/],
    ['a server that a script holds up', '-BUSY Redis is busy running a script\r\n', 'unhealthy', /BUSY/],
    ['a protected server', '-DENIED Redis is running in protected mode\r\n', 'auth', /DENIED/],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol', /does not speak Redis/],
    ['an answer to something else', '+OK\r\n', 'protocol', /no answer to INFO/],
    ['nothing where an answer belongs', '$-1\r\n', 'protocol', /no answer to INFO/],
    ['a length that is none', '$x\r\n', 'protocol', /does not speak Redis/],
    ['a length beyond the cap', '$1073741824\r\n', 'body', /larger than 1 MiB/],
    ['an endless line', `+${'x'.repeat(70_000)}`, 'protocol', /does not speak Redis/],
    ['lists without end', '*1\r\n'.repeat(100_000), 'protocol', /nested without end/],
    ['a push of RESP3', '>1\r\n$9\r\nsubscribe\r\n', 'protocol', /does not speak Redis/],
    ['half an answer', '$100\r\nhalf', 'timeout', /deadline/],
    ['a list that never comes', '*1000000000\r\n', 'timeout', /deadline/],
    ['nobody', '', 'timeout', /deadline/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw(answering(bytes));
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const output = await ask({ url: `redis://127.0.0.1:${port}` }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('more answers than questions are harmless', async () => {
    const { port } = await serveRaw(answering(`${info('redis_version:7')}$-1\r\n+OK\r\n`));
    expect(await ask({ url: `redis://127.0.0.1:${port}` })).toMatchObject({ reason: 'ok' });
  });

  test('a connection that closes at once, a flood, a drip', async () => {
    const closing = await serveRaw((socket) => socket.end());
    expect(await ask({ url: `redis://127.0.0.1:${closing.port}` })).toMatchObject({ reason: 'protocol' });
    const flooding = await serveRaw((socket) => {
      socket.write('*1000000000\r\n');
      flood(socket, ':1\r\n'.repeat(9_999));
    });
    expect(await ask({ url: `redis://127.0.0.1:${flooding.port}` })).toMatchObject({
      reason: 'body',
      error: 'the answer is larger than 1 MiB',
    });
    const dripping = await serveRaw((socket) => drip(socket, '*9\r\n:1\r\n', 20));
    const url = `redis://127.0.0.1:${dripping.port}`;
    expect((await ask({ url }, { timeoutMs: 400 })).reason).not.toBe('ok');
    await flooding.drained();
    await dripping.drained();
  });
});

test('an answer in single bytes is whole', async () => {
  const { port } = await serveRaw((socket) => {
    const front = connect(server.port, '127.0.0.1');
    socket.pipe(front);
    socket.on('close', () => front.destroy());
    front.on('data', (data) => {
      for (const byte of data) socket.write(Buffer.from([byte]));
    });
  });
  const output = await ask({ url: `redis://127.0.0.1:${port}`, command: ['MGET', 'word', 'absent'] });
  expect(output).toMatchObject({ reason: 'ok', fields: { value: ['grüß', null] } });
});

test('over TLS the certificate is seen and judged', async () => {
  const authority = await createAuthority();
  onTestFinished(() => authority.remove());
  const { cert, key } = await authority.issue('cache', { names: 'IP:127.0.0.1', days: 30 });
  const files = { cert: join(authority.folder, 'tls.pem'), key: join(authority.folder, 'tls.key') };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  const port = await freePort();
  const options = ['--tls-port', String(port), '--tls-cert-file', files.cert, '--tls-key-file', files.key];
  await serve([...options, '--tls-ca-cert-file', join(authority.folder, 'ca.pem'), '--tls-auth-clients', 'no']);
  const url = `rediss://127.0.0.1:${port}`;
  const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=cache,O=Test' } };
  expect(await ask({ url, tls: { ca: authority.cert }, command: ['PING'] })).toMatchObject({ reason: 'ok', fields });
  expect(await ask({ url })).toMatchObject({ reason: 'tls', fields });
  expect(await ask({ url, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
  const plain = await ask({ url: server.url.replace('redis:', 'rediss:') }, { timeoutMs: 500 });
  expect(plain).toMatchObject({ reason: 'timeout', error: expect.stringContaining('TLS handshake') });
});

test('hundreds of runs leave nothing behind', async () => {
  const spec = { url: `${server.url}/1`, command: ['PING'] };
  await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 50);
  const wrong = { url: server.url, command: ['GET', 'jobs'] };
  await leavesNothing(async () => expect((await ask(wrong)).reason).toBe('body'), 300, 50);
  const { port } = await serveRaw(() => {});
  const silent = { url: `redis://127.0.0.1:${port}` };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'http://h/' }, /is not a URL/],
    [{ url: 'redis://h/cache' }, /not a number/],
    [{ url: 'redis://user@h' }, /without a password/],
    [{ url: 'redis://h', tls: {} }, /rediss/],
    [{ url: 'redis://h', command: [] }, /./],
    ...['SET', 'DEL', 'FLUSHALL', 'CONFIG', 'EVAL', 'KEYS', 'BLPOP', 'SUBSCRIBE', 'MONITOR', 'SHUTDOWN', 'DEBUG'].map(
      (name) => [{ url: 'redis://h', command: [name, 'x'] }, /only reads/] as const,
    ),
    [{ url: 'redis://h', command: ['MEMORY', 'PURGE'] }, /only reads/],
  ])('%j is refused', (spec, message) => {
    const [issue] = redis.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['redis://:secret@Cache.example', 'redis://cache.example:6379/0'],
    ['rediss://u:p@[::1]:6380/7', 'rediss://[::1]:6380/7'],
  ])('the target of %s is without credentials', (url, target) => {
    const spec = redis.spec.parse({ url }) as never;
    expect(redis.target(spec)).toBe(target);
    expect(redis.resource?.(spec, {})).toEqual({ kind: 'redis', name: target.split('//')[1] });
  });

  test('the example is valid', () => {
    const [definition] = parse(redis.example);
    expect(redis.spec.safeParse(definition.redis).error).toBeUndefined();
  });
});
