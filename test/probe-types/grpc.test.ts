import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createWebServer } from 'node:https';
import { connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { Observation } from '../../src/model.ts';
import type { ProbeOutput } from '../../src/ports.ts';
import { grpc } from '../../src/probe-types/grpc.ts';
import { decodeAnswer } from '../../src/probe-types/grpc-health.ts';
import { freePort } from '../estate/daemon.ts';
import { grpcStatus, startGrpcServer } from '../estate/grpc-server.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { startNameServer, startSilentNameServer } from '../estate/hostile-names.ts';
import {
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
import { leavesNothing } from '../estate/leaks.ts';
import { serverProcess } from '../estate/server-process.ts';

const TOKEN = ['not', 'a', 'token'].join('-');

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});
afterAll(() => authority.remove());

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(grpc, grpc.spec.parse(spec) as never, { timeoutMs: 20_000, ...options });
const at = (port: number) => `127.0.0.1:${port}`;

/** An HTTP/2 server that answers every request in its own way. */
async function serveStream(answer: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server: Http2Server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    answer(stream);
  });
  server.on('session', (session) => session.on('error', () => {}));
  return (await listen(server as unknown as Server)).port;
}

describe('a server of @grpc/grpc-js', () => {
  test('that serves is well', async () => {
    const server = await startGrpcServer(() => 'SERVING');
    const output = await ask({ address: at(server.port) });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({ reason: 'ok', fields: { status: 0, serving_status: 'SERVING', ip: '127.0.0.1' } });
    expect(server.asked).toMatchObject([{ service: '' }]);
  });

  test('is asked for a service, with metadata, and told how long we wait', async () => {
    const server = await startGrpcServer(({ service }) => (service === 'shop.Orders' ? 'SERVING' : 'NOT_SERVING'));
    const metadata = { Authorization: `Bearer ${TOKEN}`, 'x-tenant': 'a', 'x-empty': '' };
    const spec = { address: at(server.port), service: 'shop.Orders', metadata };
    expect(await ask(spec, { timeoutMs: 15_000 })).toMatchObject({ reason: 'ok' });
    const [asked] = server.asked;
    expect(asked?.metadata).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'x-tenant': 'a' });
    expect(asked?.metadata).not.toHaveProperty('x-empty');
    expect(asked?.deadlineMs).toBeGreaterThan(5_000);
    expect(asked?.deadlineMs).toBeLessThanOrEqual(15_000);
    expect(await ask({ address: at(server.port), service: 'shop.Other' })).toMatchObject({
      reason: 'unhealthy',
      error: 'it says NOT_SERVING',
      fields: { status: 0, serving_status: 'NOT_SERVING' },
    });
  });

  test.each([
    ['UNKNOWN', 'unhealthy', 0],
    ['SERVICE_UNKNOWN', 'not_found', 0],
    [{ code: grpcStatus.NOT_FOUND, details: 'unknown service ünd' }, 'not_found', 5],
    [{ code: grpcStatus.NOT_FOUND }, 'not_found', 5],
    [{ code: grpcStatus.UNAUTHENTICATED }, 'auth', 16],
    [{ code: grpcStatus.PERMISSION_DENIED }, 'auth', 7],
    [{ code: grpcStatus.RESOURCE_EXHAUSTED }, 'saturated', 8],
    [{ code: grpcStatus.UNAVAILABLE }, 'unhealthy', 14],
    [{ code: grpcStatus.INTERNAL }, 'unhealthy', 13],
    [{ code: grpcStatus.DEADLINE_EXCEEDED }, 'timeout', 4],
  ] as const)('%j is %s', async (answer, reason, status) => {
    const server = await startGrpcServer(() => answer);
    const output = await ask({ address: at(server.port) });
    expect(output).toMatchObject({ reason, fields: { status } });
    if (typeof answer === 'object' && 'details' in answer) expect(output.error).toBe(`NOT_FOUND: ${answer.details}`);
  });

  test('without a health service says so', async () => {
    const server = await startGrpcServer(() => 'SERVING', { implemented: false });
    expect(await ask({ address: at(server.port) })).toMatchObject({ reason: 'not_found', fields: { status: 12 } });
  });

  test('that never answers is given up at the deadline', async () => {
    const server = await startGrpcServer(() => 'silence');
    const output = await ask({ address: at(server.port) }, { timeoutMs: 500 });
    expect(output).toMatchObject({ reason: 'timeout', error: expect.stringContaining('an answer') });
  });

  test('over TLS shows its certificate, judged', async () => {
    const keys = await authority.issue('rpc', { names: 'DNS:localhost,IP:127.0.0.1', days: 30 });
    const server = await startGrpcServer(() => 'SERVING', { keys });
    const fields = { certificate: { subject: 'CN=rpc,O=Test' }, tls: { version: 'TLS 1.3' } };
    const spec = { address: at(server.port) };
    expect(await ask({ ...spec, tls: { ca: authority.cert } })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ ...spec, tls: true })).toMatchObject({ reason: 'tls', fields });
    expect(await ask({ ...spec, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok', fields });
    expect((await ask(spec, { timeoutMs: 1_000 })).reason).not.toBe('ok');
    const old = await authority.issue('old', { names: 'IP:127.0.0.1', days: 30, agoDays: 40 });
    const expired = await startGrpcServer(() => 'SERVING', { keys: old });
    const output = await ask({ address: at(expired.port), tls: { ca: authority.cert } });
    expect(output).toMatchObject({ reason: 'certificate_expired' });
  });
});

