import { createSocket, type RemoteInfo } from 'node:dgram';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { udp } from '../../src/probe-types/udp.ts';
import { heapStays } from '../estate/heap-growth.ts';
import { startNameServer, startSilentNameServer } from '../estate/hostile-names.ts';
import { closedPort, probe, type RunOptions, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(udp, udp.spec.parse({ host: '127.0.0.1', ...spec }) as never, options);

type Reply = (datagram: Buffer | string) => void;

/** Answers each datagram as it is told to; closed when the test ends. */
async function serve(onDatagram: (question: Buffer, reply: Reply) => void, address = '127.0.0.1'): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let isOpen = true;
  socket.on('message', (question, { port, address: asker }: RemoteInfo) => {
    onDatagram(question, (datagram) => {
      if (isOpen) socket.send(datagram, port, asker);
    });
  });
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  onTestFinished(async () => {
    isOpen = false;
    await new Promise<void>((resolve) => socket.close(resolve));
  });
  return socket.address().port;
}

describe('an answer', () => {
  test('to a text is observed, as text and in bytes', async () => {
    const port = await serve((question, reply) => reply(`players 3 grüß ${question}`));
    const { reason, fields, error } = await ask({ port, send: 'status\n', expect: '^players \\d+' });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      banner: 'players 3 grüß status\n',
      hex: Buffer.from('players 3 grüß status\n').toString('hex'),
      answer_bytes: 24,
      ip: '127.0.0.1',
    });
    expect(Object.keys(fields['phases'] as object)).toEqual(['resolve_ms', 'connect_ms', 'processing_ms']);
    expect((fields['phases'] as { processing_ms: number }).processing_ms).toBeGreaterThan(0);
  });

  test('to bytes, of a real name server', async () => {
    const { address } = await startNameServer('--address=/front.test/127.0.0.9');
    const port = Number(address.split(':')[1]);
    // RFC 1035: the address (A) of front.test, by id 0x1234.
    const question = '1234 0100 0001 0000 0000 0000 05 66726f6e74 04 74657374 00 0001 0001';
    const { reason, fields } = await ask({ port, send_hex: question });
    expect(reason).toBe('ok');
    expect(fields['hex']).toMatch(/^1234.*7f000009$/);
  });

  test('over IPv6, by name', async () => {
    const port = await serve((_question, reply) => reply('six'), '::1');
    expect(await ask({ host: 'localhost', ip_protocol: 'ip6', port, send: 'x' })).toMatchObject({
      reason: 'ok',
      fields: { ip: '::1', banner: 'six' },
    });
  });

  test('in a later datagram is waited for', async () => {
    const port = await serve((_question, reply) => {
      reply('wait');
      setTimeout(() => reply('done'), 50);
    });
    expect(await ask({ port, send: 'x', expect: '^done$' })).toMatchObject({
      reason: 'ok',
      fields: { banner: 'done' },
    });
    expect(await ask({ port, send: 'x' })).toMatchObject({ reason: 'ok', fields: { banner: 'wait' } });
  });

  test('that is empty is one', async () => {
    const port = await serve((_question, reply) => reply(''));
    expect(await ask({ port, send: 'x' })).toMatchObject({ reason: 'ok', fields: { banner: '', answer_bytes: 0 } });
  });

  test('that is large is cut', async () => {
    const port = await serve((_question, reply) => reply('x'.repeat(60_000)));
    const { reason, fields } = await ask({ port, send: 'x' });
    expect(reason).toBe('ok');
    expect(fields['banner']).toHaveLength(4_096);
    expect(fields['answer_bytes']).toBe(60_000);
  });
});

