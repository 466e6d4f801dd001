import { X509Certificate } from 'node:crypto';
import { createServer, type TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileCondition } from '../../src/engine/condition.ts';
import type { Fields } from '../../src/model.ts';
import { tls } from '../../src/probe-types/tls.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { startNameServer } from '../estate/hostile-names.ts';
import { closedPort, deafPort, drip, listen, probe, serveRaw } from '../estate/hostile-network.ts';

/** The first line of a PEM text, and nothing behind it. */
const pem = (what: string) => `-----BEGIN ${what}-----`;

const ask = (spec: Record<string, unknown>, options = {}) =>
  probe(tls, tls.spec.parse({ host: '127.0.0.1', ...spec }) as never, options);

let authority: Authority;
let good: KeyPair;

beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue('good', { names: 'DNS:localhost,DNS:shop.example,IP:127.0.0.1', days: 30 });
});

afterAll(() => authority.remove());

async function serveTls(options: TlsOptions) {
  const server = createServer(options);
  server.on('tlsClientError', () => {});
  return await listen(server);
}

const fingerprintOf = (pem: string) => new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();

function outcomeOf(source: string, fields: Fields): string {
  const location = { file: 'p.yaml', line: 1, column: 1 };
  const condition = compileCondition(source, { fields: tls.fields, everyMs: 30_000, windows: true, location });
  const bindings = { ok: true, reason: 'ok' as const, latency_ms: 1, error: null, ...fields };
  return condition.evaluate(bindings, { read: () => undefined }).outcome;
}

describe('a good certificate', () => {
  test('shows what it says, its chain and the session', async () => {
    const server = await serveTls(good);
    const { reason, fields } = await ask({ port: server.port, ca: authority.cert });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      ip: '127.0.0.1',
      tls: { version: 'TLS 1.3', cipher: expect.stringMatching(/^TLS_/) },
      certificate: {
        expires_in_days: expect.closeTo(30, 1),
        names: ['localhost', 'shop.example', '127.0.0.1'],
        fingerprint: fingerprintOf(good.cert),
      },
    });
    expect(fields['chain']).toEqual([
      {
        subject: 'CN=good,O=Test',
        issuer: 'CN=Test Authority,O=Test',
        expires_in_days: expect.closeTo(30, 1),
        fingerprint: fingerprintOf(good.cert),
      },
      {
        subject: 'CN=Test Authority,O=Test',
        issuer: 'CN=Test Authority,O=Test',
        expires_in_days: expect.closeTo(365, 1),
        fingerprint: fingerprintOf(authority.cert),
      },
    ]);
    expect(Object.keys(fields['phases'] as object)).toEqual(['resolve_ms', 'connect_ms', 'tls_ms']);
    expect((fields['phases'] as { tls_ms: number }).tls_ms).toBeGreaterThan(0);
    await server.drained();
  });

  test("its series are blackbox_exporter's", async () => {
    const { port } = await serveTls(good);
    const { fields } = await ask({ host: 'localhost', port, ca: authority.cert });
    const sampled = Object.fromEntries(tls.families.map(({ name, sample }) => [name, sample(fields, {} as never)]));
    expect(sampled).toMatchObject({
      probe_ip_protocol: 4,
      probe_ssl_earliest_cert_expiry: Date.parse(new X509Certificate(good.cert).validTo) / 1_000,
      probe_tls_version_info: [{ labels: { version: 'TLS 1.3' }, value: 1 }],
      probe_ssl_last_chain_info: [{ labels: { subject: 'CN=good,O=Test' }, value: 1 }],
    });
  });

  test.each([
    ['certificate.expires_in_days > 14', 'true'],
    ['certificate.expires_in_days > 40', 'false'],
    ['chain.all(link, link.expires_in_days > 14)', 'true'],
    ['chain.all(link, link.expires_in_days > 40)', 'false'],
    ['"shop.example" in certificate.names', 'true'],
  ])('can be judged by %s', async (source, outcome) => {
    const { port } = await serveTls(good);
    const { fields } = await ask({ port, ca: authority.cert });
    expect(outcomeOf(source, fields)).toBe(outcome);
  });

  test('of a server that is asked for by another name', async () => {
    const { port } = await serveTls(good);
    const { address } = await startNameServer('--address=/front.test/127.0.0.1');
    const spec = { host: 'front.test', port, resolver: address, ca: authority.cert };
    expect(await ask(spec)).toMatchObject({
      reason: 'tls',
      error: 'the certificate is not for front.test but for DNS:localhost, DNS:shop.example, IP Address:127.0.0.1',
    });
    expect(await ask({ ...spec, server_name: 'shop.example' })).toMatchObject({ reason: 'ok' });
  });
});

