import { createServer, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dns } from '../../src/probe-types/dns.ts';
import { tls } from '../../src/probe-types/tls.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { answerTo, overTcp, serveDns } from '../estate/hostile-dns.ts';
import { startSilentNameServer } from '../estate/hostile-names.ts';
import { closedPort, deafPort, listen, probe, serveRaw } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});
afterAll(() => authority.remove());

async function serveTls(options: TlsOptions): Promise<number> {
  const server = createServer(options);
  server.on('tlsClientError', () => {});
  return (await listen(server)).port;
}

/** Reason, deadline, and what is asked. */
const handshakes: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
  success: [
    'ok',
    30_000,
    async () => {
      const pair = await authority.issue('fine', { names: 'IP:127.0.0.1', days: 30 });
      return { port: await serveTls(pair), ca: authority.cert };
    },
  ],
  'an untrusted certificate': [
    'tls',
    30_000,
    async () => ({ port: await serveTls(await authority.selfSigned('leaky')) }),
  ],
  refused: ['connect_refused', 20_000, async () => ({ port: await closedPort() })],
  'no connection': ['connect_timeout', 300, async () => ({ port: await deafPort() })],
  'no name': ['dns', 300, async () => ({ host: 'a.test', resolver: (await startSilentNameServer()).address })],
  'no handshake': ['timeout', 300, async () => ({ port: (await serveRaw(() => {})).port })],
  'another protocol': [
    'tls',
    20_000,
    async () => ({ port: (await serveRaw((socket) => socket.end('220 hi\r\n'))).port }),
  ],
};

test.each(Object.entries(handshakes))(
  'tls: %s leaves nothing behind',
  async (_name, [reason, timeoutMs, target]) => {
    const spec = tls.spec.parse({ host: '127.0.0.1', ...(await target()) });
    await leavesNothing(async () => expect((await probe(tls, spec, { timeoutMs })).reason).toBe(reason));
  },
  90_000,
);

const cut = async () =>
  (
    await serveDns(
      (query) => [answerTo(query, { bits: 0x8380 })],
      overTcp((query) => [answerTo(query)]),
    )
  ).server;
const questions: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
  'an answer': ['ok', 20_000, async () => ({ server: (await serveDns((query) => [answerTo(query)])).server })],
  'a cut answer': ['ok', 20_000, async () => ({ server: await cut() })],
  'no answer': ['timeout', 300, async () => ({ server: (await startSilentNameServer()).address })],
  'a bad answer': ['protocol', 20_000, async () => ({ server: (await serveDns(() => [Buffer.alloc(1)])).server })],
  'no server': ['connect_refused', 20_000, async () => ({ server: `127.0.0.1:${await closedPort()}` })],
  'half an answer': [
    'timeout',
    300,
    async () => ({ server: `127.0.0.1:${(await serveRaw((socket) => socket.write('\0'))).port}`, transport: 'tcp' }),
  ],
};

test.each(Object.entries(questions))(
  'dns: %s leaves nothing behind',
  async (_name, [reason, timeoutMs, target]) => {
    const spec = dns.spec.parse({ name: 'a.test', ...(await target()) });
    await leavesNothing(async () => expect((await probe(dns, spec, { timeoutMs })).reason).toBe(reason));
  },
  90_000,
);