describe('what goes wrong has a reason', () => {
  test('a closed port is refused at once', async () => {
    const startedAt = performance.now();
    expect(await ask({ port: await closedPort(), send: 'x' })).toMatchObject({ reason: 'connect_refused' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('silence', async () => {
    const port = await serve(() => {});
    const startedAt = performance.now();
    const output = await ask({ port, send: 'x' }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'timeout', error: 'no answer came before the deadline' });
    expect(performance.now() - startedAt).toBeLessThan(1_300);
  });

  test('wrong words, said once and said for ever', async () => {
    const wrong = await serve((_question, reply) => reply('busy'));
    expect(await ask({ port: wrong, send: 'x', expect: '^ready' }, { timeoutMs: 300 })).toMatchObject({
      reason: 'protocol',
      error: 'an answer came, but it does not match ^ready',
      fields: { banner: 'busy' },
    });
    const endless = await serve((_question, reply) => {
      for (let count = 0; count < 120; count += 1) reply('busy');
    });
    expect(await ask({ port: endless, send: 'x', expect: '^ready' })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/more than 100 messages/),
    });
  });

  test('datagrams of a stranger are not heard', async () => {
    const stranger = createSocket('udp4');
    onTestFinished(async () => {
      await new Promise<void>((resolve) => stranger.close(resolve));
    });
    const socket = createSocket('udp4');
    socket.on('message', (_question, { port, address }) => stranger.send('ready', port, address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      await new Promise<void>((resolve) => socket.close(resolve));
    });
    const { port } = socket.address();
    expect(await ask({ port, send: 'x' }, { timeoutMs: 300 })).toMatchObject({ reason: 'timeout' });
  });

  test('names and networks', async () => {
    expect(await ask({ host: 'nobody.invalid', port: 9, send: 'x' })).toMatchObject({ reason: 'dns' });
    const { address } = await startSilentNameServer();
    const silent = { host: 'a.test', resolver: address, port: 9, send: 'x' };
    expect(await ask(silent, { timeoutMs: 300 })).toMatchObject({ reason: 'dns' });
    expect(await ask({ host: '255.255.255.255', port: 9, send: 'x' })).toMatchObject({ reason: 'unreachable' });
  });

  test('a run that is called off ends at once', async () => {
    const port = await serve(() => {});
    const controller = new AbortController();
    const running = ask({ port, send: 'x' }, { signal: controller.signal });
    await sleep(50);
    controller.abort();
    expect((await running).reason).toBe('timeout');
  });
});

describe('hundreds of runs leave nothing behind', () => {
  const kinds: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
    'an answer': ['ok', 20_000, async () => ({ port: await serve((_question, reply) => reply('yes')) })],
    'no answer': ['timeout', 300, async () => ({ port: await serve(() => {}) })],
    'a refusal': ['connect_refused', 20_000, async () => ({ port: await closedPort() })],
    'wrong words': [
      'protocol',
      1_500,
      async () => ({ port: await serve((_question, reply) => reply('no')), expect: '^yes' }),
    ],
  };

  test.each(Object.entries(kinds))('%s', async (_name, [reason, timeoutMs, target]) => {
    const spec = { send: 'x', ...(await target()) };
    await leavesNothing(async () => expect((await ask(spec, { timeoutMs })).reason).toBe(reason));
  });

  test('the heap', async () => {
    const port = await serve((_question, reply) => reply('yes'));
    await heapStays(async () => expect((await ask({ port, send: 'x', expect: 'yes' })).reason).toBe('ok'));
  });
});

describe('definition', () => {
  test.each([
    [{ port: 1 }, /send or send_hex/],
    [{ port: 1, send: 'x', send_hex: '00' }, /send or send_hex/],
    [{ port: 1, send_hex: '0' }, /hexadecimal/],
    [{ port: 1, send_hex: 'zz' }, /hexadecimal/],
    [{ port: 1, send: 'x'.repeat(9_000) }, /8 KiB/],
    [{ port: 1, send: 'x', expect: '(' }, /RE2/],
    [{ port: 0, send: 'x' }, /./],
    [{ send: 'x' }, /./],
  ])('%j is refused', (spec, message) => {
    const [issue] = udp.spec.safeParse({ host: 'h', ...spec }).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['game.example', 'game.example:1'],
    ['[::1]', '[::1]:1'],
  ])('the target of %s is %s', (host, target) => {
    expect(udp.target(udp.spec.parse({ host, port: 1, send: 'x' }))).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(udp.example);
    expect(udp.spec.safeParse(definition.udp).error).toBeUndefined();
  });
});
