import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { parse } from 'yaml';
import type { ProbeOutput } from '../../src/ports.ts';
import { celery } from '../../src/probe-types/celery.ts';
import { type CeleryApplication, createCelery } from '../estate/celery.ts';
import { closedPort, deafPort, probe, type RunOptions, serveRaw, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';
import type { ServerProcess } from '../estate/server-process.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const specOf = (spec: Record<string, unknown>) => celery.spec.parse(spec) as never;
const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(celery, specOf(spec), { timeoutMs: 20_000, ...options });

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

/** An application on a database of its own. */
async function apply(database: number, transport: Record<string, unknown> = {}) {
  const broker = `${redis.url}/${database}`;
  const application = await createCelery(broker, transport);
  onTestFinished(() => application.stop());
  return { broker, application, keys: () => redis.cli('-n', String(database), 'KEYS', '*') };
}

describe('workers', () => {
  let application: CeleryApplication;
  let broker: string;
  let first: ServerProcess;
  let second: ServerProcess;
  beforeAll(async () => {
    broker = `${redis.url}/1`;
    application = await createCelery(broker);
    [first, second] = await Promise.all([application.worker('w1@loop'), application.worker('w2@loop')]);
  });
  afterAll(() => application.stop());
  beforeEach(() => {
    first.signal('SIGCONT');
    second.signal('SIGCONT');
  });

  test('that live answer by name, at once', async () => {
    const startedAt = performance.now();
    const output = await ask({ broker });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({
      reason: 'ok',
      fields: {
        workers: 2,
        worker_names: ['w1@loop', 'w2@loop'],
        workers_connected: 2,
        depth: 0,
        queues: { celery: 0 },
        unacked: 0,
        oldest_s: null,
        oldest_unacked_s: null,
        ip: '127.0.0.1',
      },
    });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('that were killed are missed; one that stands still is connected and silent', async () => {
    second.signal('SIGSTOP');
    const one = await ask({ broker }, { timeoutMs: 4_000 });
    expect(one).toMatchObject({
      reason: 'ok',
      fields: { workers: 1, worker_names: ['w1@loop'], workers_connected: 2 },
    });
    const both = { broker, expect_workers: ['w1@loop', 'w2@loop'] };
    expect(await ask(both, { timeoutMs: 4_000 })).toMatchObject({
      reason: 'unhealthy',
      error: 'no answer from w2@loop',
      fields: { workers: 1 },
    });
    first.signal('SIGSTOP');
    expect(await ask({ broker }, { timeoutMs: 2_000 })).toMatchObject({
      reason: 'unhealthy',
      error: '2 workers are connected, and none answers',
      fields: { workers: 0, workers_connected: 2, depth: 0 },
    });
    first.signal('SIGCONT');
    second.signal('SIGCONT');
    await until(async () => (await ask(both)).reason === 'ok');
    await second.end('SIGKILL');
    await until(async () => (await ask({ broker })).fields['workers_connected'] === 1);
    await second.start();
    await until(async () => (await ask(both)).reason === 'ok');
  });

  test('that come to themselves later answer to nobody: nothing is left in Redis', async () => {
    const keys = async () =>
      (await redis.cli('-n', '1', 'KEYS', '*pidbox*')).split('\n').filter((key) => /reply/.test(key));
    first.signal('SIGSTOP');
    const spec = specOf({ broker });
    for (let run = 0; run < 5; run += 1) await probe(celery, spec, { timeoutMs: 600 });
    first.signal('SIGCONT');
    await until(async () => (await probe(celery, spec, { timeoutMs: 4_000 })).fields['workers'] === 2);
    await sleep(500);
    expect((await probe(celery, spec, { timeoutMs: 4_000 })).fields['workers']).toBe(2);
    expect(await keys()).toEqual([]);
  });

  test('tell what they have taken and not done', async () => {
    await application.send({ seconds: 2 });
    await until(async () => Number((await ask({ broker, ping: false })).fields['unacked']) > 0);
    const { fields } = await ask({ broker, ping: false });
    expect(fields['oldest_unacked_s']).toBeGreaterThanOrEqual(0);
    expect(fields['oldest_unacked_s']).toBeLessThan(60);
    await until(async () => (await ask({ broker, ping: false })).fields['unacked'] === 0);
  });

  test('a thousand runs leave nothing, here and in Redis', async () => {
    await until(async () => (await ask({ broker })).fields['workers'] === 2);
    const before = (await redis.cli('-n', '1', 'KEYS', '*')).split('\n').sort();
    const clients = async () => Number(/connected_clients:(\d+)/.exec(await redis.cli('INFO', 'clients'))?.[1]);
    const clientsBefore = await clients();
    const specs = Array.from({ length: 20 }, () => specOf({ broker }));
    let next = 0;
    await leavesNothing(
      async () => {
        next += 1;
        const output = await probe(celery, specs[next % specs.length] as never, { timeoutMs: 20_000 });
        expect(output.reason).toBe('ok');
      },
      980,
      20,
    );
    expect((await redis.cli('-n', '1', 'KEYS', '*')).split('\n').sort()).toEqual(before);
    await until(async () => (await clients()) <= clientsBefore);
  });
});

describe('queues', () => {
  test('are counted with all their priorities, each and together', async () => {
    const { broker, application } = await apply(2);
    const urgent = [{ count: 2, priority: 3 }, { priority: 9 }];
    await application.send({ count: 3 }, ...urgent, { count: 4, queue: 'mail' });
    const output = await ask({ broker, queues: ['celery', 'mail', 'empty'], ping: false });
    expect(output).toMatchObject({ reason: 'ok', fields: { depth: 10, queues: { celery: 6, mail: 4, empty: 0 } } });
    expect(output.fields).not.toHaveProperty('workers');
    // They grow while no worker takes from them, and nothing of ours takes from them either.
    await application.send({ count: 5 });
    expect(await ask({ broker })).toMatchObject({
      reason: 'unhealthy',
      error: 'no worker is connected',
      fields: { depth: 11, workers: 0, workers_connected: 0 },
    });
    expect(await ask({ broker, ping: false })).toMatchObject({ fields: { depth: 11 } });
  });

  test('of an application with steps of priority and a separator of its own', async () => {
    const transport = { priority_steps: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], sep: ':' };
    const { broker, application } = await apply(3, transport);
    await application.send({ count: 2, priority: 5 });
    const spec = { broker, priority_steps: transport.priority_steps, separator: ':' };
    expect(await ask({ ...spec, ping: false })).toMatchObject({ fields: { depth: 2 } });
    await application.worker('w1@steps');
    await until(async () => (await ask(spec)).fields['workers'] === 1);
  });

  test('tell the age of the oldest task when its header does', async () => {
    const { broker, application } = await apply(4);
    await application.send({});
    expect((await ask({ broker, ping: false })).fields['oldest_s']).toBeNull();
    await redis.cli('-n', '4', 'DEL', 'celery');
    await application.send({ agoSeconds: 120 }, { agoSeconds: 30 }, { agoSeconds: 60, priority: 6 });
    const { fields } = await ask({ broker, ping: false });
    expect(fields['oldest_s']).toBeGreaterThanOrEqual(120);
    expect(fields['oldest_s']).toBeLessThan(180);
    const unread = await ask({ broker, ping: false }, { reads: new Set(['depth']) });
    expect(unread.fields).not.toHaveProperty('oldest_s');
  });

  test.each<[string, (at: number) => unknown, number | null]>([
    ['in milliseconds', (at) => at, 120],
    ['in seconds as text', (at) => String(at / 1_000), 120],
    ['as a date', (at) => new Date(at).toISOString(), 120],
    ['as a date without a zone, as Python writes UTC', (at) => new Date(at).toISOString().replace('Z', '000'), 120],
    ['as such a date with a space', (at) => new Date(at).toISOString().slice(0, 19).replace('T', ' '), 120],
    ['by a clock that is ahead a little', (at) => (at + 150_000) / 1_000, 0],
    ['by a clock that cannot be right', (at) => (at + 300_000) / 1_000, null],
    ['as something else', () => 'yesterday', null],
  ])('know the age of a task whose header has the time %s', async (_how, written, age) => {
    vi.stubEnv('TZ', 'America/New_York');
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(new Date(0).getTimezoneOffset()).toBe(300);
    const message = JSON.stringify({ headers: { enqueued_at: written(Date.now() - 120_000) } });
    await redis.cli('-n', '9', 'DEL', 'celery');
    await redis.cli('-n', '9', 'LPUSH', 'celery', message);
    const { fields } = await ask({ broker: `${redis.url}/9`, ping: false });
    if (age === null) expect(fields['oldest_s']).toBeNull();
    else expect(Math.abs(Number(fields['oldest_s']) - age)).toBeLessThan(20);
  });

  test('with messages that are none, or too large, are counted all the same', async () => {
    await redis.cli('-n', '5', 'LPUSH', 'celery', 'no message');
    await redis.cli('-n', '5', 'LPUSH', 'mail', '{"headers": 1}');
    const spec = { broker: `${redis.url}/5`, queues: ['celery', 'mail'], ping: false };
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { depth: 2, oldest_s: null } });
    await redis.cli('-n', '5', 'EVAL', "redis.call('RPUSH', 'celery', string.rep('x', 2000000))", '0');
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { depth: 3, oldest_s: null } });
  });

  test('that are something else are a failure', async () => {
    await redis.cli('-n', '6', 'SET', 'celery', '1');
    expect(await ask({ broker: `${redis.url}/6` })).toMatchObject({
      reason: 'body',
      error: expect.stringMatching(/WRONGTYPE/),
    });
  });
});

