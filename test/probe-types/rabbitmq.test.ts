import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  long,
  longText,
  METHOD,
  methodFrame,
  PROTOCOL_HEADER,
  short,
  table,
} from '../../src/probe-types/amqp-frames.ts';
import { rabbitmq } from '../../src/probe-types/rabbitmq.ts';
import { freePort } from '../estate/daemon.ts';
import { heapStays } from '../estate/heap-growth.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { closedPort, deafPort, drip, flood, probe, type RunOptions, serveRaw } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type RabbitmqServer, startRabbitmq } from '../estate/rabbitmq.ts';

const PASSWORD = ['correct', 'horse'].join('-');
const BOOT_MS = 150_000;

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(rabbitmq, rabbitmq.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

const queue = (name: string, vhost = '/') => ({ name, vhost, durable: true, auto_delete: false, arguments: {} });
const user = (name: string) => ({ name, password: PASSWORD, tags: [] });
const DEFINITIONS = {
  users: [user('probe'), user('stranger')],
  vhosts: [{ name: 'shop' }, { name: 'full' }],
  permissions: [
    { user: 'probe', vhost: 'shop', configure: '^$', write: '^$', read: '.*' },
    { user: 'probe', vhost: 'full', configure: '.*', write: '.*', read: '.*' },
  ],
  parameters: [{ component: 'vhost-limits', vhost: 'full', name: 'limits', value: { 'max-connections': 0 } }],
  queues: [queue('jobs'), queue('mails'), queue('watched'), queue('orders', 'shop')],
};

let broker: RabbitmqServer;
let authority: Authority;
let tlsPort: number;
beforeAll(async () => {
  authority = await createAuthority();
  const { cert, key } = await authority.issue('bus', { names: 'IP:127.0.0.1', days: 30 });
  const files = ['bus.crt', 'bus.secret'].map((name) => join(authority.folder, name)) as [string, string];
  await writeFile(files[0], cert);
  await writeFile(files[1], key);
  tlsPort = await freePort();
  broker = await startRabbitmq(DEFINITIONS, [
    `listeners.ssl.1 = 127.0.0.1:${tlsPort}`,
    `ssl_options.cacertfile = ${join(authority.folder, 'ca.pem')}`,
    `ssl_options.certfile = ${files[0]}`,
    `ssl_options.keyfile = ${files[1]}`,
    'ssl_options.verify = verify_none',
  ]);
}, BOOT_MS);
afterAll(async () => {
  await broker?.stop();
  await authority.remove();
});

describe('a broker', () => {
  test('accepts a login, and tells what it is', async () => {
    const { reason, fields, error } = await ask({ url: broker.url });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      connected: true,
      product: 'RabbitMQ',
      version: expect.stringMatching(/^3\./),
      cluster: expect.stringMatching(/^probed-/),
      queues: {},
      ip: '127.0.0.1',
      tls: undefined,
    });
    expect(fields).not.toHaveProperty('depth');
  });

  test('tells what waits in queues, and who consumes them', async () => {
    await broker.publish('jobs', 7);
    await broker.publish('mails', 2);
    const spec = { url: broker.url, queues: ['jobs', 'mails'] };
    await expect
      .poll(async () => await ask(spec))
      .toMatchObject({
        reason: 'ok',
        fields: {
          depth: 9,
          consumers: 0,
          queues: { jobs: { depth: 7, consumers: 0 }, mails: { depth: 2, consumers: 0 } },
        },
      });
    const consumer = await broker.consume('watched');
    const watched = async () => (await ask({ url: broker.url, queues: ['watched'] })).fields['consumers'];
    expect(await watched()).toBe(1);
    await consumer.end();
    await expect.poll(watched).toBe(0);
  });

  test('makes no queue that is not there, and tells of the others', async () => {
    const spec = { url: broker.url, queues: ['gone', 'mails', 'away'] };
    for (let round = 0; round < 2; round += 1) {
      const { reason, error, fields } = await ask(spec);
      expect(reason).toBe('not_found');
      expect(error).toBe("NOT_FOUND - no queue 'gone' in vhost '/' (404)");
      expect(fields).toMatchObject({ connected: true, queues: { mails: { depth: 2 } } });
      expect(fields).not.toHaveProperty('depth');
    }
  });

  test('has virtual hosts', async () => {
    const url = `amqp://probe:${PASSWORD}@127.0.0.1:${broker.port}`;
    expect(await ask({ url: `${url}/shop`, queues: ['orders'] })).toMatchObject({
      reason: 'ok',
      fields: { queues: { orders: { depth: 0, consumers: 0 } } },
    });
    expect(await ask({ url: `${broker.url}/%2F`, queues: ['jobs'] })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url: `${url}/nowhere` })).toMatchObject({ reason: 'not_found', fields: { connected: false } });
    expect(await ask({ url })).toMatchObject({ reason: 'auth', error: expect.stringMatching(/^NOT_ALLOWED - access/) });
    expect(await ask({ url: `${url}/full` })).toMatchObject({ reason: 'saturated' });
  });

  test('refuses a wrong password', async () => {
    const refused = {
      reason: 'auth',
      error: expect.stringMatching(/^ACCESS_REFUSED/),
      fields: { connected: false, ip: '127.0.0.1' },
    };
    expect(await ask({ url: `amqp://probe:wrong@127.0.0.1:${broker.port}/shop` })).toMatchObject(refused);
    expect(await ask({ url: `amqp://nobody:${PASSWORD}@127.0.0.1:${broker.port}` })).toMatchObject(refused);
  });

  test('over TLS shows its certificate, trusted or not', async () => {
    const url = `amqps://127.0.0.1:${tlsPort}`;
    const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=bus,O=Test' } };
    const spec = { url, tls: { ca: authority.cert }, queues: ['jobs'] };
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { ...fields, depth: 7 } });
    expect(await ask({ url })).toMatchObject({ reason: 'tls', fields: { ...fields, connected: false } });
    expect(await ask({ url, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
  });

  test('answers in single bytes, too', async () => {
    const { port } = await serveRaw((socket) => {
      const front = connect(broker.port, '127.0.0.1');
      socket.pipe(front);
      socket.on('close', () => front.destroy());
      front.on('data', (data) => {
        for (const byte of data) socket.write(Buffer.from([byte]));
      });
    });
    const spec = { url: `amqp://127.0.0.1:${port}`, queues: ['jobs'] };
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { depth: 7 } });
  });
});

