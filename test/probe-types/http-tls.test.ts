import { X509Certificate } from 'node:crypto';
import { chmod, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type ServerOptions } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { http } from '../../src/probe-types/http.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { answering, flood, listen, probe, serveHttp, serveRaw } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options = {}) => probe(http, http.spec.parse(spec) as never, options);

let authority: Authority;
let good: KeyPair;

beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue('good', { names: 'DNS:localhost,DNS:shop.example,IP:127.0.0.1', days: 30 });
});

afterAll(() => authority.remove());

/** An HTTPS server that counts the requests which reach it. */
async function serveTls(options: ServerOptions) {
  const seen = { requests: 0 };
  const server = createServer(options, (_request, response) => {
    seen.requests += 1;
    response.end('secret garden');
  });
  server.on('tlsClientError', () => {});
  return { ...(await listen(server)), seen };
}

describe('a good certificate', () => {
  test('shows what it says', async () => {
    const { port } = await serveTls(good);
    const { reason, fields } = await ask({ url: `https://127.0.0.1:${port}/`, tls: { ca: authority.cert } });
    expect(reason).toBe('ok');
    const x509 = new X509Certificate(good.cert);
    const notAfterS = Date.parse(x509.validTo) / 1_000;
    expect(fields['certificate']).toEqual({
      expires_in_days: expect.closeTo(30, 1),
      not_after_s: notAfterS,
      chain_not_after_s: notAfterS,
      subject: 'CN=good,O=Test',
      issuer: 'CN=Test Authority,O=Test',
      names: ['localhost', 'shop.example', '127.0.0.1'],
      fingerprint: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
      serial_number: x509.serialNumber.toLowerCase(),
    });
    expect(fields['tls']).toEqual({ version: 'TLS 1.3', cipher: expect.stringMatching(/^TLS_/) });
    expect((fields['phases'] as { tls_ms: number }).tls_ms).toBeGreaterThan(0);
  });

  test("its series are blackbox_exporter's", async () => {
    const { port } = await serveTls(good);
    const { fields } = await ask({ url: `https://localhost:${port}/`, tls: { ca: authority.cert } });
    const sampled = Object.fromEntries(http.families.map(({ name, sample }) => [name, sample(fields, {} as never)]));
    const notAfterS = Date.parse(new X509Certificate(good.cert).validTo) / 1_000;
    expect(sampled).toMatchObject({
      probe_http_ssl: 1,
      probe_ssl_earliest_cert_expiry: notAfterS,
      probe_ssl_last_chain_expiry_timestamp_seconds: notAfterS,
      probe_tls_version_info: [{ labels: { version: 'TLS 1.3' }, value: 1 }],
      probe_tls_cipher_info: [{ labels: { cipher: expect.any(String) }, value: 1 }],
      probe_ssl_last_chain_info: [
        {
          labels: {
            subject: 'CN=good,O=Test',
            issuer: 'CN=Test Authority,O=Test',
            subjectalternative: 'localhost,shop.example',
            fingerprint_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
            serialnumber: expect.stringMatching(/^[0-9a-f]+$/),
          },
          value: 1,
        },
      ],
    });
  });

  test('server_name is what is asked for and verified', async () => {
    let asked: string | false | null = null;
    const server = createTlsServer(good, (socket) => {
      asked = socket.servername as string;
      socket.end('HTTP/1.1 204 No\r\n\r\n');
    });
    const { port } = await listen(server);
    const url = `https://127.0.0.1:${port}/`;
    const wanted = await ask({ url, tls: { ca: authority.cert, server_name: 'shop.example' } });
    expect(wanted).toMatchObject({ reason: 'ok', fields: { status: 204 } });
    expect(asked).toBe('shop.example');
    const other = await ask({ url, tls: { ca: authority.cert, server_name: 'bank.example' } });
    expect(other).toMatchObject({ reason: 'tls', error: expect.stringContaining('not for bank.example') });
  });
});

