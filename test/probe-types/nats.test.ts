import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { nats } from '../../src/probe-types/nats.ts';
import { heapStays } from '../estate/heap-growth.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { closedPort, deafPort, drip, flood, probe, type RunOptions, serveRaw } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type NatsServer, startNats } from '../estate/nats.ts';
import { createHierarchy, createIdentity } from '../estate/nats-identities.ts';

const PASSWORD = ['correct', 'horse'].join('-');
const TOKEN = ['battery', 'staple'].join('-');

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(nats, nats.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

let server: NatsServer;
let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
  server = await startNats(['jetstream: { store_dir: "FOLDER/js" }']);
  const stream = JSON.stringify({ name: 'ORDERS', subjects: ['orders.>'], storage: 'memory' });
  await server.request('$JS.API.STREAM.CREATE.ORDERS', stream);
});
afterAll(async () => {
  await server?.stop();
  await authority.remove();
});

async function serve(settings: readonly string[]): Promise<NatsServer> {
  const own = await startNats(settings);
  onTestFinished(() => own.stop());
  return own;
}

describe('a server', () => {
  test('tells what it is', async () => {
    const { reason, fields, error } = await ask({ url: server.url });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      connected: true,
      version: expect.stringMatching(/^\d+\.\d+/),
      server_name: 'probed',
      max_payload_bytes: 2 ** 20,
      jetstream: true,
      lame_duck: false,
      round_trip_ms: expect.any(Number),
      ip: '127.0.0.1',
      tls: undefined,
    });
    expect(fields).not.toHaveProperty('depth');
    expect(fields['phases']).toMatchObject({ connect_ms: expect.any(Number), processing_ms: expect.any(Number) });
  });

  test('that is about to shut down says so', async () => {
    const greeting = { server_name: 'n', version: '2', max_payload: 1, ldm: true };
    const { port } = await serveRaw((socket) => {
      socket.write(`INFO ${JSON.stringify(greeting)}\r\n`);
      socket.on('data', () => socket.write('PONG\r\n'));
    });
    expect(await ask({ url: `nats://127.0.0.1:${port}` })).toMatchObject({ reason: 'ok', fields: { lame_duck: true } });
  });

  test('that wants to know whether we are there hears that we are', async () => {
    const { port } = await serveRaw((socket) => {
      socket.write(`INFO ${JSON.stringify({ version: '2', max_payload: 1 })}\r\n`);
      let isAnswered = false;
      socket.on('data', (data) => {
        isAnswered ||= data.includes('PONG');
        socket.write(isAnswered ? 'PONG\r\n' : 'PING\r\n');
      });
    });
    expect(await ask({ url: `nats://127.0.0.1:${port}` })).toMatchObject({ reason: 'ok' });
  });

  test('that stands still, is killed, and comes back', async () => {
    const own = await serve([]);
    own.pause();
    expect(await ask({ url: own.url }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
    own.resume();
    await own.kill();
    expect(await ask({ url: own.url })).toMatchObject({ reason: 'connect_refused', fields: { connected: false } });
    await own.start();
    expect(await ask({ url: own.url })).toMatchObject({ reason: 'ok' });
  });
});

describe('JetStream', () => {
  const durable = (name: string) =>
    JSON.stringify({ stream_name: 'ORDERS', config: { durable_name: name, ack_policy: 'explicit' } });

  test('tells what a stream holds and what a consumer has left', async () => {
    const empty = { reason: 'ok', fields: { depth: 0, consumers: 0, stream_bytes: 0 } };
    expect(await ask({ url: server.url, stream: 'ORDERS' })).toMatchObject(empty);
    await server.request('$JS.API.CONSUMER.DURABLE.CREATE.ORDERS.billing', durable('billing'));
    for (let order = 0; order < 5; order += 1) await server.request('orders.new', 'one more');
    const { fields } = await ask({ url: server.url, stream: 'ORDERS' });
    expect(fields).toMatchObject({ depth: 5, consumers: 1 });
    expect(fields).not.toHaveProperty('unacknowledged');
    expect(fields['stream_bytes']).toBeGreaterThan(0);

    const spec = { url: server.url, stream: 'ORDERS', consumer: 'billing' };
    expect(await ask(spec)).toMatchObject({
      reason: 'ok',
      fields: { depth: 5, consumers: 1, unacknowledged: 0, redelivered: 0, waiting_pulls: 0 },
    });
    await server.request('$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing', '2');
    await expect.poll(async () => (await ask(spec)).fields).toMatchObject({ depth: 3, unacknowledged: 2 });
  });

  test('does not know what is not there', async () => {
    expect(await ask({ url: server.url, stream: 'GONE' })).toMatchObject({
      reason: 'not_found',
      error: expect.stringMatching(/^the stream: stream not found/),
      fields: { connected: true },
    });
    expect(await ask({ url: server.url, stream: 'ORDERS', consumer: 'gone' })).toMatchObject({
      reason: 'not_found',
      error: expect.stringMatching(/^the consumer: /),
      fields: { consumers: expect.any(Number) },
    });
    expect(await ask({ url: server.url, stream: 'ORDERS', domain: 'elsewhere' })).toMatchObject({
      reason: 'not_found',
      error: expect.stringMatching(/^nobody answers \$JS\.elsewhere\.API/),
    });
  });

  test('that is not enabled', async () => {
    const plain = await serve([]);
    expect(await ask({ url: plain.url, stream: 'ORDERS' })).toMatchObject({
      reason: 'not_found',
      fields: { jetstream: false },
    });
  });

  test('in a domain is asked there', async () => {
    const own = await serve(['jetstream: { store_dir: "FOLDER/js", domain: hub }']);
    await own.request('$JS.API.STREAM.CREATE.ORDERS', JSON.stringify({ name: 'ORDERS', storage: 'memory' }));
    const spec = { url: own.url, stream: 'ORDERS', domain: 'hub' };
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { depth: 0 } });
  });
});

