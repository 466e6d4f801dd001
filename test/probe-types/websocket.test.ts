import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { parse } from 'yaml';
import { websocket } from '../../src/probe-types/websocket.ts';
import { heapStays } from '../estate/heap-growth.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  flood,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { frame, serveFrames, serveWebsocket, switching } from '../estate/websocket-server.ts';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(websocket, websocket.spec.parse(spec) as never, options);
const at = (port: number, path = '/') => ({ url: `ws://127.0.0.1:${port}${path}` });

/** Says hello, and answers each word. */
function talk(client: WebSocket): void {
  client.send('hello');
  client.on('message', (data) => client.send(`you said ${String(data)}`));
}

let authority: Authority;
let pair: KeyPair;
beforeAll(async () => {
  authority = await createAuthority();
  pair = await authority.issue('live', { names: 'IP:127.0.0.1', days: 30 });
});
afterAll(() => authority.remove());

describe('a real server', () => {
  test('switches', async () => {
    const server = await serveWebsocket();
    const { reason, fields, error } = await ask(at(server.port));
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      status: 101,
      upgraded: true,
      subprotocol: '',
      message: undefined,
      ip: '127.0.0.1',
      tls: undefined,
    });
    const phases = ['resolve_ms', 'connect_ms', 'tls_ms', 'processing_ms', 'transfer_ms'];
    expect(Object.keys(fields['phases'] as object)).toEqual(phases);
    await server.drained();
  });

  test('answers, each expectation behind the one before', async () => {
    const server = await serveWebsocket(talk);
    const exchanges = [
      { expect: '^hello$' },
      { send: 'grüß', expect: 'you said (grüß)' },
      { send: 'x' },
      { expect: 'x$' },
    ];
    const output = await ask({ ...at(server.port), exchanges });
    expect(output).toMatchObject({ reason: 'ok', fields: { message: 'you said x' } });
    await server.drained();
  });

  test('may say other things first', async () => {
    const { port } = await serveWebsocket((client) => {
      for (let count = 0; count < 50; count += 1) client.send('tick');
      client.send(Buffer.from('binary ready'));
    });
    expect(await ask({ ...at(port), exchanges: [{ expect: 'ready' }] })).toMatchObject({
      reason: 'ok',
      fields: { message: 'binary ready' },
    });
  });

  test('may close behind its last word', async () => {
    const { port } = await serveFrames((socket) => {
      socket.end(Buffer.concat([frame(TEXT, 'one'), frame(TEXT, 'two'), frame(CLOSE, Buffer.from([3, 232]))]));
    });
    const exchanges = [{ expect: 'one' }, { expect: 'two' }];
    expect(await ask({ ...at(port), exchanges })).toMatchObject({ reason: 'ok', fields: { message: 'two' } });
  });

  test('is taken leave of', async () => {
    const codes: number[] = [];
    const server = await serveWebsocket((client) => client.on('close', (code) => codes.push(code)));
    await ask(at(server.port));
    await server.drained();
    expect(codes).toEqual([1_000]);
  });

  test('gets headers, credentials, path and the subprotocol', async () => {
    const seen: IncomingMessage[] = [];
    const { port } = await serveWebsocket((_client, request) => seen.push(request), { subprotocols: ['chat.v2'] });
    const url = `ws://user:pass%40word@127.0.0.1:${port}/live?room=1`;
    const headers = { Origin: 'https://app.example', 'X-Empty': '' };
    expect(await ask({ url, headers, subprotocol: 'chat.v2' })).toMatchObject({
      reason: 'ok',
      fields: { subprotocol: 'chat.v2' },
    });
    expect(seen[0]?.url).toBe('/live?room=1');
    expect(seen[0]?.headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      origin: 'https://app.example',
      'user-agent': 'Brainstem',
      authorization: `Basic ${Buffer.from('user:pass@word').toString('base64')}`,
    });
    expect(seen[0]?.headers).not.toHaveProperty('x-empty');
  });

  test('over TLS shows its certificate, trusted or not', async () => {
    const { port } = await serveWebsocket(talk, { tls: pair });
    const url = `wss://127.0.0.1:${port}/`;
    const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=live,O=Test' } };
    const exchanges = [{ send: 'x', expect: 'said x' }];
    expect(await ask({ url, tls: { ca: authority.cert }, exchanges })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url })).toMatchObject({ reason: 'tls', fields: { ...fields, upgraded: false } });
    expect(await ask({ url, tls: { insecure_skip_verify: true } })).toMatchObject({ reason: 'ok' });
    const old = await authority.issue('past', { names: 'IP:127.0.0.1', days: 30, agoDays: 40 });
    const expired = await serveWebsocket(talk, { tls: old });
    const spec = { url: `wss://127.0.0.1:${expired.port}/`, tls: { ca: authority.cert } };
    expect(await ask(spec)).toMatchObject({ reason: 'certificate_expired' });
  });

  test("has blackbox_exporter's series", async () => {
    const { port } = await serveWebsocket();
    const sampled = async (spec: Record<string, unknown>) => {
      const { fields } = await ask(spec);
      return Object.fromEntries(websocket.families.map(({ name, sample }) => [name, sample(fields, {} as never)]));
    };
    expect(await sampled(at(port))).toMatchObject({
      probe_websocket_status_code: 101,
      probe_websocket_connection_upgraded: 1,
      probe_websocket_duration_seconds: expect.arrayContaining([
        { labels: { phase: 'connect' }, value: expect.any(Number) },
      ]),
      probe_ip_protocol: 4,
    });
    expect(await sampled(at(await closedPort()))).toMatchObject({
      probe_websocket_status_code: 0,
      probe_websocket_connection_upgraded: 0,
    });
  });
});

