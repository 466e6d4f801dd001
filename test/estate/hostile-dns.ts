/** A name server of a test's own, which answers whatever it is told to, and messages made by hand. */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { listen } from './hostile-network.ts';

/** What to send back for a question; several datagrams, or none. */
type Answering = (query: Buffer) => readonly Buffer[];

/** Answers over UDP, and on the same port over TCP when `onConnection` is given. Stopped when the test ends. */
export async function serveDns(
  answer: Answering,
  onConnection?: (socket: Socket) => void,
): Promise<{ readonly server: string; questions(): number }> {
  let questions = 0;
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    questions += 1;
    for (const message of answer(query)) socket.send(message, port, address);
  });
  const { port } = await listen(createServer(onConnection ?? ((stream) => stream.end())));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, '127.0.0.1', resolve);
  });
  onTestFinished(async () => {
    await new Promise<void>((resolve) => socket.close(resolve));
  });
  return { server: `127.0.0.1:${port}`, questions: () => questions };
}

/** Answers each message over TCP, which may hold several connections. */
export function overTcp(answer: Answering) {
  return (socket: Socket) => {
    socket.once('data', (data: Buffer) => {
      for (const message of answer(data.subarray(2))) socket.write(framed(message));
    });
  };
}

/** Behind its length (RFC 1035, 4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

export const short = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
export const long = (value: number) =>
  Buffer.from([value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]);
export const name = (text: string) =>
  Buffer.concat([
    ...text.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.from([0]),
  ]);
/** The name of the question, which always starts behind the header. */
export const ASKED = Buffer.from([0xc0, 12]);

export function record(owner: Buffer, type: number, data: Buffer, ttl = 60): Buffer {
  return Buffer.concat([owner, short(type), short(1), long(ttl), short(data.length), data]);
}

export interface Parts {
  /** Default: a plain, successful answer of a server that offers recursion. */
  readonly bits?: number;
  readonly answers?: readonly Buffer[];
  readonly authority?: readonly Buffer[];
  readonly additional?: readonly Buffer[];
  /** Lies about how many there are. */
  readonly counts?: readonly [number, number, number];
}

/** An answer that repeats the question. */
export function answerTo(query: Buffer, parts: Parts = {}): Buffer {
  const { bits = 0x8180, answers = [], authority = [], additional = [] } = parts;
  const counts = parts.counts ?? [answers.length, authority.length, additional.length];
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const header = Buffer.concat([query.subarray(0, 2), ...[bits, 1, ...counts].map(short)]);
  return Buffer.concat([header, question, ...answers, ...authority, ...additional]);
}