describe('who may come in', () => {
  test('by user and password', async () => {
    const own = await serve([`authorization: { user: probe, password: "${PASSWORD}" }`]);
    const at = `127.0.0.1:${own.port}`;
    expect(await ask({ url: `nats://probe:${PASSWORD}@${at}` })).toMatchObject({ reason: 'ok' });
    const refused = {
      reason: 'auth',
      error: 'Authorization Violation',
      fields: { connected: false, server_name: 'probed' },
    };
    expect(await ask({ url: `nats://probe:wrong@${at}` })).toMatchObject(refused);
    expect(await ask({ url: `nats://${at}` })).toMatchObject(refused);
  });

  test('by token', async () => {
    const own = await serve([`authorization: { token: "${TOKEN}" }`]);
    const at = `127.0.0.1:${own.port}`;
    expect(await ask({ url: `nats://${TOKEN}@${at}` })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url: `nats://wrong@${at}` })).toMatchObject({ reason: 'auth' });
  });

  test('by key', async () => {
    const [known, stranger] = [createIdentity('U'), createIdentity('U')];
    const own = await serve([`authorization: { users: [{ nkey: "${known.publicKey}" }] }`]);
    expect(await ask({ url: own.url, nkey: known.seed })).toMatchObject({ reason: 'ok', fields: { connected: true } });
    expect(await ask({ url: own.url, nkey: stranger.seed })).toMatchObject({ reason: 'auth' });
    expect(await ask({ url: own.url })).toMatchObject({ reason: 'auth' });
  });

  test('by a credentials file', async () => {
    const { settings, credentials } = createHierarchy();
    const own = await serve(settings);
    expect(await ask({ url: own.url, credentials })).toMatchObject({ reason: 'ok', fields: { connected: true } });
    const foreign = createHierarchy().credentials;
    expect(await ask({ url: own.url, credentials: foreign })).toMatchObject({ reason: 'auth' });
  });

  test('with narrow permissions', async () => {
    const permissions = 'permissions: { publish: "nothing", subscribe: "_INBOX.>" }';
    const own = await serve([
      'jetstream: { store_dir: "FOLDER/js" }',
      `authorization: { users: [{ user: narrow, password: "${PASSWORD}", ${permissions} }] }`,
    ]);
    const url = `nats://narrow:${PASSWORD}@127.0.0.1:${own.port}`;
    expect(await ask({ url })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url, stream: 'ORDERS' })).toMatchObject({
      reason: 'auth',
      error: expect.stringMatching(/^Permissions Violation for Publish/),
    });
  });

  test('while there is room', async () => {
    const full = await serve(['max_connections: 1']);
    // Read, or it would not be seen that it was closed.
    const takePlace = () =>
      connect(full.port, '127.0.0.1')
        .on('error', () => {})
        .resume();
    let client = takePlace();
    onTestFinished(() => void client.destroy());
    // Whoever asked whether the server is up may still be counted: then our client was refused, and takes the place again.
    const reason = async () => {
      if (client.destroyed) client = takePlace();
      return (await ask({ url: full.url })).reason;
    };
    await expect.poll(reason, { timeout: 20_000 }).toBe('saturated');
    client.destroy();
    await expect.poll(async () => (await ask({ url: full.url })).reason).toBe('ok');
  });
});