describe('no upgrade', () => {
  test('refused, unanswered, without a name', async () => {
    expect(await ask(at(await closedPort()))).toMatchObject({ reason: 'connect_refused', fields: { upgraded: false } });
    expect(await ask(at(await deafPort()), { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
    expect(await ask({ url: 'ws://nobody.invalid/' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ url: 'ws://224.0.0.1:9/' })).toMatchObject({ reason: 'unreachable' });
  });

  test.each([200, 301, 401, 403, 404, 500])('an answer of %d', async (status) => {
    const server = await serveHttp((_request, response) => {
      response.writeHead(status, { location: '/elsewhere' });
      response.end('no');
    });
    expect(await ask(at(server.port))).toMatchObject({
      reason: 'http_status',
      error: `it answered ${status} instead of switching to WebSocket (101)`,
      fields: { status, upgraded: false },
    });
    await server.drained();
  });

  test('a server that admits nobody', async () => {
    const { port } = await serveWebsocket(talk, { admits: () => false });
    expect(await ask(at(port))).toMatchObject({ reason: 'http_status', fields: { status: 401 } });
  });

  test('an unknown subprotocol', async () => {
    const { port } = await serveWebsocket(talk, { subprotocols: ['chat.v1'] });
    expect(await ask({ ...at(port), subprotocol: 'chat.v2' })).toMatchObject({ reason: 'protocol' });
  });

  test.each<[string, (accept: string) => string]>([
    ['a wrong key', () => switching('AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
    ['no key', (accept) => switching(accept).replace(/Sec-WebSocket-Accept.*\r\n/, '')],
    ['another protocol', (accept) => switching(accept).replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['a subprotocol unasked', (accept) => switching(accept, 'Sec-WebSocket-Protocol: chat')],
    ['an extension unasked', (accept) => switching(accept, 'Sec-WebSocket-Extensions: permessage-deflate')],
  ])('an answer with %s breaks the protocol', async (_name, head) => {
    const server = await serveFrames(() => {}, head);
    expect(await ask(at(server.port))).toMatchObject({ reason: 'protocol', fields: { upgraded: false } });
    await server.drained();
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string]>([
    ['silence', () => {}, 'timeout'],
    ['half a head', answering('HTTP/1.1 101 Switching Protocols\r\nUpgr'), 'timeout'],
    ['a drip', (socket) => drip(socket, 'HTTP/1.1 101', 50), 'protocol'],
    [
      'headers without end',
      (socket) => socket.once('data', () => flood(socket, 'HTTP/1.1 101 S\r\n'.repeat(1_000))),
      'protocol',
    ],
    ['interim answers without end', (socket) => flood(socket, 'HTTP/1.1 102 P\r\n\r\n'.repeat(1_000)), 'protocol'],
    ['another protocol', (socket) => socket.write('SSH-2.0-x\r\n'), 'protocol'],
    ['a close', (socket) => socket.once('data', () => socket.end()), 'protocol'],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'protocol'],
  ])('%s has a reason, within the deadline', async (_name, onConnection, reason) => {
    const server = await serveRaw(onConnection);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const startedAt = performance.now();
    expect(await ask(at(server.port), { timeoutMs })).toMatchObject({ reason, fields: { ip: '127.0.0.1' } });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
    await server.drained();
  });
});

describe('messages that are not what was expected', () => {
  const exchanges = [{ send: 'x', expect: '^ready' }];

  test('silence, and wrong words', async () => {
    const silent = await serveWebsocket();
    expect(await ask({ ...at(silent.port), exchanges }, { timeoutMs: 300 })).toMatchObject({
      reason: 'timeout',
      fields: { status: 101, upgraded: true },
    });
    const { port } = await serveWebsocket(talk);
    expect(await ask({ ...at(port), exchanges }, { timeoutMs: 300 })).toMatchObject({
      reason: 'protocol',
      error: '2 answers came, but they do not match ^ready',
    });
  });

  test.each([
    [1_001, 'unhealthy'],
    [1_008, 'auth'],
    [1_011, 'unhealthy'],
    [1_013, 'saturated'],
    [3_000, 'auth'],
    [4_999, 'protocol'],
  ])('a close with %d', async (code, reason) => {
    const server = await serveWebsocket((client) => client.on('message', () => client.close(code, 'because')));
    expect(await ask({ ...at(server.port), exchanges })).toMatchObject({
      reason,
      error: `it closed the WebSocket (${code}): because`,
    });
    await server.drained();
  });

  test.each<[string, (socket: import('node:net').Socket) => void, string, RegExp]>([
    ['a cut', (socket) => socket.destroy(), 'protocol', /closed before/],
    ['a reserved bit', (socket) => socket.write(Buffer.from([0xf1, 1, 65])), 'protocol', /RSV/],
    ['an unknown opcode', (socket) => socket.write(frame(5, 'x')), 'protocol', /opcode/],
    ['a masked frame', (socket) => socket.write(Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])), 'protocol', /MASK/],
    ['text that is none', (socket) => socket.write(frame(TEXT, Buffer.from([0xff]))), 'protocol', /UTF-8/],
    [
      'a message beyond the cap',
      (socket) => socket.write(Buffer.concat([Buffer.from([0x81, 127]), Buffer.from('0000000040000000', 'hex')])),
      'body',
      /larger than 1 MiB/,
    ],
    ['messages beyond the cap', (socket) => flood(socket, big), 'body', /larger than 1 MiB/],
    ['a flood of messages', (socket) => flood(socket, many(frame(TEXT, 'tick'))), 'protocol', /more than 100 messages/],
    ['a flood of pongs', (socket) => flood(socket, many(frame(PONG))), 'protocol', /pongs/],
    ['a flood of pings', (socket) => flood(socket, many(frame(PING))), 'protocol', /pings|closed before/],
    [
      'fragments without end',
      (socket) => flood(socket, Buffer.concat([Buffer.from([0x01, 0]), many(Buffer.from([0x00, 0]))])),
      'protocol',
      /./,
    ],
    ['half a message', (socket) => socket.write(frame(TEXT, 'rea', 5)), 'timeout', /deadline/],
    [
      'a drip',
      (socket) => {
        socket.write(Buffer.from([0x81, 125]));
        drip(socket, 'x', 20);
      },
      'timeout',
      /deadline/,
    ],
  ])('%s', async (_name, afterwards, reason, message) => {
    const server = await serveFrames(afterwards);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const startedAt = performance.now();
    const output = await ask({ ...at(server.port), exchanges: [{ expect: '^ready' }] }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    expect(performance.now() - startedAt).toBeLessThan(timeoutMs + 1_000);
    await server.drained();
  });

  const many = (bytes: Buffer) => Buffer.concat(Array.from({ length: 1_000 }, () => bytes));
  const big = Buffer.concat([Buffer.from([0x81, 126, 0x75, 0x30]), Buffer.alloc(30_000, 'x')]);
});

describe('hundreds of runs leave nothing behind', () => {
  const kinds: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
    success: ['ok', 20_000, async () => at((await serveWebsocket(talk)).port)],
    'a refusal': ['http_status', 20_000, async () => at((await serveWebsocket(talk, { admits: () => false })).port)],
    'a wrong key': [
      'protocol',
      20_000,
      async () =>
        at(
          (
            await serveFrames(
              () => {},
              () => switching('x'),
            )
          ).port,
        ),
    ],
    silence: ['timeout', 300, async () => at((await serveRaw(() => {})).port)],
    'a broken frame': ['protocol', 20_000, async () => at((await serveFrames((socket) => socket.write('zz'))).port)],
    'a close': ['auth', 20_000, async () => at((await serveWebsocket((client) => client.close(1_008))).port)],
    'wrong words': ['protocol', 1_500, async () => at((await serveWebsocket((client) => client.send('no'))).port)],
  };

  test.each(Object.entries(kinds))('%s', async (_name, [reason, timeoutMs, target]) => {
    const spec = { ...(await target()), exchanges: [{ send: 'x', expect: '^you said x' }] };
    await leavesNothing(async () => expect((await ask(spec, { timeoutMs })).reason).toBe(reason));
  });

  test('an untrusted certificate', async () => {
    const { port } = await serveWebsocket(talk, { tls: pair });
    const spec = { url: `wss://127.0.0.1:${port}/` };
    await leavesNothing(async () => expect((await ask(spec, { timeoutMs: 30_000 })).reason).toBe('tls'), 200, 50);
  });

  test('the heap', async () => {
    const { port } = await serveWebsocket(talk);
    const spec = { ...at(port), exchanges: [{ send: 'x', expect: '^you said x' }] };
    await heapStays(async () => expect((await ask(spec)).reason).toBe('ok'));
  });
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'http://h/' }, /ws:\/\//],
    [{ url: 'ws://h/#part' }, /fragment/],
    [{ url: 'ws://h/', tls: {} }, /wss/],
    [{ url: 'ws://h/', subprotocol: 'two words' }, /single word/],
    [{ url: 'ws://h/', headers: { 'Sec-WebSocket-Key': 'x' } }, /handshake/],
    [{ url: 'ws://h/', headers: { Upgrade: 'x' } }, /Brainstem itself/],
    [{ url: 'ws://h/', exchanges: [{}] }, /send, expect or both/],
    [{ url: 'ws://h/', exchanges: [{ expect: '(' }] }, /RE2/],
  ])('%j is refused', (spec, message) => {
    const [issue] = websocket.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test('the target is without credentials and query', () => {
    const url = 'wss://user:secret@Live.example/room?token=x';
    expect(websocket.target(websocket.spec.parse({ url }))).toBe('wss://live.example/room');
  });

  test('the example is valid', () => {
    const [definition] = parse(websocket.example);
    expect(websocket.spec.safeParse(definition.websocket).error).toBeUndefined();
  });
});
