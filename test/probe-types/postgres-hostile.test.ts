import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { postgres } from '../../src/probe-types/postgres.ts';
import { createFrameCutter } from '../../src/shared/postgres-frames.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { answering, drip, flood, probe, type RunOptions, serveRaw, sleep } from '../estate/hostile-network.ts';
import { startPostgres } from '../estate/postgres.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(postgres, postgres.spec.parse(spec) as never, options);

/** A message of the server: type, length, body. */
function frame(type: string, body: string | Buffer): Buffer {
  const head = Buffer.from(`${type}....`);
  head.writeUInt32BE(Buffer.byteLength(body) + 4, 1);
  return Buffer.concat([head, Buffer.from(body)]);
}

const AUTHENTICATED = frame('R', '\0\0\0\0');
const READY = frame('Z', 'I');
const refusal = (code: string) => frame('E', `SFATAL\0VFATAL\0C${code}\0Mno\0\0`);

describe('what answers may be anything', () => {
  test.each<[string, string | Buffer, string, RegExp]>([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol', /does not speak PostgreSQL/],
    ['an SSH server', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol', /does not speak PostgreSQL/],
    ['an error without an end', frame('E', 'Mno'), 'protocol', /without an end/],
    ['an empty error', frame('E', ''), 'protocol', /without an end/],
    ['a huge message', Buffer.concat([AUTHENTICATED, Buffer.from('S\x7f\0\0\0')]), 'body', /larger than 1 MiB/],
    ['a message shorter than its head', Buffer.from([0x52, 0, 0, 0, 1]), 'protocol', /shorter than its head/],
    ['an unknown authentication', frame('R', '\0\0\0\x63'), 'protocol', /not valid PostgreSQL/],
    ['rows that nobody asked for', Buffer.concat([AUTHENTICATED, READY, frame('D', '\xff\xff')]), 'protocol', /./],
    ['a row with a bad count', Buffer.concat([AUTHENTICATED, READY, frame('D', '')]), 'protocol', /not valid/],
    ['a server that starts', refusal('57P03'), 'unhealthy', /57P03/],
    ['a server that is full', refusal('53300'), 'saturated', /53300/],
    ['a damaged server', refusal('XX001'), 'unhealthy', /XX001/],
    ['nobody', '', 'timeout', /deadline/],
  ])('%s', async (_name, bytes, reason, message) => {
    const { port } = await serveRaw(answering(bytes));
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const output = await ask({ url: `postgres://u@127.0.0.1:${port}/d?sslmode=disable` }, { timeoutMs });
    expect(output).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test.each<[string, string, string]>([
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'protocol'],
    ['a byte that means nothing', 'X', 'protocol'],
    ['bytes behind the yes', 'Ssmuggled', 'protocol'],
    ['a yes and then nothing', 'S', 'timeout'],
  ])('asked for TLS: %s', async (_name, bytes, reason) => {
    const { port } = await serveRaw(answering(bytes));
    const output = await ask({ url: `postgres://u@127.0.0.1:${port}/d` }, { timeoutMs: 500 });
    expect(output.reason).toBe(reason);
  });

  test('a connection that closes at once', async () => {
    const { port } = await serveRaw((socket) => socket.end());
    for (const mode of ['disable', 'prefer']) {
      const output = await ask({ url: `postgres://u@127.0.0.1:${port}/d?sslmode=${mode}` });
      expect(output).toMatchObject({ reason: 'protocol', error: expect.stringContaining('closed') });
    }
  });

  test('a flood of notices ends at the cap', async () => {
    const { port, drained } = await serveRaw((socket) => {
      socket.once('data', () => flood(socket, frame('N', `Mbusy\0\0`)));
    });
    expect(await ask({ url: `postgres://u@127.0.0.1:${port}/d?sslmode=disable` })).toMatchObject({
      reason: 'body',
      error: 'the answer is larger than 1 MiB',
    });
    await drained();
  });

  test('a drip ends at the deadline', async () => {
    const { port } = await serveRaw((socket) => drip(socket, frame('N', `Mbusy\0\0`).toString('latin1'), 20));
    const url = `postgres://u@127.0.0.1:${port}/d?sslmode=disable`;
    expect(await ask({ url }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
  });

  test('messages of random bytes end every run with a reason', async () => {
    let seed = 20_261;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    const noise = () => Buffer.from(Array.from({ length: random(40) }, () => (random(3) === 0 ? 0 : random(256))));
    const types = [...'RKSvZEN123TDCnstIA'];
    const { port } = await serveRaw((socket) => {
      socket.once('data', () => {
        const start = random(2) === 0 ? [] : [AUTHENTICATED, READY];
        const frames = Array.from({ length: 6 }, () => frame(types[random(types.length)] ?? 'R', noise()));
        socket.end(Buffer.concat([...start, ...frames]));
      });
    });
    const spec = { url: `postgres://u:p@127.0.0.1:${port}/d?sslmode=disable` };
    for (let round = 0; round < 300; round += 1) expect((await ask(spec)).reason).not.toBe('ok');
  });
});

describe('messages', () => {
  const stream = Buffer.concat([AUTHENTICATED, frame('S', 'name\0value\0'), READY]);

  test('are whole, however they arrive', () => {
    for (const size of [1, 3, 7, stream.length]) {
      const cut = createFrameCutter(2 ** 20);
      const frames: Buffer[] = [];
      for (let at = 0; at < stream.length; at += size) frames.push(...cut(stream.subarray(at, at + size)));
      expect(frames).toEqual([AUTHENTICATED, frame('S', 'name\0value\0'), READY]);
    }
  });
});

describe('over TLS', () => {
  let authority: Authority;
  beforeAll(async () => {
    authority = await createAuthority();
  });
  afterAll(() => authority.remove());

  /** A server with this certificate, and its URL. */
  async function serve(names: string): Promise<string> {
    const { cert, key } = await authority.issue('db', { names, days: 30 });
    const server = await startPostgres();
    onTestFinished(() => server.stop());
    const data = await server.psql('show data_directory');
    for (const [name, text] of [['server.crt', cert] as const, ['server.key', key] as const]) {
      await writeFile(join(data, name), text);
      await chmod(join(data, name), 0o600);
    }
    await server.own(['server.crt', 'server.key']);
    await server.psql('alter system set ssl = on');
    await server.psql('select pg_reload_conf()');
    while ((await server.psql('select ssl from pg_stat_ssl where pid = pg_backend_pid()')) !== 't') await sleep(50);
    return server.url();
  }

  test('the certificate is seen, and judged as sslmode and tls say', async () => {
    const url = await serve('IP:127.0.0.1');
    const plain = await ask({ url: `${url}?sslmode=disable` });
    expect(plain).toMatchObject({ reason: 'ok', fields: { tls: undefined } });
    const tls = { version: 'TLS 1.3' };
    const certificate = { subject: 'CN=db,O=Test' };
    const fields = { tls, certificate };
    expect(await ask({ url })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url: `${url}?sslmode=require` })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url: `${url}?sslmode=verify-full` })).toMatchObject({ reason: 'tls', fields });
    expect(await ask({ url, tls: { ca: authority.cert } })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url, tls: {} })).toMatchObject({ reason: 'tls', error: expect.stringContaining('trusted') });
    expect(await ask({ url, tls: { insecure_skip_verify: true }, query: 'select 1' })).toMatchObject({
      reason: 'ok',
      fields: { ...fields, value: 1 },
    });
  });

  test('a certificate for another name is refused', async () => {
    const url = await serve('DNS:other.example');
    expect(await ask({ url, tls: { ca: authority.cert } })).toMatchObject({
      reason: 'tls',
      error: expect.stringContaining('other.example'),
    });
  });
});
