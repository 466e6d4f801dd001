import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { tcp } from '../../src/probe-types/tcp.ts';
import { closedPort, deafPort, drip, flood, probe, serveRaw } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options = {}) => probe(tcp, tcp.spec.parse(spec) as never, options);

describe('a connection', () => {
  test('is enough without steps', async () => {
    const server = await serveRaw(() => {});
    const output = await ask({ host: '127.0.0.1', port: server.port });
    expect(output).toMatchObject({ reason: 'ok', fields: { ip: '127.0.0.1', banner: undefined } });
    const phases = output.fields['phases'] as Record<string, number>;
    expect(Object.keys(phases)).toEqual(['resolve_ms', 'connect_ms', 'tls_ms', 'processing_ms']);
    expect(phases['connect_ms']).toBeGreaterThan(0);
    await server.drained();
  });

  test('may be given as one address', async () => {
    const { port } = await serveRaw(() => {}, '::1');
    expect(await ask({ address: `[::1]:${port}` })).toMatchObject({ reason: 'ok', fields: { ip: '::1' } });
  });

  test('refused, unanswered, unreachable', async () => {
    expect(await ask({ host: '127.0.0.1', port: await closedPort() })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ host: '127.0.0.1', port: await deafPort() }, { timeoutMs: 300 })).toMatchObject({
      reason: 'connect_timeout',
    });
    expect(await ask({ host: '224.0.0.1', port: 9 })).toMatchObject({ reason: 'unreachable' });
  });
});

describe('a dialogue', () => {
  test('goes step by step, each expectation behind the one before', async () => {
    const server = await serveRaw((socket) => {
      socket.write('220 mail.example ESM');
      setTimeout(() => socket.write('TP\r\n'), 30);
      socket.on('data', (data) => {
        if (data.toString() === 'EHLO me\r\n') socket.write('250-mail.example\r\n250-SIZE 1000\r\n250 HELP\r\n');
        if (data.toString() === 'QUIT\r\n') socket.end('221 Bye\r\n');
      });
    });
    const steps = [
      { expect: '^220 .*ESMTP' },
      { send: 'EHLO me\r\n' },
      { expect: '^250-SIZE' },
      { expect: '^250 ' },
      { send: 'QUIT\r\n' },
      { expect: '^221' },
    ];
    const output = await ask({ host: 'localhost', port: server.port, steps });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { banner: expect.stringMatching(/^220 mail.*221 Bye\r\n$/s) },
    });
    await server.drained();
  });

  test('what was matched is not matched again', async () => {
    const { port } = await serveRaw((socket) => socket.write('ready\n'));
    const output = await ask(
      { host: '127.0.0.1', port, steps: [{ expect: 'ready' }, { expect: 'ready' }] },
      { timeoutMs: 200 },
    );
    expect(output).toMatchObject({ reason: 'timeout', error: expect.stringContaining('waiting for an answer') });
  });

  test('a character that is cut into two packets is whole', async () => {
    const bytes = Buffer.from('grüß\n');
    const { port } = await serveRaw((socket) => {
      socket.write(bytes.subarray(0, 3));
      setTimeout(() => socket.write(bytes.subarray(3)), 30);
    });
    expect(await ask({ host: '127.0.0.1', port, steps: [{ expect: 'grüß' }] })).toMatchObject({ reason: 'ok' });
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string, RegExp]>([
    ['silence', () => {}, 'timeout', /deadline/],
    ['a drip', (socket) => drip(socket, '.', 20), 'timeout', /deadline/],
    ['another banner and a close', (socket) => socket.end('421 busy\r\n'), 'protocol', /closed before it sent \^220/],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'protocol', /closed before/],
    ['an endless flood', (socket) => flood(socket, 'x'.repeat(9_999)), 'protocol', /much was received/],
    ['an endless flood of single bytes', (socket) => drip(socket, '\0', 0), 'protocol', /much was received/],
  ])('%s is a failure with a reason', async (_name, onConnection, reason, message) => {
    const server = await serveRaw(onConnection);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const steps = [{ send: 'hello' }, { expect: '^220' }];
    const output = await ask({ host: '127.0.0.1', port: server.port, steps }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    await server.drained();
  });

  test('a pattern that hangs a backtracking engine is matched in linear time', async () => {
    const { port } = await serveRaw((socket) => socket.end(`${'a'.repeat(10_000)}!`));
    const startedAt = performance.now();
    const output = await ask({ host: '127.0.0.1', port, steps: [{ expect: '^(a+)+$' }] });
    expect(output.reason).toBe('protocol');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('the banner is capped', async () => {
    const { port } = await serveRaw((socket) => socket.end(`${'x'.repeat(9_000)}end`));
    const { fields } = await ask({ host: '127.0.0.1', port, steps: [{ expect: 'end' }] });
    expect((fields['banner'] as string).length).toBe(4_096);
  });
});

describe('definition', () => {
  test.each([
    [{ host: 'x' }, '', /host and port, or address/],
    [{ host: 'x', port: 1, address: 'y:2' }, '', /host and port, or address/],
    [{ address: 'x' }, 'address', /host:port/],
    [{ address: 'x:70000' }, 'address', /host:port/],
    [{ host: 'x', port: 0 }, 'port', /./],
    [{ host: 'x', port: 1, steps: [{ expect: '(' }] }, 'steps.0', /./],
    [{ host: 'x', port: 1, steps: [{ expect: 'a', send: 'b' }] }, 'steps.0', /./],
  ])('%j is refused', (spec, path, message) => {
    const issues = tcp.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.')).join()).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
    expect(issues).not.toHaveLength(0);
  });

  test('becomes JSON Schema', () => {
    expect(z.toJSONSchema(tcp.spec, { io: 'input' })).toMatchObject({ properties: { steps: { default: [] } } });
  });

  test('the example is valid', () => {
    const [definition] = parse(tcp.example);
    expect(tcp.spec.safeParse(definition.tcp).error).toBeUndefined();
    expect(definition.tcp.steps).toEqual([{ send: 'PING\r\n' }, { expect: '^\\+PONG' }]);
  });

  test.each([
    [{ host: 'db.example', port: 5432 }, 'db.example:5432'],
    [{ host: '::1', port: 1 }, '[::1]:1'],
    [{ address: '[::1]:1' }, '[::1]:1'],
    [{ host: 'bücher.example', port: 1 }, 'xn--bcher-kva.example:1'],
  ])('the target of %j is %s', (spec, target) => {
    expect(tcp.target(tcp.spec.parse(spec))).toBe(target);
  });
});