test('a real containerd, in Go, serves', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'containerd-'));
  const config = `version = 2\nroot = "${folder}/root"\nstate = "${folder}/state"\n[grpc]\naddress = "${folder}/socket"\n`;
  await writeFile(join(folder, 'config.toml'), `${config}[ttrpc]\naddress = "${folder}/ttrpc"\n`);
  // It has its health service on a unix socket alone.
  const { port } = await serveRaw((socket) => {
    const unix = connect(join(folder, 'socket')).on('error', () => socket.destroy());
    socket.pipe(unix).pipe(socket);
    socket.on('close', () => unix.destroy());
  });
  const containerd = serverProcess({
    command: 'containerd',
    arguments: ['--config', join(folder, 'config.toml')],
    ready: async () => (await ask({ address: at(port) })).reason === 'ok',
  });
  onTestFinished(async () => {
    await containerd.end('SIGTERM');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await containerd.start();
  expect(await ask({ address: at(port) })).toMatchObject({ reason: 'ok', fields: { serving_status: 'SERVING' } });
  expect(await ask({ address: at(port), service: 'nobody.Knows' })).toMatchObject({
    reason: 'not_found',
    error: expect.stringMatching(/^NOT_FOUND: /),
  });
});

describe('no connection', () => {
  test('refused, unanswered, unreachable, without a name', async () => {
    expect(await ask({ address: at(await closedPort()) })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ address: at(await deafPort()) }, { timeoutMs: 300 })).toMatchObject({
      reason: 'connect_timeout',
    });
    expect(await ask({ address: '224.0.0.1:50051' })).toMatchObject({ reason: 'unreachable' });
    const { address } = await startNameServer('--local=/test/');
    expect(await ask({ address: 'gone.test:1', resolver: address })).toMatchObject({ reason: 'dns' });
    const silent = await startSilentNameServer();
    const output = await ask({ address: 'slow.test:1', resolver: silent.address }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'dns' });
  });
});