describe('what goes wrong has a reason', () => {
  test('Redis refused, away, closed to us, full of others', async () => {
    expect(await ask({ broker: `redis://127.0.0.1:${await closedPort()}` })).toMatchObject({
      reason: 'connect_refused',
    });
    expect(await ask({ broker: 'redis://queue.invalid' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ broker: 'redis://224.0.0.1' })).toMatchObject({ reason: 'unreachable' });
    const deaf = { broker: `redis://127.0.0.1:${await deafPort()}` };
    expect(await ask(deaf, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
    const closed = await startRedis(['--requirepass', PASSWORD]);
    onTestFinished(() => closed.stop());
    expect(await ask({ broker: closed.url })).toMatchObject({ reason: 'auth' });
    expect(await ask({ broker: `redis://:${PASSWORD}@127.0.0.1:${closed.port}`, ping: false })).toMatchObject({
      reason: 'ok',
    });
    await redis.cli('ACL', 'SETUSER', 'narrow', 'on', `>${PASSWORD}`, '+@read', '+select', '~*');
    const narrow = `redis://narrow:${PASSWORD}@127.0.0.1:${redis.port}/7`;
    expect(await ask({ broker: narrow, ping: false })).toMatchObject({ reason: 'ok' });
    expect(await ask({ broker: narrow })).toMatchObject({ reason: 'auth', error: expect.stringMatching(/NOPERM/) });
  });

  test('a Redis that stands still in the middle is given up, and what was asked of it is taken back', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    // Somebody listens who never answers, so that the probe waits.
    await pretendWorker(own, () => undefined);
    const running = ask({ broker: own.url }, { timeoutMs: 1_500 });
    await until(async () => (await own.cli('EXISTS', '_kombu.binding.reply.celery.pidbox')) === '1');
    own.pause();
    expect(await running).toMatchObject({ reason: 'timeout' });
    own.resume();
    await until(async () => (await own.cli('KEYS', '*')) === '');
  });

  test('a pong that is none', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    await pretendWorker(own, () => '{"body": "gAJ9", "headers": {}, "properties": {}}');
    expect(await ask({ broker: own.url })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/pong/),
    });
    await until(async () => (await own.cli('KEYS', '*')) === '');
  });

  test('a pong to a question of before is not one to this', async () => {
    const own = await startRedis();
    onTestFinished(() => own.stop());
    const tickets: string[] = [];
    // The first time it says nothing, then what it owed, then what it is asked.
    await pretendWorker(own, (ticket) => {
      tickets.push(ticket);
      return tickets.length === 1 ? undefined : pongTo(tickets.length === 2 ? (tickets[0] ?? '') : ticket);
    });
    const spec = specOf({ broker: own.url });
    for (const workers of [0, 0, 1]) {
      const output = await probe(celery, spec, { timeoutMs: 2_000 });
      expect(output).toMatchObject({ reason: workers === 0 ? 'unhealthy' : 'ok', fields: { workers } });
    }
    expect(await own.cli('KEYS', '*')).toBe('');
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string]>([
    ['silence', () => {}, 'timeout'],
    ['another protocol', (socket) => socket.once('data', () => socket.write('HTTP/1.1 400 No\r\n\r\n')), 'protocol'],
    ['a close', (socket) => socket.once('data', () => socket.end()), 'protocol'],
  ])('%s', async (_name, onConnection, reason) => {
    const { port, drained } = await serveRaw(onConnection);
    const output = await ask(
      { broker: `redis://127.0.0.1:${port}` },
      { timeoutMs: reason === 'timeout' ? 300 : 10_000 },
    );
    expect(output.reason).toBe(reason);
    await drained();
  });
});