describe('TLS', () => {
  async function serveTls(name: string, agoDays = 0): Promise<NatsServer> {
    const { cert, key } = await authority.issue(name, { names: 'IP:127.0.0.1', days: 30, agoDays });
    const files = [join(authority.folder, `${name}.crt`), join(authority.folder, `${name}.secret`)] as const;
    await writeFile(files[0], cert);
    await writeFile(files[1], key);
    return await serve([`tls: { cert_file: "${files[0]}", key_file: "${files[1]}" }`]);
  }

  test('is used where the server requires it, and judged', async () => {
    const own = await serveTls('bus');
    const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=bus,O=Test' }, server_name: 'probed' };
    const tls = { ca: authority.cert };
    expect(await ask({ url: own.url, tls })).toMatchObject({ reason: 'ok', fields: { ...fields, connected: true } });
    expect(await ask({ url: own.url.replace('nats:', 'tls:'), tls })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url: own.url })).toMatchObject({ reason: 'tls', fields: { ...fields, connected: false } });
    expect(await ask({ url: own.url, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
    const expired = await serveTls('past', 40);
    expect(await ask({ url: expired.url, tls })).toMatchObject({ reason: 'certificate_expired' });
  });

  test('is insisted on', async () => {
    const error = 'the server offers no TLS, and the definition insists on it';
    expect(await ask({ url: server.url.replace('nats:', 'tls:') })).toMatchObject({ reason: 'tls', error });
    expect(await ask({ url: server.url, tls: { ca: authority.cert } })).toMatchObject({ reason: 'tls', error });
  });

  test('does not begin behind words that nobody protected', async () => {
    const info = { version: '2', max_payload: 1, tls_required: true };
    const { port } = await serveRaw((socket) => socket.write(`INFO ${JSON.stringify(info)}\r\nPONG\r\n`));
    expect(await ask({ url: `nats://127.0.0.1:${port}` })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/before TLS/),
    });
  });

  test('that never comes about', async () => {
    const info = { version: '2', max_payload: 1, tls_required: true };
    const { port } = await serveRaw((socket) => socket.write(`INFO ${JSON.stringify(info)}\r\n`));
    expect(await ask({ url: `nats://127.0.0.1:${port}` }, { timeoutMs: 300 })).toMatchObject({
      reason: 'timeout',
      error: expect.stringMatching(/TLS handshake/),
    });
  });
});

