import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { mqtt } from '../../src/probe-types/mqtt.ts';
import { freePort } from '../estate/daemon.ts';
import { heapStays } from '../estate/heap-growth.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import {
  closedPort,
  deafPort,
  drip,
  flood,
  probe,
  type RunOptions,
  serveRaw,
  sleep,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type Mosquitto, type MosquittoSetup, startMosquitto } from '../estate/mosquitto.ts';

const PASSWORD = ['correct', 'horse'].join('-');

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(mqtt, mqtt.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

let broker: Mosquitto;
let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
  broker = await startMosquitto();
  await broker.retain('plant/line-1/temperature', '72.5');
  await broker.retain('plant/name', 'Grüß');
});
afterAll(async () => {
  await broker?.stop();
  await authority.remove();
});

async function serve(setup: MosquittoSetup): Promise<Mosquitto> {
  const own = await startMosquitto(setup);
  onTestFinished(() => own.stop());
  return own;
}

describe.each(['3.1.1', '5.0'])('a broker, in MQTT %s', (protocol) => {
  test('accepts a login', async () => {
    const { reason, fields, error } = await ask({ url: broker.url, protocol });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ connected: true, values: {}, ip: '127.0.0.1', tls: undefined });
    expect(fields['value']).toBeUndefined();
  });

  test('tells what stands on topics', async () => {
    const topics = ['plant/line-1/temperature', 'plant/name'];
    expect(await ask({ url: broker.url, protocol, topics })).toMatchObject({
      reason: 'ok',
      fields: { value: '72.5', values: { 'plant/line-1/temperature': '72.5', 'plant/name': 'Grüß' } },
    });
  });

  test('brings a message back', async () => {
    const spec = { url: broker.url, protocol, round_trip: 'probes/brainstem' };
    const { reason, fields } = await ask(spec);
    expect(reason).toBe('ok');
    expect(fields['round_trip_ms']).toBeGreaterThan(0);
    // Each knows its own.
    const many = await Promise.all(Array.from({ length: 10 }, () => ask(spec)));
    expect(many.map((output) => output.reason)).toEqual(Array.from({ length: 10 }, () => 'ok'));
  });

  test('tells its own figures', async () => {
    const client = connect(broker.port, '127.0.0.1');
    onTestFinished(() => void client.destroy());
    const figures = async () => (await ask({ url: broker.url, protocol, statistics: true })).fields;
    await expect.poll(figures, { timeout: 10_000 }).toMatchObject({
      depth: expect.any(Number),
      consumers: expect.any(Number),
      version: expect.stringMatching(/^mosquitto version 2/),
    });
  });

  test('refuses a wrong password, and none', async () => {
    const own = await serve({ users: { probe: PASSWORD } });
    const at = `127.0.0.1:${own.port}`;
    expect(await ask({ url: `mqtt://probe:${PASSWORD}@${at}`, protocol })).toMatchObject({ reason: 'ok' });
    const refused = { reason: 'auth', fields: { connected: false } };
    expect(await ask({ url: `mqtt://probe:wrong@${at}`, protocol })).toMatchObject(refused);
    expect(await ask({ url: `mqtt://${at}`, protocol })).toMatchObject(refused);
  });
});

test('a message that comes while it is awaited counts', async () => {
  const running = ask({ url: broker.url, topics: ['news'] });
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    void broker.publish('news', 'fresh').catch(() => {});
  }, 200);
  onTestFinished(() => clearInterval(timer));
  expect(await running).toMatchObject({ reason: 'ok', fields: { value: 'fresh' } });
  clearInterval(timer);
  expect(sent).toBeGreaterThan(0);
  await sleep(300);
});

test('a topic without a message is named', async () => {
  const topics = ['plant/name', 'plant/gone'];
  expect(await ask({ url: broker.url, topics }, { timeoutMs: 400 })).toMatchObject({
    reason: 'timeout',
    error: 'no message came before the deadline on plant/gone',
    fields: { connected: true },
  });
});

test('what nobody may publish does not come back', async () => {
  const own = await serve({ users: { narrow: PASSWORD }, permissions: ['user narrow', 'topic read probes/#'] });
  const url = `mqtt://narrow:${PASSWORD}@127.0.0.1:${own.port}`;
  expect(await ask({ url, round_trip: 'probes/x' }, { timeoutMs: 400 })).toMatchObject({
    reason: 'timeout',
    error: 'what was published to probes/x did not come back before the deadline',
  });
});

