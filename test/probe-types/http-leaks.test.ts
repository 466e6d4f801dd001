import { createServer } from 'node:https';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { http } from '../../src/probe-types/http.ts';
import { tcp } from '../../src/probe-types/tcp.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { startSilentNameServer } from '../estate/hostile-names.ts';
import {
  answering,
  closedPort,
  deafPort,
  flood,
  listen,
  probe,
  serveHttp,
  serveRaw,
} from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});
afterAll(() => authority.remove());

const raw = async (answer: string | Buffer) => (await serveRaw(answering(answer))).port;
const head = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';
const endless = async () =>
  (await serveRaw(answering('HTTP/1.1 200 OK\r\n\r\n', (socket) => flood(socket, 'x'.repeat(9_999))))).port;
const coded = (encoding: string, bytes: Buffer) =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bytes.length}\r\n\r\n`),
    bytes,
  ]);

/** Reason, deadline, and what is asked. */
const kinds: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
  success: [
    'ok',
    20_000,
    async () => ({ url: url((await serveHttp((_request, response) => response.end('ok'))).port) }),
  ],
  refused: ['connect_refused', 20_000, async () => ({ url: url(await closedPort()) })],
  'no connection': ['connect_timeout', 300, async () => ({ url: url(await deafPort()) })],
  'no name': [
    'dns',
    300,
    async () => ({ url: 'http://shop.test/', resolver: (await startSilentNameServer()).address }),
  ],
  'no handshake': ['timeout', 300, async () => ({ url: `https://127.0.0.1:${await raw('')}/` })],
  'bad handshake': ['tls', 20_000, async () => ({ url: `https://127.0.0.1:${await raw('nonsense')}/` })],
  'no answer': ['timeout', 300, async () => ({ url: url(await raw('')) })],
  'half a body': ['timeout', 300, async () => ({ url: url(await raw(head)) })],
  'an endless body': ['ok', 20_000, async () => ({ url: url(await endless()) })],
  'not HTTP': ['protocol', 20_000, async () => ({ url: url(await raw('SSH-2.0-x\r\n')) })],
  'half a gzip': ['timeout', 500, async () => ({ url: url(await raw(coded('gzip', gzipSync('x')).subarray(0, -4))) })],
  'bad brotli': ['protocol', 20_000, async () => ({ url: url(await raw(coded('gzip, br', brotliCompressSync('x')))) })],
  'a redirect loop': [
    'protocol',
    20_000,
    async () => ({ url: url(await raw('HTTP/1.1 302 F\r\nLocation: /\r\n\r\n')), redirects: 2 }),
  ],
  'a proxy that refuses': [
    'protocol',
    20_000,
    async () => ({ url: 'https://shop.test/', proxy: url(await raw('HTTP/1.1 403 No\r\n\r\n')) }),
  ],
  'an untrusted certificate': [
    'tls',
    30_000,
    async () => {
      const server = createServer(await authority.selfSigned('leaky'));
      server.on('tlsClientError', () => {});
      return { url: `https://127.0.0.1:${(await listen(server)).port}/` };
    },
  ],
};

const url = (port: number) => `http://127.0.0.1:${port}/`;

test.each(Object.entries(kinds))(
  '%s leaves nothing behind',
  async (_name, [reason, timeoutMs, target]) => {
    const spec = http.spec.parse(await target());
    const run = async () => expect((await probe(http, spec, { timeoutMs })).reason).toBe(reason);
    await leavesNothing(run);
  },
  90_000,
);

test('a dialogue that hangs leaves nothing behind', async () => {
  const { port } = await serveRaw(() => {});
  const spec = tcp.spec.parse({ host: '127.0.0.1', port, steps: [{ expect: 'never' }] });
  await leavesNothing(async () => expect((await probe(tcp, spec, { timeoutMs: 300 })).reason).toBe('timeout'));
});

test('no listener stays on a signal that outlives its runs', async () => {
  const { port } = await serveHttp((_request, response) => response.end('ok'));
  const { signal } = new AbortController();
  let listening = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...argv: Parameters<typeof add>) => {
    listening += 1;
    add(...argv);
  };
  signal.removeEventListener = (...argv: Parameters<typeof remove>) => {
    listening -= 1;
    remove(...argv);
  };
  const spec = http.spec.parse({ url: url(port) });
  for (let round = 0; round < 5; round += 1) await probe(http, spec, { signal });
  expect(listening).toBe(0);
});