describe('a certificate that is not to be trusted is shown, and nothing is sent', () => {
  test.each([
    ['expired', 'certificate_expired', /has expired/, { names: 'DNS:localhost,IP:127.0.0.1', days: 30, agoDays: 40 }],
    [
      'for another name',
      'tls',
      /not for 127\.0\.0\.1 but for DNS:other\.example/,
      { names: 'DNS:other.example', days: 30 },
    ],
    ['of the future', 'tls', /not valid yet/, { names: 'IP:127.0.0.1', days: 30, agoDays: -40 }],
  ])('%s', async (name, reason, message, issue) => {
    const pair = await authority.issue(name.replaceAll(' ', '-'), issue);
    const server = await serveTls(pair);
    const url = `https://127.0.0.1:${server.port}/`;
    const output = await ask({ url, tls: { ca: authority.cert } });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
    const { expires_in_days: days } = output.fields['certificate'] as { expires_in_days: number };
    expect(days).toBeCloseTo(issue.days - ((issue as { agoDays?: number }).agoDays ?? 0), 0);
    expect(output.fields).toMatchObject({ status: undefined, tls: { version: 'TLS 1.3' } });
    expect(server.seen.requests).toBe(0);
    const skipped = await ask({ url, tls: { ca: authority.cert, insecure_skip_verify: true } });
    expect(skipped).toMatchObject({ reason: 'ok', fields: { status: 200 } });
    await server.drained();
  });

  test('self-signed, or by an unknown authority', async () => {
    const own = await serveTls(await authority.selfSigned('own'));
    const unknown = await serveTls(good);
    expect(await ask({ url: `https://localhost:${own.port}/` })).toMatchObject({
      reason: 'tls',
      error: 'the certificate is self-signed',
      fields: { certificate: { subject: 'CN=localhost' } },
    });
    expect(await ask({ url: `https://localhost:${unknown.port}/` })).toMatchObject({
      reason: 'tls',
      error: expect.stringContaining('authority that is not trusted'),
    });
    expect(own.seen.requests + unknown.seen.requests).toBe(0);
  });
});

describe('a handshake that fails is reason tls', () => {
  test.each<[string, Parameters<typeof serveRaw>[0], RegExp]>([
    ['a plain HTTP server', answering('HTTP/1.1 400 Bad Request\r\n\r\n'), /TLS failed: wrong version number/],
    ['noise', answering(Buffer.from([0x16, 0x03, 0x03, 0x00, 0x04, 0xff, 0x00, 0x00, 0x00])), /TLS failed/],
    ['an alert', answering(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])), /TLS failed: .*handshake failure/],
    ['a close', (socket) => socket.end(), /closed during the TLS handshake/],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), /closed during the TLS handshake/],
    ['endless noise', answering('', (socket) => flood(socket, Buffer.alloc(9_999, 0x16))), /TLS failed/],
  ])('%s', async (_name, onConnection, message) => {
    const server = await serveRaw(onConnection);
    const output = await ask({ url: `https://127.0.0.1:${server.port}/` });
    expect(output).toMatchObject({ reason: 'tls', error: expect.stringMatching(message) });
    await server.drained();
  });

  test('no protocol version in common', async () => {
    const { port } = await serveTls({
      ...good,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL:@SECLEVEL=0',
    });
    const output = await ask({ url: `https://localhost:${port}/`, tls: { ca: authority.cert } });
    expect(output).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/protocol version|unsupported protocol/),
    });
  });
});