describe('what answers may be anything', () => {
  test.each<[string, (stream: ServerHttp2Stream) => void, string, RegExp]>([
    [
      'an answer that is no gRPC',
      (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
      'protocol',
      /but not gRPC/,
    ],
    [
      'a proxy without a backend',
      (stream) => stream.respond({ ':status': 502 }, { endStream: true }),
      'http_status',
      /502/,
    ],
    ['a proxy that wants a login', (stream) => stream.respond({ ':status': 401 }, { endStream: true }), 'auth', /401/],
    [
      'a proxy that knows no such path',
      (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
      'not_found',
      /404/,
    ],
    ['a limit', (stream) => stream.respond({ ':status': 429 }, { endStream: true }), 'saturated', /429/],
    ['a refused stream', (stream) => stream.close(7), 'saturated', /no more requests/],
    ['a cancelled stream', (stream) => stream.close(8), 'protocol', /closed/],
    ['an internal error of HTTP/2', (stream) => stream.close(2), 'protocol', /HTTP\/2/],
    ['a connection that breaks', (stream) => stream.session?.destroy(), 'protocol', /closed|HTTP\/2/],
    ['a server that goes away', (stream) => stream.session?.goaway(1), 'protocol', /HTTP\/2/],
    ['a server that has enough', (stream) => stream.session?.goaway(11), 'saturated', /no more requests/],
    [
      'an answer without its end',
      (stream) => {
        stream.respond({ 'content-type': 'application/grpc' });
        stream.end();
      },
      'protocol',
      /cut off/,
    ],
    ['a status that is none', (stream) => answer(stream, Buffer.alloc(0), '?'), 'protocol', /cut off/],
    ['an answer without a message', (stream) => answer(stream, Buffer.alloc(0), '0'), 'protocol', /malformed/],
    ['half a message', (stream) => answer(stream, Buffer.from([0, 0, 0, 0, 9, 8]), '0'), 'protocol', /malformed/],
    ['a compressed message', (stream) => answer(stream, Buffer.from([1, 0, 0, 0, 0]), '0'), 'protocol', /compressed/],
    ['a message of nothing', (stream) => answer(stream, Buffer.from([0, 0, 0, 0, 0]), '0'), 'unhealthy', /UNKNOWN/],
    ['too much', (stream) => answer(stream, Buffer.alloc(70_000), '0'), 'body', /64 KiB/],
    [
      'half an answer, and silence',
      (stream) => {
        stream.respond({ 'content-type': 'application/grpc' });
        stream.write(Buffer.from([0, 0]));
      },
      'timeout',
      /deadline/,
    ],
  ])('%s', async (_name, treat, reason, message) => {
    const port = await serveStream(treat);
    const output = await ask({ address: at(port) }, { timeoutMs: reason === 'timeout' ? 500 : 10_000 });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string]>([
    ['silence', () => {}, 'timeout'],
    // Frames without an end that mean nothing: settings.
    ['a drip', (socket) => drip(socket, '\0\0\0\x04\0\0\0\0\0', 20), 'timeout'],
    ['a drip of nothing', (socket) => drip(socket, '\0', 20), 'protocol'],
    ['a close', (socket) => socket.end(), 'protocol'],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'protocol'],
    ['garbage', (socket) => socket.write('\xff'.repeat(1_000)), 'protocol'],
    ['an SSH server', (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), 'protocol'],
    ['a flood of bytes', (socket) => flood(socket, 'x'.repeat(9_999)), 'protocol'],
    // Frames that are valid, of seventeen bytes each: head, and a ping.
    ['a flood of pings', (socket) => flood(socket, pings(500)), 'timeout'],
  ])('%s is a failure with a reason, within the deadline', async (_name, onConnection, reason) => {
    const { port, drained } = await serveRaw(onConnection);
    const before = process.memoryUsage.rss();
    const output = await ask({ address: at(port) }, { timeoutMs: reason === 'timeout' ? 500 : 10_000 });
    if (!_name.startsWith('a flood')) expect(output.reason).toBe(reason);
    expect(['protocol', 'timeout']).toContain(output.reason);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 2 ** 20);
    await drained();
  });

  test.each<[string, Buffer, string, RegExp]>([
    ['window updates', h2Frame(8, 0, 0, '00000001'), 'body', /larger than 2 MiB/],
    ['priorities', h2Frame(2, 0, 1, '0000000001'), 'body', /larger than 2 MiB/],
    ['frames of no known type', h2Frame(0xee, 0, 0, '00000000000000000000'), 'body', /larger than 2 MiB/],
    // The literal `:status: 103`.
    ['interim answers', h2Frame(1, 4, 1, '0803313033'), 'protocol', /interim answers/],
  ])('%s without end are not read until the deadline', async (_name, bytes, reason, message) => {
    const pour = (socket: Socket) => {
      socket.on('error', () => {});
      socket.write(h2Frame(4, 0, 0));
      socket.once('data', () => flood(socket, Buffer.concat(Array<Buffer>(3_000).fill(bytes))));
    };
    const keys = await authority.issue('web', { names: 'IP:127.0.0.1', days: 30 });
    const secured = await listen(createTlsServer({ ...keys, ALPNProtocols: ['h2'] }, pour));
    const plain = await serveRaw(pour);
    const specs = [{ address: at(plain.port) }, { address: at(secured.port), tls: { ca: authority.cert } }];
    for (const spec of specs) {
      const startedAt = performance.now();
      expect(await ask(spec, { timeoutMs: 5_000 })).toMatchObject({ reason, error: expect.stringMatching(message) });
      expect(performance.now() - startedAt).toBeLessThan(3_000);
    }
    await plain.drained();
    await secured.drained();
  });

  test('an address with its interface is reached', async () => {
    const { port } = await serveRaw((socket) => socket.end(), '::1');
    expect(await ask({ address: `[::1%lo]:${port}` })).toMatchObject({ reason: 'protocol' });
  });

  test('a server that speaks HTTP/1.1 alone', async () => {
    const { port } = await serveHttp((_request, response) => response.end('hello'));
    expect(await ask({ address: at(port) })).toMatchObject({ reason: 'protocol' });
  });

  test('a TLS server that speaks HTTP/1.1 alone', async () => {
    const keys = await authority.issue('web', { names: 'IP:127.0.0.1', days: 30 });
    const { port } = await listen(createWebServer({ ...keys, ALPNProtocols: ['http/1.1'] }));
    expect(await ask({ address: at(port), tls: { ca: authority.cert } })).toMatchObject({ reason: 'tls' });
  });
});

function answer(stream: ServerHttp2Stream, message: Buffer, status: string): void {
  stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.end(message);
}

/** One frame of HTTP/2 (RFC 9113, 4.1), its payload in hexadecimal. */
function h2Frame(type: number, flags: number, stream: number, payload = ''): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length / 2, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload, 'hex')]);
}