describe('what goes wrong has a reason', () => {
  const info = `INFO ${JSON.stringify({ version: '2', max_payload: 1 })}\r\n`;

  test('names and networks', async () => {
    expect(await ask({ url: `nats://127.0.0.1:${await closedPort()}` })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ url: 'nats://nobody.invalid' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ url: 'nats://224.0.0.1:9' })).toMatchObject({ reason: 'unreachable' });
    const deaf = { url: `nats://127.0.0.1:${await deafPort()}` };
    expect(await ask(deaf, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
  });

  test.each<[string, string, string, RegExp]>([
    ['silence', '', 'timeout', /deadline/],
    ['half a greeting', info.slice(0, 20), 'timeout', /deadline/],
    ['a greeting and no more', info, 'timeout', /deadline/],
    ['another protocol', '220 mail.example ESMTP\r\n', 'protocol', /does not speak NATS/],
    ['a greeting that is no JSON', 'INFO {"version":\r\n', 'protocol', /no greeting/],
    ['a greeting of something else', 'INFO {"name":"x"}\r\n', 'protocol', /no greeting/],
    ['nothing but a nod', '+OK\r\n', 'protocol', /no greeting/],
    ['JSON nested without end', `INFO ${'['.repeat(60_000)}\r\n`, 'protocol', /no greeting/],
    ['an endless line', `INFO ${'x'.repeat(70_000)}`, 'protocol', /does not speak NATS/],
    ['an unknown word', `${info}HELLO\r\n`, 'protocol', /does not speak NATS/],
    ['an error', `${info}-ERR 'Server Shutdown'\r\n`, 'unhealthy', /^Server Shutdown$/],
    ['an unknown error', `${info}-ERR 'Parser Error'\r\n`, 'protocol', /^Parser Error$/],
    ['a message without a size', `${info}MSG a 1\r\n`, 'protocol', /does not speak NATS/],
    ['a message beyond the cap', `${info}MSG a 1 99999999\r\n`, 'body', /larger than 1 MiB/],
    ['headers longer than their message', `${info}HMSG a 1 9 5\r\n`, 'protocol', /does not speak NATS/],
    ['half a message', `${info}MSG a 1 100\r\nhalf`, 'timeout', /deadline/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw((socket) => socket.write(bytes));
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const startedAt = performance.now();
    const output = await ask({ url: `nats://127.0.0.1:${port}` }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message), fields: { connected: false } });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
  });

  test('a close, a reset, a flood, a drip', async () => {
    const run = async (onConnection: Parameters<typeof serveRaw>[0], timeoutMs: number) => {
      const raw = await serveRaw(onConnection);
      const output = await ask({ url: `nats://127.0.0.1:${raw.port}` }, { timeoutMs });
      await raw.drained();
      return output;
    };
    expect(await run((socket) => socket.end(), 10_000)).toMatchObject({ reason: 'protocol' });
    const reset = await run((socket) => socket.once('data', () => socket.resetAndDestroy()).write(info), 10_000);
    expect(reset).toMatchObject({ reason: 'protocol', error: expect.stringMatching(/closed before/) });
    let pongs = 0;
    const flooded = await run((socket) => {
      socket.write(info);
      socket.on('data', (data) => {
        pongs += data.toString().split('PONG').length - 1;
      });
      flood(socket, 'PING\r\n'.repeat(1_000));
    }, 10_000);
    expect(flooded).toMatchObject({ reason: 'protocol', error: 'it says more than 100 things that nobody asked for' });
    expect(pongs).toBeLessThanOrEqual(101);
    expect(await run((socket) => drip(socket, info.slice(0, 9), 30), 300)).toMatchObject({ reason: 'timeout' });
  });

  test.each([
    ['an answer that is no JSON', 'oops', 'protocol'],
    ['an answer of something else', '{"pong":1}', 'protocol'],
    ['a refusal', '{"error":{"code":503,"description":"JetStream system temporarily unavailable"}}', 'unhealthy'],
    ['a question it does not like', '{"error":{"code":400,"description":"bad request"}}', 'body'],
  ])('%s to a question about a stream', async (_name, answer, reason) => {
    const { port } = await serveRaw((socket) => {
      socket.write(info);
      socket.on('data', (data) => {
        const inbox = /PUB \S+ (\S+) 0/.exec(data.toString())?.[1];
        socket.write(inbox ? `MSG ${inbox} 1 ${answer.length}\r\n${answer}\r\n` : 'PONG\r\n');
      });
    });
    expect(await ask({ url: `nats://127.0.0.1:${port}`, stream: 'S' })).toMatchObject({ reason });
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
  expect(await ask({ url: `nats://127.0.0.1:${port}`, stream: 'ORDERS' })).toMatchObject({ reason: 'ok' });
});

describe('hundreds of runs leave nothing behind', () => {
  test('here', async () => {
    const spec = { url: server.url, stream: 'ORDERS' };
    await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 50);
    const wrong = { url: server.url, stream: 'GONE' };
    await leavesNothing(async () => expect((await ask(wrong)).reason).toBe('not_found'), 300, 50);
    const { port } = await serveRaw(() => {});
    const silent = { url: `nats://127.0.0.1:${port}` };
    await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
  });

  test('on the heap', async () => {
    await heapStays(async () => expect((await ask({ url: server.url, stream: 'ORDERS' })).reason).toBe('ok'));
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'redis://h' }, /is not a URL/],
    [{ url: 'nats://h/path' }, /path/],
    [{ url: 'nats://h', consumer: 'c' }, /belong/],
    [{ url: 'nats://h', nkey: 'SUAB' }, /seed of a user/],
    [{ url: 'nats://h', nkey: createIdentity('A').seed }, /seed of a user/],
    [{ url: 'nats://h', nkey: mistyped(createIdentity('U').seed) }, /seed of a user/],
    [{ url: 'nats://u:p@h', nkey: createIdentity('U').seed }, /wants one of/],
    [{ url: 'nats://h', credentials: 'x' }, /credentials file/],
    [{ url: 'nats://h', stream: 'a.b' }, /no dots/],
    [{ url: 'nats://h', stream: 'a\r\nPUB b' }, /no dots/],
    [{ url: 'nats://h', stream: 'a', consumer: '>' }, /no dots/],
  ])('%j is refused', (spec, message) => {
    const [issue] = nats.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['nats://user:secret@Bus.example', 'nats://bus.example:4222'],
    ['tls://token@[::1]:4223', 'tls://[::1]:4223'],
  ])('the target of %s is without credentials', (url, target) => {
    expect(nats.target(nats.spec.parse({ url }))).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(nats.example);
    expect(nats.spec.safeParse(definition.nats).error).toBeUndefined();
  });
});

/** With one letter changed. */
function mistyped(seed: string): string {
  return `${seed.slice(0, 20)}${seed[20] === 'A' ? 'B' : 'A'}${seed.slice(21)}`;
}