describe('a certificate that is not to be trusted is seen all the same', () => {
  test('expired', async () => {
    const { port } = await serveTls(await authority.issue('old', { names: 'IP:127.0.0.1', days: 30, agoDays: 40 }));
    const output = await ask({ port, ca: authority.cert });
    expect(output).toMatchObject({
      reason: 'certificate_expired',
      fields: { certificate: { expires_in_days: expect.closeTo(-10, 0), subject: 'CN=old,O=Test' } },
    });
    expect(output.fields['chain']).toHaveLength(2);
  });

  test('about to expire', async () => {
    const { port } = await serveTls(await authority.issue('soon', { names: 'IP:127.0.0.1', days: 3 }));
    const { reason, fields } = await ask({ port, ca: authority.cert });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ certificate: { expires_in_days: expect.closeTo(3, 1), subject: 'CN=soon,O=Test' } });
    expect(outcomeOf('certificate.expires_in_days > 14', fields)).toBe('false');
    expect(outcomeOf('certificate.expires_in_days > 2', fields)).toBe('true');
  });

  test('self-signed', async () => {
    const pair = await authority.selfSigned('own');
    const { port } = await serveTls(pair);
    expect(await ask({ port })).toMatchObject({
      reason: 'tls',
      error: 'the certificate is self-signed',
      fields: { certificate: { fingerprint: fingerprintOf(pair.cert) }, chain: [{ subject: 'CN=localhost' }] },
    });
    expect(await ask({ port, insecure_skip_verify: true })).toMatchObject({ reason: 'ok' });
  });

  test('from an unknown authority', async () => {
    const { port } = await serveTls(good);
    expect(await ask({ port })).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/without its chain|not trusted/),
      fields: { certificate: { subject: 'CN=good,O=Test' } },
    });
  });
});

describe('an old protocol', () => {
  test.each(['TLSv1', 'TLSv1.1'] as const)('%s is not spoken: no handshake, and that is said', async (version) => {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' };
    const { port } = await serveTls({ ...good, ...old });
    expect(await ask({ port, ca: authority.cert })).toMatchObject({
      reason: 'tls',
      error: expect.stringMatching(/protocol/),
    });
  });

  test('that is still spoken is seen, and may be judged', async () => {
    const { port } = await serveTls({ ...good, maxVersion: 'TLSv1.2' });
    const { reason, fields } = await ask({ port, ca: authority.cert });
    expect(reason).toBe('ok');
    expect(outcomeOf('tls.version == "TLS 1.3"', fields)).toBe('false');
    expect(outcomeOf('tls.version in ["TLS 1.2", "TLS 1.3"]', fields)).toBe('true');
  });
});

test('a client certificate is shown to a server that asks for one', async () => {
  const client = await authority.issue('client', { names: 'DNS:client', days: 30 });
  const asking = { ...good, ca: authority.cert, requestCert: true, maxVersion: 'TLSv1.2' } as const;
  const { port } = await serveTls(asking);
  expect(await ask({ port, ca: authority.cert })).toMatchObject({ reason: 'tls' });
  expect(await ask({ port, ca: authority.cert, ...client })).toMatchObject({
    reason: 'ok',
    fields: { tls: { version: 'TLS 1.2' } },
  });
});

describe('no handshake', () => {
  test('refused, unanswered, unreachable, without a name', async () => {
    expect(await ask({ port: await closedPort() })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ port: await deafPort() }, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
    expect(await ask({ host: '224.0.0.1' })).toMatchObject({ reason: 'unreachable' });
    const { address } = await startNameServer('--local=/test/');
    expect(await ask({ host: 'gone.test', resolver: address })).toMatchObject({ reason: 'dns' });
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string, RegExp]>([
    ['silence', () => {}, 'timeout', /waiting for the TLS handshake/],
    // The head of a record that announces 16 KiB, then one byte of it at a time.
    [
      'a drip',
      (socket) => {
        socket.write(Buffer.from([22, 3, 3, 64, 0]));
        drip(socket, 'x', 20);
      },
      'timeout',
      /waiting for the TLS handshake/,
    ],
    ['another protocol', (socket) => socket.write('220 mail.example ESMTP\r\n'), 'tls', /^TLS failed: /],
    [
      'a close',
      (socket) => socket.once('data', () => socket.end()),
      'tls',
      /closed during the TLS handshake|TLS failed/,
    ],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'tls', /closed during/],
  ])('%s is a failure with a reason, within the deadline', async (_name, onConnection, reason, message) => {
    const server = await serveRaw(onConnection);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const output = await ask({ port: server.port }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message), fields: { ip: '127.0.0.1' } });
    expect(output.fields['certificate']).toBeUndefined();
    await server.drained();
  });
});

describe('definition', () => {
  test.each([
    [{}, 'host', /./],
    [{ host: 'x', port: 0 }, 'port', /./],
    [{ host: 'x', cert: '/a.pem' }, '', /belong together/],
    [{ host: 'x', cert: pem('CERTIFICATE'), key: pem('PRIVATE KEY') }, '', /is not usable/],
    [{ host: 'x', ca: 'nonsense' }, 'ca', /neither PEM/],
  ])('%j is refused', (spec, path, message) => {
    const issues = tls.spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.')).join()).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
    expect(issues).not.toHaveLength(0);
  });

  test.each([
    [{ host: 'shop.example' }, 'shop.example:443'],
    [{ host: '[::1]', port: 1 }, '[::1]:1'],
    [{ host: 'bücher.example' }, 'xn--bcher-kva.example:443'],
  ])('the target of %j is %s', (spec, target) => {
    expect(tls.target(tls.spec.parse(spec))).toBe(target);
  });
});