describe('hundreds of runs leave nothing behind', () => {
  test('here', async () => {
    const spec = { url: broker.url, queues: ['jobs', 'mails'] };
    await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 100, 25);
    const wrong = { url: broker.url, queues: ['gone'] };
    await leavesNothing(async () => expect((await ask(wrong)).reason).toBe('not_found'), 100, 25);
    const { port } = await serveRaw(() => {});
    const silent = { url: `amqp://127.0.0.1:${port}` };
    await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
  });

  test('on the heap', async () => {
    const spec = { url: broker.url, queues: ['jobs'] };
    await heapStays(async () => expect((await ask(spec)).reason).toBe('ok'));
  });
});

test(
  'a broker that stands still, is killed, and comes back',
  async () => {
    broker.pause();
    expect(await ask({ url: broker.url }, { timeoutMs: 500 })).toMatchObject({ reason: 'timeout' });
    broker.resume();
    await expect.poll(async () => (await ask({ url: broker.url })).reason, { timeout: 20_000 }).toBe('ok');
    await broker.kill();
    expect(await ask({ url: broker.url })).toMatchObject({ reason: 'connect_refused', fields: { connected: false } });
    await broker.start();
    expect(await ask({ url: broker.url, queues: ['jobs'] })).toMatchObject({ reason: 'ok' });
  },
  BOOT_MS,
);

