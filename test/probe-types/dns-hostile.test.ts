import { describe, expect, test } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import { dns } from '../../src/probe-types/dns.ts';
import { decodeAnswer, encodeQuestion } from '../../src/probe-types/dns-message.ts';
import { classify, ProbeFailure } from '../../src/probe-types/failure.ts';
import { ASKED, answerTo, framed, long, name, overTcp, record, serveDns, short } from '../estate/hostile-dns.ts';
import { startSilentNameServer } from '../estate/hostile-names.ts';
import { deafPort, drip, flood, probe, serveRaw } from '../estate/hostile-network.ts';
import { seeded } from '../estate/seeded.ts';

const ask = (spec: Record<string, unknown>, options = {}) =>
  probe(dns, dns.spec.parse({ name: 'a.test', ...spec }) as never, options);

const LOOPBACK = Buffer.from([127, 0, 0, 1]);
const A = record(ASKED, 1, LOOPBACK);
/** Behind the header, `a.test` and its type and class. */
const FIRST_RECORD = 12 + 8 + 4;
const pointer = (target: number) => short(0xc000 | target);

describe('a hostile answer is protocol', () => {
  test.each<[string, (query: Buffer) => Buffer, RegExp]>([
    ['empty', () => Buffer.alloc(0), /ends too early/],
    ['half a header', (query) => query.subarray(0, 7), /ends too early/],
    ['the question come back', (query) => query, /not an answer/],
    ['another opcode', (query) => answerTo(query, { bits: 0xa980 }), /not an answer/],
    ['cut in a record', (query) => answerTo(query, { answers: [A] }).subarray(0, -3), /longer than the message/],
    ['more counted than there', (query) => answerTo(query, { answers: [A], counts: [9, 0, 0] }), /ends too early/],
    ['65535 counted', (query) => answerTo(query, { counts: [65_535, 65_535, 65_535] }), /ends too early/],
    ['less counted than there', (query) => answerTo(query, { answers: [A], counts: [0, 0, 0] }), /longer than its rec/],
    ['another question', (query) => answerTo(withName(query, 'b.test'), { answers: [A] }), /another question/],
    ['no question', (query) => Buffer.concat([query.subarray(0, 2), short(0x8180), Buffer.alloc(8)]), /0 questions/],
    [
      'a name that points at itself',
      (query) => answerTo(query, { answers: [record(pointer(FIRST_RECORD), 1, LOOPBACK)] }),
      /points forwards/,
    ],
    [
      'a name that points forwards',
      (query) => answerTo(query, { answers: [record(pointer(0x3fff), 1, LOOPBACK)] }),
      /points forwards/,
    ],
    ['names that point at each other', (query) => answerTo(query, { answers: [loop()] }), /points forwards/],
    [
      'a label of an unknown kind',
      (query) => answerTo(query, { answers: [record(Buffer.from([0x80]), 1, LOOPBACK)] }),
      /too long/,
    ],
    ['a name that grows and grows', (query) => answerTo(query, { answers: growing() }), /too long/],
    [
      'an address of three bytes',
      (query) => answerTo(query, { answers: [record(ASKED, 1, LOOPBACK.subarray(1))] }),
      /ends too early|another length/,
    ],
    [
      'an address of five bytes',
      (query) => answerTo(query, { answers: [record(ASKED, 1, Buffer.alloc(5))] }),
      /another length/,
    ],
    [
      'a text longer than its record',
      (query) => answerTo(query, { answers: [record(ASKED, 16, Buffer.from([9, 65])), A] }),
      /another length/,
    ],
  ])('%s', async (_name, answer, message) => {
    const { server } = await serveDns((query) => [answer(query)]);
    expect(await ask({ server })).toMatchObject({ reason: 'protocol', error: expect.stringMatching(message) });
  });

  test('that is only for others is waited past, and named at the deadline', async () => {
    const other = (query: Buffer) =>
      answerTo(Buffer.concat([short(query.readUInt16BE() ^ 1), query.subarray(2)]), { answers: [A] });
    const forger = await serveDns((query) => [other(query)]);
    expect(await ask({ server: forger.server }, { timeoutMs: 300 })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/other questions/),
    });
    const late = await serveDns((query) => [other(query), answerTo(query, { answers: [A] })]);
    expect(await ask({ server: late.server })).toMatchObject({ reason: 'ok', fields: { answers: ['127.0.0.1'] } });
    const stream = await serveDns(
      () => [],
      overTcp((query) => [other(query)]),
    );
    expect(await ask({ server: stream.server, transport: 'tcp' })).toMatchObject({ reason: 'protocol' });
  });

  test('aliases in a circle end, and lead to no answer', async () => {
    const circle = [record(ASKED, 5, name('b.test')), record(name('b.test'), 5, name('a.test'))];
    const { server } = await serveDns((query) => [answerTo(query, { answers: circle })]);
    const { reason, fields } = await ask({ server });
    expect({ reason, answers: fields['answers'] }).toEqual({ reason: 'ok', answers: [] });
    expect(fields['aliases']).toHaveLength(16);
  });

  test('what it says is shown as visible characters', async () => {
    const text = Buffer.from('\x09\x1b[31m\0"\\\xe9', 'latin1');
    const { server } = await serveDns((query) => [answerTo(query, { answers: [record(ASKED, 16, text)] })]);
    expect(await ask({ server, type: 'TXT' })).toMatchObject({
      fields: { answers: ['\\027[31m\\000"\\092\\233'] },
    });
  });
});