function pings(count: number): Buffer {
  const ping = Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  return Buffer.concat([Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), ...Array<Buffer>(count).fill(ping)]);
}

describe('a message', () => {
  const framed = (...bytes: readonly number[]) => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes]);

  test.each([
    ['a status', framed(8, 1), 'SERVING'],
    ['none, which is the first', framed(), 'UNKNOWN'],
    ['the last of two', framed(8, 2, 8, 1), 'SERVING'],
    ['a status of later versions', framed(8, 0x80, 1), '128'],
    [
      'unknown fields of every kind',
      framed(16, 0xff, 1, 25, 1, 2, 3, 4, 5, 6, 7, 8, 34, 1, 0, 45, 1, 2, 3, 4, 8, 1),
      'SERVING',
    ],
  ])('with %s', (_name, bytes, status) => {
    expect(decodeAnswer(bytes)).toBe(status);
  });

  test.each([
    ['a number without an end', framed(8, ...Array<number>(11).fill(0x80))],
    ['a number that is cut off', framed(8)],
    ['a text longer than the message', framed(18, 200, 1, 0)],
    ['a group', framed(11)],
    ['two messages', Buffer.concat([framed(8, 1), framed(8, 1)])],
    ['half a head', Buffer.from([0, 0])],
  ])('of %s is malformed', (_name, bytes) => {
    expect(() => decodeAnswer(bytes)).toThrow(/malformed/);
  });
});