describe('what goes wrong has a reason', () => {
  const start = (mechanisms: string, properties = table({ product: 'Fake', more: { nested: true } })) =>
    methodFrame(0, METHOD.connectionStart, Buffer.from([0, 9]), properties, longText(mechanisms), longText('en_US'));
  const tune = methodFrame(0, METHOD.connectionTune, short(0), long(0), short(60));
  const openOk = methodFrame(0, METHOD.connectionOpenOk, Buffer.from([0]));
  const closeWith = (code: number, text: string) =>
    methodFrame(0, METHOD.connectionClose, short(code), Buffer.from([text.length]), Buffer.from(text), long(0));
  const heartbeat = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

  /** Sends the next piece whenever something came. */
  const scripted = (pieces: readonly Buffer[]) =>
    serveRaw((socket) => {
      const rest = [...pieces];
      socket.on('data', () => {
        const piece = rest.shift();
        if (piece) socket.write(piece);
      });
    });

  test('names and networks', async () => {
    expect(await ask({ url: `amqp://127.0.0.1:${await closedPort()}` })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ url: 'amqp://nobody.invalid' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ url: 'amqp://224.0.0.1:9' })).toMatchObject({ reason: 'unreachable' });
    const deaf = { url: `amqp://127.0.0.1:${await deafPort()}` };
    expect(await ask(deaf, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
  });

  test.each<[string, readonly Buffer[], string, RegExp]>([
    ['silence', [], 'timeout', /deadline/],
    ['half a frame', [start('PLAIN').subarray(0, 20)], 'timeout', /deadline/],
    ['a start and no more', [start('PLAIN')], 'timeout', /deadline/],
    ['a tune and no more', [start('PLAIN'), tune], 'timeout', /deadline/],
    ['another version of AMQP', [PROTOCOL_HEADER], 'protocol', /AMQP 0-9-1/],
    ['another protocol', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], 'protocol', /does not speak AMQP/],
    ['a frame beyond the cap', [Buffer.from([1, 0, 0, 0x7f, 0xff, 0xff, 0xff])], 'protocol', /does not speak AMQP/],
    ['a frame without its end', [Buffer.from([1, 0, 0, 0, 0, 0, 1, 0, 0])], 'protocol', /does not speak AMQP/],
    ['a frame without a method', [Buffer.from([1, 0, 0, 0, 0, 0, 2, 0, 0, 0xce])], 'protocol', /ends too early/],
    ['a table longer than its frame', [start('PLAIN', long(9_999))], 'protocol', /ends too early/],
    ['an answer out of turn', [tune], 'protocol', /out of turn \(10, 30\)/],
    ['no passwords', [start('EXTERNAL')], 'auth', /PLAIN/],
    [
      'an operator',
      [start('PLAIN'), closeWith(320, 'CONNECTION_FORCED - x')],
      'unhealthy',
      /^CONNECTION_FORCED - x \(320\)$/,
    ],
    ['an internal error', [start('PLAIN'), closeWith(541, 'INTERNAL_ERROR')], 'unhealthy', /541/],
    ['a broken frame of ours', [start('PLAIN'), closeWith(501, 'FRAME_ERROR')], 'protocol', /501/],
    ['heartbeats', [heartbeat, heartbeat], 'timeout', /deadline/],
  ])('%s', async (_name, pieces, reason, message) => {
    const { port } = await scripted(pieces);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const startedAt = performance.now();
    const output = await ask({ url: `amqp://127.0.0.1:${port}`, queues: ['a'] }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
  });

  test('a broker that does not take leave', async () => {
    const { port } = await scripted([start('PLAIN'), tune, openOk]);
    expect(await ask({ url: `amqp://127.0.0.1:${port}` }, { timeoutMs: 500 })).toMatchObject({
      reason: 'timeout',
      fields: { connected: true, product: 'Fake' },
    });
  });

  test('a close, a reset, a flood, a drip', async () => {
    const run = async (onConnection: Parameters<typeof serveRaw>[0], timeoutMs: number) => {
      const raw = await serveRaw(onConnection);
      const output = await ask({ url: `amqp://127.0.0.1:${raw.port}` }, { timeoutMs });
      await raw.drained();
      return output;
    };
    expect(await run((socket) => socket.end(), 10_000)).toMatchObject({ reason: 'protocol' });
    const reset = await run((socket) => socket.once('data', () => socket.resetAndDestroy()), 10_000);
    expect(reset).toMatchObject({ reason: 'protocol', error: expect.stringMatching(/closed before/) });
    const flooded = await run(
      (socket) => flood(socket, Buffer.concat(Array.from({ length: 1_000 }, () => heartbeat))),
      20_000,
    );
    expect(flooded).toMatchObject({ reason: 'body', error: 'the answer is larger than 1 MiB' });
    const dripped = await run((socket) => drip(socket, '\x01', 30), 300);
    expect(dripped).toMatchObject({ reason: expect.stringMatching(/timeout|protocol/) });
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'http://h' }, /is not a URL/],
    [{ url: 'amqp://:password@h' }, /without a user/],
    [{ url: `amqp://h/${'x'.repeat(256)}` }, /255 bytes/],
    [{ url: 'amqp://h', tls: {} }, /amqps/],
    [{ url: 'amqp://h', queues: ['ü'.repeat(128)] }, /255 bytes/],
    [{ url: 'amqp://h', queues: [''] }, /./],
  ])('%j is refused', (spec, message) => {
    const [issue] = rabbitmq.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['amqp://user:secret@Bus.example', 'amqp://bus.example:5672'],
    ['amqp://bus/%2F', 'amqp://bus:5672/%2F'],
    ['amqps://u:p@[::1]/shop', 'amqps://[::1]:5671/shop'],
  ])('the target of %s is without credentials', (url, target) => {
    expect(rabbitmq.target(rabbitmq.spec.parse({ url }))).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(rabbitmq.example);
    expect(rabbitmq.spec.safeParse(definition.rabbitmq).error).toBeUndefined();
  });
});
