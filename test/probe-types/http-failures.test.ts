import type { Socket } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { http } from '../../src/probe-types/http.ts';
import { answering, closedPort, deafPort, drip, flood, probe, serveRaw, sleep } from '../estate/hostile-network.ts';

const ask = (spec: Record<string, unknown>, options = {}) => probe(http, http.spec.parse(spec) as never, options);

describe('no connection', () => {
  test('refused', async () => {
    const output = await ask({ url: `http://127.0.0.1:${await closedPort()}/` });
    expect(output).toMatchObject({ reason: 'connect_refused', error: 'connection refused' });
    expect(output.fields).toMatchObject({ status: undefined, ip: '127.0.0.1' });
  });

  test('no answer before the deadline', async () => {
    const output = await ask({ url: `http://127.0.0.1:${await deafPort()}/` }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'connect_timeout', error: 'no connection before the deadline' });
    expect((output.fields['phases'] as { connect_ms: number }).connect_ms).toBeGreaterThan(250);
  });

  test('no way there', async () => {
    // A connection to a multicast address is refused by our own kernel: no packet leaves.
    expect(await ask({ url: 'http://224.0.0.1/' })).toMatchObject({
      reason: 'unreachable',
      error: 'network unreachable',
    });
  });

  test('a signal that is already aborted opens nothing', async () => {
    const server = await serveRaw(() => {});
    const output = await ask({ url: `http://127.0.0.1:${server.port}/` }, { signal: AbortSignal.abort() });
    expect(output.reason).toBe('connect_timeout');
    await sleep(50);
    expect(server.open()).toBe(0);
  });
});

describe('the deadline is total', () => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n';
  test.each<[string, string, (socket: Socket) => void, RegExp]>([
    ['silence', 'http', () => {}, /waiting for an answer/],
    ['a silent handshake', 'https', () => {}, /the TLS handshake/],
    ['headers that drip', 'http', (socket) => drip(socket, 'H', 20), /protocol|valid HTTP/],
    ['a header line that never ends', 'http', dripHeader, /waiting for an answer/],
    ['a body that drips', 'http', answering(head, (socket) => drip(socket, '.', 20)), /the whole body/],
    ['a body that stops', 'http', answering(`${head}half`), /the whole body/],
    [
      'chunks that drip',
      'http',
      answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', dripChunks),
      /body/,
    ],
    ['compressed bytes that drip', 'http', dripGzip, /the whole body/],
  ])('%s', async (_name, scheme, onConnection, message) => {
    const server = await serveRaw(onConnection);
    const startedAt = performance.now();
    const output = await ask({ url: `${scheme}://127.0.0.1:${server.port}/` }, { timeoutMs: 400 });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(output.error).toMatch(message);
    expect(output.reason).toBe(output.error?.includes('deadline') ? 'timeout' : 'protocol');
    await server.drained();
  });

  function dripHeader(socket: Socket): void {
    socket.write('HTTP/1.1 200 OK\r\nX-Long: ');
    drip(socket, 'x', 20);
  }

  function dripChunks(socket: Socket): void {
    drip(socket, '1\r\nx\r\n', 20);
  }

  function dripGzip(socket: Socket): void {
    socket.write('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n');
    socket.write(gzipSync('x'.repeat(100)).subarray(0, 12));
  }

  test('what was seen before it is still reported', async () => {
    const { port } = await serveRaw(answering(`${head}half`));
    const { fields } = await ask({ url: `http://127.0.0.1:${port}/` }, { timeoutMs: 300 });
    expect(fields).toMatchObject({ status: 200, http_version: 1.1, content_length: 1_000, ip: '127.0.0.1' });
    expect((fields['phases'] as { transfer_ms: number }).transfer_ms).toBeGreaterThan(150);
  });
});

