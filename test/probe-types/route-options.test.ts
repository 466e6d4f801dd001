/** What all network types can be told about the way to their target, and what they say of one that does not answer. */
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressHash } from '../../src/probe-types/address-hash.ts';
import { dns } from '../../src/probe-types/dns.ts';
import { http } from '../../src/probe-types/http.ts';
import { icmp } from '../../src/probe-types/icmp.ts';
import { tcp } from '../../src/probe-types/tcp.ts';
import { tls } from '../../src/probe-types/tls.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { answerTo, serveDns } from '../estate/hostile-dns.ts';
import { closedPort, listen, probe, serveHttp, serveRaw } from '../estate/hostile-network.ts';

let authority: Authority;
let good: KeyPair;
beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue('good', { names: 'IP:127.0.0.1', days: 30 });
});
afterAll(() => authority.remove());

describe('source_address', () => {
  test('is where http and tcp come from', async () => {
    const seen: (string | undefined)[] = [];
    const server = await serveRaw((socket) => {
      seen.push(socket.remoteAddress);
      socket.end('HTTP/1.1 204 Gone\r\n\r\n');
    });
    const source_address = '127.0.0.9';
    const url = `http://127.0.0.1:${server.port}/`;
    expect((await probe(http, http.spec.parse({ url, source_address }))).reason).toBe('ok');
    expect((await probe(tcp, tcp.spec.parse({ host: '127.0.0.1', port: server.port, source_address }))).reason).toBe(
      'ok',
    );
    expect(seen).toEqual(['127.0.0.9', '127.0.0.9']);
  });

  test('is where questions over UDP come from', async () => {
    const { server } = await serveDns((query) => [answerTo(query)]);
    const spec = (source_address: string) => dns.spec.parse({ name: 'a.test', server, source_address });
    expect((await probe(dns, spec('127.0.0.9'))).reason).toBe('ok');
    expect(await probe(dns, spec('192.0.2.1'))).toMatchObject({ reason: 'unreachable' });
  });

  test('that is not of this machine is unreachable', async () => {
    const { port } = await serveRaw(() => {});
    const spec = tcp.spec.parse({ host: '127.0.0.1', port, source_address: '192.0.2.1' });
    expect(await probe(tcp, spec)).toMatchObject({ reason: 'unreachable', error: 'address not available' });
    const ping = icmp.spec.parse({ host: '127.0.0.1', count: 1, source_address: '127.0.0.9' });
    expect((await probe(icmp, ping, { environment: { PATH: process.env['PATH'] ?? '' } })).reason).toBe('ok');
  });
});

test('the address of a target that refuses is known', async () => {
  const port = await closedPort();
  for (const output of [
    await probe(tcp, tcp.spec.parse({ host: 'localhost', port, ip_protocol: 'ip4' })),
    await probe(tls, tls.spec.parse({ host: '127.0.0.1', port })),
    await probe(http, http.spec.parse({ url: `http://127.0.0.1:${port}/` })),
  ]) {
    expect(output).toMatchObject({ reason: 'connect_refused', fields: { ip: '127.0.0.1' } });
  }
});

describe('versions of TLS', () => {
  test.each([
    [{ min_version: 'TLS13' }, 'tls'],
    [{ min_version: 'TLS12', max_version: 'TLS12' }, 'ok'],
    [{}, 'ok'],
  ])('%o with a server of TLS 1.2 is %s', async (versions, reason) => {
    const server = createServer({ ...good, maxVersion: 'TLSv1.2' });
    server.on('tlsClientError', () => {});
    const { port } = await listen(server);
    const spec = tls.spec.parse({ host: '127.0.0.1', port, ca: authority.cert, ...versions });
    expect((await probe(tls, spec)).reason).toBe(reason);
    const url = `https://127.0.0.1:${port}/`;
    const seen = await probe(http, http.spec.parse({ url, tls: { ca: authority.cert, ...versions } }), {
      timeoutMs: 500,
    });
    // That server speaks no HTTP.
    expect(seen.reason).toBe(reason === 'ok' ? 'timeout' : 'tls');
  });

  test('that cannot meet are an error of the definition', () => {
    const crossed = { host: 'a', min_version: 'TLS13', max_version: 'TLS12' };
    expect(tls.spec.safeParse(crossed).error?.issues[0]).toMatchObject({
      path: ['max_version'],
      message: 'must not be older than TLS13, min_version',
    });
  });
});

describe('the hash of an address', () => {
  test.each([
    // FNV-1a over the bytes, by http://www.isthe.com/chongo/tech/comp/fnv/
    ['0.0.0.0', 0x4b95f515],
    ['::ffff:0.0.0.0', 0x4b95f515],
  ])('of %s', (address, hash) => expect(addressHash(address)).toBe(hash));

  test('tells addresses apart, however they are written', () => {
    const all = ['127.0.0.1', '127.0.0.2', '::1', '2001:db8::1', '2001:db8:1::'];
    expect(new Set(all.map(addressHash)).size).toBe(all.length);
    expect(addressHash('2001:db8:0:0:0:0:0:1')).toBe(addressHash('2001:db8::1'));
    expect(addressHash('fe80::1%eth0')).toBe(addressHash('fe80::1'));
    expect(addressHash('name')).toBe(0);
  });
});

describe('the body', () => {
  const text = 'x'.repeat(70_000);
  const ask = async (path: string, options: Record<string, unknown>) => {
    const { port } = await serveHttp((request, response) => {
      if (request.url === '/lies') response.setHeader('content-encoding', 'gzip');
      response.end(text);
    });
    return await probe(http, http.spec.parse({ url: `http://127.0.0.1:${port}${path}`, ...options }));
  };

  test('is looked at as far as max_text says', async () => {
    expect((await ask('/', {})).fields['body']).toHaveLength(65_536);
    expect((await ask('/', { max_text: '1MiB' })).fields['body']).toHaveLength(70_000);
  });

  test('is what `encoding` says, whatever the server says', async () => {
    expect((await ask('/lies', {})).reason).toBe('protocol');
    expect(await ask('/lies', { encoding: 'identity' })).toMatchObject({
      reason: 'ok',
      fields: { body_bytes: 70_000 },
    });
    expect((await ask('/', { encoding: 'gzip' })).reason).toBe('protocol');
  });
});