describe('a client certificate', () => {
  const wanting = () => serveTls({ ...good, ca: authority.cert, requestCert: true, rejectUnauthorized: true });

  test('is shown to who wants one', async () => {
    const client = await authority.issue('client', { names: 'DNS:client', days: 30 });
    const { port } = await wanting();
    const url = `https://localhost:${port}/`;
    expect(await ask({ url, tls: { ca: authority.cert, ...client } })).toMatchObject({
      reason: 'ok',
      fields: { status: 200 },
    });
    expect(await ask({ url, tls: { ca: authority.cert } })).toMatchObject({
      reason: 'tls',
      fields: { status: undefined },
    });
  });

  test('is not shown to another origin', async () => {
    const client = await authority.issue('shy', { names: 'DNS:client', days: 30 });
    let shown: unknown;
    const other = createServer({ ...good, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      shown = (request.socket as TLSSocket).getPeerCertificate();
      response.end();
    });
    const { port: otherPort } = await listen(other);
    const home = createServer(good, (_request, response) => {
      response.writeHead(302, { Location: `https://localhost:${otherPort}/` }).end();
    });
    const { port } = await listen(home);
    const output = await ask({ url: `https://localhost:${port}/`, tls: { ca: authority.cert, ...client } });
    expect(output).toMatchObject({ reason: 'ok', fields: { status: 200, redirects: 1 } });
    expect(shown).toEqual({});
  });

  test('is not shown to the token server, which is asked for by its own name', async () => {
    const client = await authority.issue('modest', { names: 'DNS:client', days: 30 });
    const seen: unknown[] = [];
    const tokens = createServer({ ...good, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const socket = request.socket as TLSSocket & { servername: string };
      seen.push(socket.servername, socket.getPeerCertificate());
      response.end('{"access_token":"abc"}');
    });
    const { port: tokenPort } = await listen(tokens);
    const target = await serveTls(good);
    const oauth2 = { token_url: `https://localhost:${tokenPort}/`, client_id: 'me', client_secret: 'x' };
    const tls = { ca: authority.cert, server_name: 'shop.example', ...client };
    const output = await ask({ url: `https://127.0.0.1:${target.port}/`, auth: { oauth2 }, tls });
    expect(output).toMatchObject({ reason: 'ok', fields: { status: 200 } });
    expect(seen).toEqual(['localhost', {}]);
  });

  test('is read from its file, and again when the file has changed', async () => {
    const first = await authority.issue('rotated', { names: 'DNS:client', days: 30 });
    const stranger = await authority.selfSigned('stranger');
    const { port } = await wanting();
    const file = (name: string) => join(authority.folder, name);
    const write = async (pair: KeyPair) => {
      await writeFile(file('client.pem'), pair.cert);
      await writeFile(file('client.key'), pair.key);
      await chmod(file('client.key'), 0o600);
    };
    await write(stranger);
    const tls = { ca: file('ca.pem'), cert: file('client.pem'), key: file('client.key') };
    const spec = http.spec.parse({ url: `https://localhost:${port}/`, tls });
    // In TLS 1.3 the client is done before the server has looked at its certificate.
    expect((await probe(http, spec)).reason).toBe('protocol');
    await write(first);
    await utimes(file('client.pem'), new Date(), new Date(Date.now() + 5_000));
    expect((await probe(http, spec)).reason).toBe('ok');
    await rm(file('client.key'));
    await expect(probe(http, spec)).rejects.toMatchObject({ code: 'tls_file_missing' });
  });
});

describe('between http and https', () => {
  test('a redirect up is followed, one down is refused unless it is allowed', async () => {
    const plain = await serveHttp((request, response) => {
      if (request.url === '/up') response.writeHead(302, { Location: `https://localhost:${tls.port}/` }).end();
      else response.end('plain');
    });
    const server = createServer(good, (request, response) => {
      if (request.url === '/down') response.writeHead(302, { Location: `http://localhost:${plain.port}/x?y=z` }).end();
      else response.end('secure');
    });
    const tls = await listen(server);
    const trust = { ca: authority.cert };
    const up = await ask({ url: `http://localhost:${plain.port}/up`, tls: trust });
    expect(up).toMatchObject({ reason: 'ok', fields: { body: 'secure', redirects: 1, tls: { version: 'TLS 1.3' } } });
    const down = await ask({ url: `https://localhost:${tls.port}/down`, tls: trust });
    expect(down).toMatchObject({ reason: 'protocol', fields: { status: 302, redirects: 0 } });
    expect(down.error).toBe(
      `refused a redirect from https to http (http://localhost:${plain.port}/x); allow_downgrade: true follows it`,
    );
    const allowed = await ask({ url: `https://localhost:${tls.port}/down`, tls: trust, allow_downgrade: true });
    expect(allowed).toMatchObject({ reason: 'ok', fields: { body: 'plain', tls: undefined, certificate: undefined } });
  });

  test('a proxy tunnels to the target, whose certificate counts', async () => {
    const target = await serveTls(good);
    const asked: unknown[] = [];
    const proxy = await serveRaw((socket) => {
      socket.once('data', (head) => {
        asked.push(head.toString());
        const upstream = connect(target.port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          socket.pipe(upstream).pipe(socket);
        });
        upstream.on('error', () => {});
        upstream.on('close', () => socket.destroy());
        onTestFinished(() => {
          upstream.destroy();
        });
      });
    });
    const output = await ask({
      url: `https://shop.example:${target.port}/`,
      proxy: `http://jo:x@127.0.0.1:${proxy.port}`,
      tls: { ca: authority.cert },
      auth: { bearer: 'abc' },
    });
    expect(output).toMatchObject({ reason: 'ok', fields: { status: 200, ip: '127.0.0.1' } });
    expect(asked).toEqual([
      expect.stringMatching(new RegExp(`^CONNECT shop\\.example:${target.port} HTTP/1\\.1\\r\\nHost: shop\\.example`)),
    ]);
    expect(asked[0]).toContain('Proxy-Authorization: Basic ');
    expect(asked[0]).not.toContain('abc');
    await proxy.drained();
  });
});