describe('what is not HTTP is reason protocol', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const coded = (encoding: string, body: Buffer | string) => {
    const bytes = Buffer.from(body);
    return Buffer.concat([
      Buffer.from(`${ok}Content-Encoding: ${encoding}\r\nContent-Length: ${bytes.length}\r\n\r\n`),
      bytes,
    ]);
  };
  const afterwards = (socket: Socket) => socket.end();
  test.each<[string, string | Buffer, RegExp, ((socket: Socket) => void)?]>([
    ['a banner', 'SSH-2.0-OpenSSH_9.2\r\n', /not valid HTTP/],
    ['binary noise', Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff, 0xfe]), /not valid HTTP/],
    ['nothing', '', /closed before the answer/, afterwards],
    ['half of the headers', `${ok}X-A: b\r\n`, /closed before the answer/, afterwards],
    ['half of the body', `${ok}Content-Length: 10\r\n\r\nhalf`, /closed before the answer/, afterwards],
    [
      'a reset',
      `${ok}Content-Length: 10\r\n\r\nhalf`,
      /closed before the answer/,
      (socket) => socket.resetAndDestroy(),
    ],
    ['a bad chunk size', `${ok}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, /not valid HTTP/],
    ['a chunk that overflows', `${ok}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`, /not valid HTTP/],
    ['a bad length', `${ok}Content-Length: 1e3\r\n\r\n`, /not valid HTTP/],
    ['two lengths', `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx`, /not valid HTTP/],
    ['length and chunks', `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /not valid HTTP/],
    ['a control character in a header', `${ok}X-A: b\0c\r\n\r\n`, /not valid HTTP/],
    ['a bare carriage return in a header', `${ok}X-A: b\rSet-Cookie: c=d\r\n\r\n`, /not valid HTTP/],
    ['headers of 100 KB', `${ok}X-A: ${'x'.repeat(100_000)}\r\n\r\n`, /larger than 64 KiB/],
    ['a thousand headers of 100 bytes', `${ok}${`X-A: ${'x'.repeat(95)}\r\n`.repeat(1_000)}\r\n`, /larger than 64 KiB/],
    ['a flood of interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100), /flood of interim/],
    ['a switch of protocols', 'HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', /switches/],
    ['gzip that is none', coded('gzip', 'plain text'), /bad Content-Encoding/],
    ['gzip that is cut', coded('gzip', gzipSync('hello'.repeat(99)).subarray(0, 20)), /bad Content-Encoding/],
    ['gzip inside deflate that is none', coded('gzip, deflate', deflateSync('plain')), /bad Content-Encoding/],
    ['an unknown encoding', coded('zebra', 'x'), /unknown Content-Encoding: zebra/],
    ['an encoding named like a property', coded('constructor', 'x'), /unknown Content-Encoding: constructor/],
    ['four layers', coded('gzip, gzip, gzip, gzip', 'x'), /more than 3 layers/],
    ['1,000 encodings', coded('gzip,'.repeat(1_000), 'x'), /more than 3 layers/],
  ])('%s', async (_name, answer, message, after) => {
    const server = await serveRaw(answering(answer, after));
    const output = await ask({ url: `http://127.0.0.1:${server.port}/` });
    expect(output).toMatchObject({ reason: 'protocol', error: expect.stringMatching(message) });
    await server.drained();
  });

  test('a second answer behind the first is not listened to', async () => {
    const first = `${ok}Content-Length: 2\r\n\r\nok`;
    const server = await serveRaw(answering(`${first}HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad junk \0\xff`));
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${server.port}/` });
    expect({ reason, status: fields['status'], body: fields['body'] }).toEqual({
      reason: 'ok',
      status: 200,
      body: 'ok',
    });
    await server.drained();
  });

  test('a body that ends with its connection is whole', async () => {
    const { port } = await serveRaw(answering('HTTP/1.0 200 OK\r\n\r\nold style', afterwards));
    expect(await ask({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      reason: 'ok',
      fields: { body: 'old style', http_version: 1 },
    });
  });

  test('any bytes at all are classified', async () => {
    const noise = lcg(7);
    for (let round = 0; round < 150; round += 1) {
      const bytes = Buffer.from(Array.from({ length: 1 + (noise() % 200) }, () => noise() % 256));
      const prefix = [
        '',
        'HTTP/1.1 ',
        ok,
        `${ok}Transfer-Encoding: chunked\r\n\r\n`,
        `${ok}Content-Encoding: br\r\n\r\n`,
      ];
      const start = prefix[round % prefix.length] ?? '';
      const { port } = await serveRaw(answering(Buffer.concat([Buffer.from(start), bytes]), afterwards));
      expect(['ok', 'protocol']).toContain((await ask({ url: `http://127.0.0.1:${port}/` })).reason);
    }
  });
});