describe("the series are blackbox_exporter's", () => {
  let exporter: ReturnType<typeof serverProcess>;
  let port: number;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blackbox-'));
    port = await freePort();
    const modules = {
      plain: { prober: 'grpc', grpc: {} },
      tls: { prober: 'grpc', grpc: { tls: true, tls_config: { insecure_skip_verify: true } } },
    };
    await writeFile(join(folder, 'blackbox.yml'), JSON.stringify({ modules }));
    exporter = serverProcess({
      command: 'prometheus-blackbox-exporter',
      arguments: [`--config.file=${join(folder, 'blackbox.yml')}`, `--web.listen-address=127.0.0.1:${port}`],
      ready: async () => (await fetch(`http://127.0.0.1:${port}/-/healthy`)).ok,
    });
    await exporter.start();
  });
  afterAll(async () => {
    await exporter.end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });

  /** Lines of `probe_grpc_…` and `probe_success`, without durations. */
  async function theirs(module: string, target: string): Promise<readonly string[]> {
    const text = await (await fetch(`http://127.0.0.1:${port}/probe?module=${module}&target=${target}`)).text();
    return text
      .split('\n')
      .filter((line) => /^probe_(?:grpc_(?!duration)|success)/.test(line))
      .sort();
  }

  function ours(output: ProbeOutput): readonly string[] {
    const lines = [`probe_success ${output.reason === 'ok' ? 1 : 0}`];
    for (const family of grpc.families.filter(({ name }) => /^probe_grpc_(?!duration)/.test(name))) {
      const sampled = family.sample(output.fields, output as unknown as Observation);
      if (typeof sampled === 'number') lines.push(`${family.name} ${sampled}`);
      else for (const { labels, value } of sampled ?? []) lines.push(`${family.name}${print(labels)} ${value}`);
    }
    return lines.sort();
  }

  const print = (labels: Readonly<Record<string, string>>) =>
    `{${Object.entries(labels)
      .map(([name, value]) => `${name}="${value}"`)
      .join(',')}}`;

  test.each([
    ['SERVING'],
    ['NOT_SERVING'],
    [{ code: grpcStatus.NOT_FOUND }],
    [{ code: grpcStatus.UNAUTHENTICATED }],
  ] as const)('for %j', async (answer) => {
    const server = await startGrpcServer(() => answer);
    expect(ours(await ask({ address: at(server.port) }))).toEqual(await theirs('plain', at(server.port)));
  });

  test('over TLS, and for a port that is closed', async () => {
    const server = await startGrpcServer(() => 'SERVING', { keys: await authority.selfSigned('seen') });
    const output = await ask({ address: at(server.port), tls: { insecure_skip_verify: true } });
    expect(ours(output)).toEqual(await theirs('tls', at(server.port)));
    const closed = at(await closedPort());
    expect(ours(await ask({ address: closed }))).toEqual(await theirs('plain', closed));
  });
});

test('hundreds of runs leave nothing behind', async () => {
  const server = await startGrpcServer(() => 'SERVING');
  const spec = { address: at(server.port) };
  await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 50);
  const broken = { address: at(await serveStream((stream) => stream.close(2))) };
  await leavesNothing(async () => expect((await ask(broken)).reason).toBe('protocol'), 300, 50);
  const silent = { address: at((await serveRaw(() => {})).port) };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
});

describe('definition', () => {
  test.each([
    [{ address: 'x' }, /host:port/],
    [{ address: 'x:0' }, /host:port/],
    [{ address: 'http://x:1' }, /host:port/],
    [{ address: 'x:1', metadata: { 'grpc-timeout': '1S' } }, /set by Brainstem/],
    [{ address: 'x:1', metadata: { 'a b': '1' } }, /valid header/],
    [{ address: 'x:1', tls: { cert: '/a.pem' } }, /./],
    [{ address: 'x:1', tls: { server_name: 'a b' } }, /not the name of a host/],
  ])('%j is refused', (spec, message) => {
    const issues = grpc.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
    expect(issues).not.toHaveLength(0);
  });

  test.each([
    [{ address: 'bücher.example:1' }, 'xn--bcher-kva.example:1'],
    [{ address: '[::1]:2', service: 'a.B' }, '[::1]:2/a.B'],
  ])('the target of %j is %s', (spec, target) => {
    expect(grpc.target(grpc.spec.parse(spec) as never)).toBe(target);
  });

  test('the example is valid', () => {
    const [definition] = parse(grpc.example);
    expect(grpc.spec.safeParse(definition.grpc).error).toBeUndefined();
  });
});