/** Listens as a worker does, and pushes what it answers into the mailbox of whoever asks; undefined: nothing. */
async function pretendWorker(server: RedisServer, answer: (ticket: string) => string | undefined): Promise<void> {
  const listener = connect(server.port, '127.0.0.1').on('error', () => {});
  onTestFinished(() => void listener.destroy());
  listener.on('data', (data: Buffer) => {
    const [, encoded = ''] = /"body":"([^"]+)"/.exec(data.toString()) ?? [];
    if (encoded === '') return;
    const { reply_to: to, ticket } = JSON.parse(Buffer.from(encoded, 'base64').toString());
    const pong = answer(ticket);
    if (pong !== undefined) void server.cli('LPUSH', `${to.routing_key}.${to.exchange}`, pong);
  });
  listener.write('SUBSCRIBE /0.celery.pidbox\r\n');
  await until(async () => (await server.cli('PUBSUB', 'NUMSUB', '/0.celery.pidbox')).endsWith('1'));
}

const pongTo = (ticket: string) =>
  JSON.stringify({
    body: Buffer.from('{"w@fake": {"ok": "pong"}}').toString('base64'),
    headers: { ticket },
    properties: { body_encoding: 'base64' },
  });

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ broker: 'amqp://h' }, /is not a URL/],
    [{ broker: 'redis://h', queues: [] }, /./],
    [{ broker: 'redis://h', tls: {} }, /rediss/],
    [{ broker: 'redis://h', ping: false, expect_workers: ['a@b'] }, /needs ping/],
  ])('%j is refused', (spec, message) => {
    const [issue] = celery.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test('the target is without credentials, and the example is valid', () => {
    expect(celery.target(specOf({ broker: 'redis://:secret@Queue.example' }))).toBe('redis://queue.example:6379/0');
    const [definition] = parse(celery.example);
    expect(celery.spec.safeParse(definition.celery).error).toBeUndefined();
  });
});