describe('what never ends is cut', () => {
  test.each([
    ['an endless body', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['a body of 10 GB', 'HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n'],
  ])('%s', async (_name, head) => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    const server = await serveRaw(answering(head, (socket) => flood(socket, piece)));
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 10; round += 1) {
      const output = await ask({ url: `http://127.0.0.1:${server.port}/` });
      expect(output).toMatchObject({
        reason: 'ok',
        fields: { body_bytes: 2 ** 20, body_truncated: true, json: undefined },
      });
      await server.drained();
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
  });

  test('chunks of one byte, thousands of them behind the cap in the same read', async () => {
    const piece = '1\r\nx\r\n'.repeat(11_000);
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const server = await serveRaw(answering(head, (socket) => flood(socket, piece)));
    let seen = performance.now();
    let longest = 0;
    const look = () => {
      longest = Math.max(longest, performance.now() - seen);
      seen = performance.now();
    };
    const looking = setInterval(look, 5);
    const output = await ask({ url: `http://127.0.0.1:${server.port}/`, max_body: '64KiB' });
    clearInterval(looking);
    look();
    expect(output.fields).toMatchObject({ body_bytes: 2 ** 16, body_truncated: true, body: 'x'.repeat(2 ** 16) });
    // Half a minute, where each chunk behind the cap joined all those before.
    expect(longest).toBeLessThan(5_000);
    await server.drained();
  });

  test('endless headers', async () => {
    const server = await serveRaw(
      answering('HTTP/1.1 200 OK\r\n', (socket) => flood(socket, 'X-A: b\r\n'.repeat(999))),
    );
    expect(await ask({ url: `http://127.0.0.1:${server.port}/` })).toMatchObject({ reason: 'protocol' });
    await server.drained();
  });

  test('an endless flood of interim answers', async () => {
    const interim = 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(999);
    const server = await serveRaw(answering('', (socket) => flood(socket, interim)));
    expect(await ask({ url: `http://127.0.0.1:${server.port}/` })).toMatchObject({ reason: 'protocol' });
    await server.drained();
  });

  test.each([
    ['one layer', 'gzip', gzipSync(Buffer.alloc(200 * 2 ** 20))],
    ['two layers', 'gzip, gzip', gzipSync(gzipSync(Buffer.alloc(500 * 2 ** 20)))],
  ])('a gzip bomb of %s', async (_name, encoding, bomb) => {
    const head = Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${bomb.length}\r\n\r\n`,
    );
    const server = await serveRaw(answering(Buffer.concat([head, bomb])));
    const before = process.memoryUsage.rss();
    const { reason, fields } = await ask({ url: `http://127.0.0.1:${server.port}/` });
    expect({ reason, truncated: fields['body_truncated'] }).toEqual({ reason: 'ok', truncated: true });
    expect(fields['body_bytes']).toBe(2 ** 20);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20);
    await server.drained();
  });

  test('a bomb whose inner layer holds nothing, again and again', async () => {
    const nothing = gzipSync('');
    const bomb = gzipSync(Buffer.concat(Array.from({ length: 200_000 }, () => nothing)));
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`;
    const server = await serveRaw(answering(Buffer.concat([Buffer.from(head), bomb])));
    const output = await ask({ url: `http://127.0.0.1:${server.port}/` });
    expect(output).toMatchObject({ reason: 'ok', fields: { body_bytes: 0, body_truncated: true } });
    await server.drained();
  });
});

/** Pseudo-random, the same in every run. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