describe('an answer that says no', () => {
  test.each([
    [0x8182, 'SERVFAIL'],
    [0x8184, 'NOTIMP'],
    [0x818f, 'RCODE15'],
  ])('%i is %s, also without the question', async (bits, rcode) => {
    const { server } = await serveDns((query) => [Buffer.concat([query.subarray(0, 2), short(bits), Buffer.alloc(8)])]);
    expect(await ask({ server })).toMatchObject({ reason: 'ok', fields: { rcode, answers: [] } });
  });

  test('in more bits than the header has', async () => {
    const opt = Buffer.concat([Buffer.from([0]), short(41), short(1_232), long(0x01_00_00_00), short(0)]);
    const { server } = await serveDns((query) => [answerTo(query, { additional: [opt] })]);
    expect(await ask({ server })).toMatchObject({ fields: { rcode: 'BADVERS', additional_count: 0 } });
  });
});

describe('the deadline is total', () => {
  test('a server that is silent', async () => {
    const { address, questions } = await startSilentNameServer();
    const startedAt = performance.now();
    const output = await ask({ server: address }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'timeout', error: expect.stringMatching(/waiting for an answer/) });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(questions()).toBe(1);
  });

  test('a lost datagram is sent again', async () => {
    let seen = 0;
    const { server } = await serveDns((query) => {
      seen += 1;
      return seen === 1 ? [] : [answerTo(query, { answers: [A] })];
    });
    expect(await ask({ server })).toMatchObject({ reason: 'ok' });
    expect(seen).toBe(2);
  });

  test('a server that takes no connection', async () => {
    const server = `127.0.0.1:${await deafPort()}`;
    const output = await ask({ server, transport: 'tcp' }, { timeoutMs: 300 });
    expect(output).toMatchObject({ reason: 'connect_timeout' });
  });

  test.each<[string, Parameters<typeof serveRaw>[0], string]>([
    ['silence', () => {}, 'timeout'],
    ['half a length', (socket) => socket.write('\0'), 'timeout'],
    ['half an answer', (socket) => socket.write(framed(Buffer.alloc(40)).subarray(0, 20)), 'timeout'],
    ['a drip', (socket) => drip(socket, '\xff', 20), 'timeout'],
    ['a close', (socket) => socket.end(), 'protocol'],
    ['a close within the answer', (socket) => socket.end(framed(Buffer.alloc(40)).subarray(0, 20)), 'protocol'],
    ['a reset', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'protocol'],
    ['an empty answer', (socket) => socket.write('\0\0'), 'protocol'],
    ['a flood', (socket) => flood(socket, 'x'.repeat(9_999)), 'protocol'],
    ['another protocol', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'protocol'],
  ])('%s over TCP', async (_name, onConnection, reason) => {
    const server = await serveRaw(onConnection);
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const output = await ask({ server: `127.0.0.1:${server.port}`, transport: 'tcp' }, { timeoutMs });
    expect(output).toMatchObject({ reason, fields: { rcode: undefined, ip: '127.0.0.1' } });
    await server.drained();
  });

  test('a cut answer whose rest cannot be had', async () => {
    const { server } = await serveDns((query) => [answerTo(query, { bits: 0x8380 })]);
    expect(await ask({ server })).toMatchObject({
      reason: 'protocol',
      error: expect.stringMatching(/^the answer over UDP was cut, and over TCP: /),
      fields: { transport: 'tcp' },
    });
  });

  test('a signal that is already aborted asks nothing', async () => {
    const { address, questions } = await startSilentNameServer();
    const output = await ask({ server: address }, { signal: AbortSignal.abort() });
    expect(output.reason).toBe('connect_timeout');
    expect(questions()).toBe(0);
  });
});