test('a broker that stands still, is killed, and comes back', async () => {
  const own = await serve({});
  own.pause();
  expect(await ask({ url: own.url }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
  own.resume();
  await own.kill();
  expect(await ask({ url: own.url })).toMatchObject({ reason: 'connect_refused', fields: { connected: false } });
  await own.start();
  expect(await ask({ url: own.url })).toMatchObject({ reason: 'ok' });
});

test('over TLS the certificate is seen and judged', async () => {
  const port = await freePort();
  const { cert, key } = await authority.issue('bus', { names: 'IP:127.0.0.1', days: 30 });
  const files = [join(authority.folder, 'bus.crt'), join(authority.folder, 'bus.secret')] as const;
  await writeFile(files[0], cert);
  await writeFile(files[1], key);
  const settings = [`listener ${port} 127.0.0.1`, `certfile ${files[0]}`, `keyfile ${files[1]}`];
  await serve({ settings });
  const url = `mqtts://127.0.0.1:${port}`;
  const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=bus,O=Test' } };
  expect(await ask({ url, tls: { ca: authority.cert }, round_trip: 'a' })).toMatchObject({ reason: 'ok', fields });
  expect(await ask({ url })).toMatchObject({ reason: 'tls', fields: { ...fields, connected: false } });
  expect(await ask({ url, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
  const plain = await ask({ url: broker.url.replace('mqtt:', 'mqtts:') }, { timeoutMs: 500 });
  expect(['tls', 'timeout']).toContain(plain.reason);
});

describe('what goes wrong has a reason', () => {
  const ACCEPTED = '\x20\x02\0\0';

  test('names and networks', async () => {
    expect(await ask({ url: `mqtt://127.0.0.1:${await closedPort()}` })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ url: 'mqtt://nobody.invalid' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ url: 'mqtt://224.0.0.1:9' })).toMatchObject({ reason: 'unreachable' });
    const deaf = { url: `mqtt://127.0.0.1:${await deafPort()}` };
    expect(await ask(deaf, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
  });

  test.each<[string, string, string, RegExp]>([
    ['silence', '', 'timeout', /waiting for an answer/],
    ['half an answer', '\x20\x02', 'timeout', /waiting for an answer/],
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol', /does not speak MQTT/],
    ['another packet', '\xd0\0', 'protocol', /does not speak MQTT/],
    ['a length without end', '\x20\xff\xff\xff\xff', 'protocol', /does not speak MQTT/],
    ['a length beyond the cap', '\x20\xff\xff\xff\x7f', 'body', /larger than 1 MiB/],
    ['an empty acceptance', '\x20\0', 'protocol', /ends too early/],
    ['another version', '\x20\x02\0\x01', 'protocol', /this version/],
    ['a client id that it does not like', '\x20\x02\0\x02', 'auth', /client id/],
    ['a broker that is unavailable', '\x20\x02\0\x03', 'unhealthy', /unavailable/],
    ['a wrong password', '\x20\x02\0\x04', 'auth', /password/],
    ['nobody allowed', '\x20\x02\0\x05', 'auth', /not authorized/],
    ['a busy broker', '\x20\x03\0\x89\0', 'saturated', /busy/],
    ['an unknown refusal', '\x20\x02\0\x7f', 'protocol', /refuses \(127\)/],
    ['a refused subscription', `${ACCEPTED}\x90\x03\0\x01\x80`, 'auth', /may not subscribe to a \(128\)/],
    ['a subscription without an answer', `${ACCEPTED}\x90\x02\0\x01`, 'auth', /may not subscribe/],
    ['an acceptance and no more', ACCEPTED, 'timeout', /waiting for an answer/],
    ['nothing on the topic', `${ACCEPTED}\x90\x03\0\x01\0`, 'timeout', /no message came before the deadline on a/],
    ['a topic longer than its packet', `${ACCEPTED}\x30\x03\0\x09a`, 'protocol', /ends too early/],
    ['a farewell', `${ACCEPTED}\xe0\x01\x8b`, 'unhealthy', /shutting down/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw((socket) => {
      socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1')));
    });
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const startedAt = performance.now();
    const output = await ask({ url: `mqtt://127.0.0.1:${port}`, topics: ['a'] }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
  });

  test('a close, a reset, a flood, a drip', async () => {
    const run = async (onConnection: Parameters<typeof serveRaw>[0], timeoutMs: number) => {
      const raw = await serveRaw(onConnection);
      const output = await ask({ url: `mqtt://127.0.0.1:${raw.port}`, topics: ['a'] }, { timeoutMs });
      await raw.drained();
      return output;
    };
    expect(await run((socket) => socket.end(), 10_000)).toMatchObject({ reason: 'protocol' });
    const reset = await run((socket) => socket.once('data', () => socket.resetAndDestroy()), 10_000);
    expect(reset).toMatchObject({ reason: 'protocol', error: expect.stringMatching(/closed before/) });
    const flooded = await run((socket) => {
      socket.write(Buffer.from(`${ACCEPTED}\x90\x03\0\x01\0`, 'latin1'));
      flood(socket, '\x30\x04\0\x01bc'.repeat(1_000));
    }, 20_000);
    expect(flooded).toMatchObject({ reason: 'body', error: 'the answer is larger than 1 MiB' });
    expect(await run((socket) => drip(socket, '\x20', 30), 300)).toMatchObject({
      reason: expect.stringMatching(/timeout|body/),
    });
  });
});

test('an answer in single bytes is whole', async () => {
  const { port } = await serveRaw((socket) => {
    const front = connect(broker.port, '127.0.0.1');
    socket.pipe(front);
    socket.on('close', () => front.destroy());
    front.on('data', (data) => {
      for (const byte of data) socket.write(Buffer.from([byte]));
    });
  });
  const spec = { url: `mqtt://127.0.0.1:${port}`, topics: ['plant/name'], round_trip: 'a' };
  expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { value: 'Grüß' } });
});

describe('hundreds of runs leave nothing behind', () => {
  test('here', async () => {
    const spec = { url: broker.url, topics: ['plant/name'], round_trip: 'probes/x' };
    await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 50);
    const missing = { url: broker.url, topics: ['plant/gone'] };
    await leavesNothing(async () => expect((await ask(missing, { timeoutMs: 500 })).reason).toBe('timeout'));
    const { port } = await serveRaw(() => {});
    const silent = { url: `mqtt://127.0.0.1:${port}` };
    await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
  });

  test('on the heap', async () => {
    const spec = { url: broker.url, topics: ['plant/name'] };
    await heapStays(async () => expect((await ask(spec)).reason).toBe('ok'));
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'nats://h' }, /is not a URL/],
    [{ url: 'mqtt://h/topic' }, /path/],
    [{ url: 'mqtt://:password@h' }, /without a user/],
    [{ url: 'mqtt://h', tls: {} }, /mqtts/],
    [{ url: 'mqtt://h', topics: ['a/#'] }, /wildcard/],
    [{ url: 'mqtt://h', topics: [''] }, /wildcard/],
    [{ url: 'mqtt://h', round_trip: '$SYS/x' }, /begins with/],
    [{ url: 'mqtt://h', protocol: '3.1' }, /./],
  ])('%j is refused', (spec, message) => {
    const [issue] = mqtt.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each<readonly [string, (count: number) => Record<string, unknown>]>([
    ['topic', (count) => ({ url: 'mqtt://h', topics: ['x'.repeat(count)] })],
    ['topic of a round trip', (count) => ({ url: 'mqtt://h', round_trip: `${'x'.repeat(count - 2)}ü` })],
    ['user', (count) => ({ url: `mqtt://${'u'.repeat(count)}@h` })],
    ['password', (count) => ({ url: `mqtt://u:${'p'.repeat(count)}@h` })],
  ])('a %s that no packet can hold is refused', (_name, specOf) => {
    expect(mqtt.spec.safeParse(specOf(65_535)).error).toBeUndefined();
    expect(mqtt.spec.safeParse(specOf(65_536)).error?.issues[0]?.message).toMatch(/longer than 65535 bytes/);
  });

  test.each([
    ['mqtt://user:secret@Bus.example', 'mqtt://bus.example:1883'],
    ['mqtts://[::1]', 'mqtts://[::1]:8883'],
  ])('the target of %s is without credentials', (url, target) => {
    expect(mqtt.target(mqtt.spec.parse({ url }))).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(mqtt.example);
    expect(mqtt.spec.safeParse(definition.mqtt).error).toBeUndefined();
  });
});