test('our own lack of descriptors is no fault of a server, however often it is looked at', () => {
  const lack = Object.assign(new Error('socket EMFILE'), { code: 'EMFILE' });
  expect(classify(classify(lack, 'connect'), 'processing')).toBeInstanceOf(RetryableError);
});

describe('noise', () => {
  const question = { id: 0x1234, name: 'a.test', type: 'A', recursion: true } as const;
  const query = encodeQuestion(question);
  const soa = Buffer.concat([name('ns.test'), pointer(12), ...[1, 2, 3, 4, 5].map(long)]);
  const honest = answerTo(query, {
    answers: [
      record(ASKED, 5, name('b.test')),
      record(name('b.test'), 1, LOOPBACK),
      record(ASKED, 16, Buffer.from('\x02hi')),
    ],
    authority: [record(pointer(14), 6, soa)],
    additional: [record(name('mx.test'), 15, Buffer.concat([short(5), pointer(12)]))],
  });

  test('changed a little: an answer or protocol, never anything else', () => {
    const random = seeded(20_261_128);
    const outcomes = { answer: 0, protocol: 0 };
    expect(decodeAnswer(honest, question).answers).toEqual(['127.0.0.1']);
    for (let round = 0; round < 20_000; round += 1) {
      const message = Buffer.from(
        honest.subarray(0, random() < 0.2 ? Math.floor(random() * honest.length) : undefined),
      );
      // Behind the id and the flags, which would end most rounds early.
      for (let left = 1 + random() * 4; left > 0 && message.length > 4; left -= 1) {
        message[4 + Math.floor(random() * (message.length - 4))] = Math.floor(random() * 256);
      }
      outcomes[outcomeOf(() => decodeAnswer(message, question, round % 2 === 0))] += 1;
    }
    expect(outcomes.answer).toBeGreaterThan(500);
    expect(outcomes.protocol).toBeGreaterThan(500);
  });

  test('the longest message of the worst names is read at once', () => {
    // Each record names 255 bytes by a pointer; the section is as long as a message can be.
    const longest = Buffer.concat([
      ...Array.from({ length: 3 }, () => Buffer.from(`\x3f${'x'.repeat(63)}`)),
      Buffer.from(`\x3d${'x'.repeat(61)}\0`),
    ]);
    const first = record(ASKED, 5, longest);
    const target = FIRST_RECORD + 12;
    const others = Array.from({ length: 4_000 }, () => record(pointer(target), 1, LOOPBACK));
    const message = answerTo(query, { answers: [first, ...others] });
    const startedAt = performance.now();
    expect(decodeAnswer(message, question, true).answers).toHaveLength(255);
    // It takes some 10 ms; seconds would mean that it grows with the square.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('sent for real never hangs and never throws', async () => {
    const random = seeded(42);
    const { server } = await serveDns(
      (query) => {
        const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 80) }, () => Math.floor(random() * 256)));
        const mixed =
          random() < 0.5 ? Buffer.concat([query.subarray(0, 2), bytes]) : Buffer.concat([answerTo(query), bytes]);
        return [mixed];
      },
      overTcp((query) => [answerTo(query, { answers: [A] })]),
    );
    for (let round = 0; round < 200; round += 1) {
      const { reason } = await ask({ server });
      expect(['ok', 'protocol']).toContain(reason);
    }
  });
});

function outcomeOf(decode: () => unknown): 'answer' | 'protocol' {
  try {
    decode();
    return 'answer';
  } catch (error) {
    if (error instanceof ProbeFailure && error.reason === 'protocol') return 'protocol';
    throw error;
  }
}

function withName(query: Buffer, other: string): Buffer {
  return Buffer.concat([query.subarray(0, 12), name(other), query.subarray(query.indexOf(0, 12) + 1)]);
}

/** Two labels whose pointers lead to one another. */
function loop(): Buffer {
  const start = FIRST_RECORD;
  const first = Buffer.concat([Buffer.from('\x01x'), pointer(start + 4)]);
  const second = Buffer.concat([Buffer.from('\x01y'), pointer(start)]);
  return Buffer.concat([first, second, short(1), short(1), long(1), short(0)]);
}

/** Each name is a label and a pointer to the one before: the fifth is longer than a name may be. */
function growing(): Buffer[] {
  const label = Buffer.from(`\x3f${'x'.repeat(63)}`);
  const size = label.length + 2 + 10;
  return Array.from({ length: 5 }, (_, index) =>
    record(Buffer.concat([label, pointer(index === 0 ? 12 : FIRST_RECORD + (index - 1) * size)]), 99, Buffer.alloc(0)),
  );
}
