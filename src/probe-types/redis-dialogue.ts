/**
 * Commands and replies over an open connection, one after the other: RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Not ioredis: it throws from the event loop at a reply that nobody asked for, which would end the daemon.
 */
import type { Socket } from 'node:net';
import { TOO_LARGE } from './driver-stream.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { explainRedis } from './redis-failure.ts';

export type Reply = string | number | null | readonly Reply[];

/** What one run reads at most. */
const MAX_BYTES = 2 ** 20;
/** Of one line: a status, an error, a number, a length. */
const MAX_LINE = 64 * 2 ** 10;
const MAX_DEPTH = 16;

type Command = readonly string[];

export interface Dialogue {
  /** Sends a command and resolves with its reply; an error reply rejects with what it means. One at a time. */
  ask(command: Command): Promise<Reply>;
  /** Sends several at once, and resolves with their replies. */
  askAll(commands: readonly Command[]): Promise<readonly Reply[]>;
  /** Sends what nobody waits for: last words, also when the run has failed. */
  tell(commands: readonly Command[]): void;
}

export function converse(socket: Socket, line: Lifeline): Dialogue {
  const incoming = new Incoming();
  let bytes = 0;
  let hear: (() => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return line.fail(new ProbeFailure('body', TOO_LARGE));
    incoming.add(chunk);
    hear?.();
  });
  socket.on('end', () =>
    line.fail(new ProbeFailure('protocol', 'the connection was closed before the answer was complete')),
  );
  const askAll = (commands: readonly Command[]) =>
    line.until<readonly Reply[]>((done) => {
      const reading = readReplies(incoming, commands.length);
      hear = () => {
        const step = attempt(reading, line);
        if (step?.done) done(step.value);
      };
      socket.write(commands.map(encode).join(''));
      // What came unasked, such as a refusal at the connection limit, is the answer.
      hear();
    });
  return {
    askAll,
    // Each command has one reply.
    ask: async (command) => (await askAll([command]))[0] as Reply,
    tell: (commands) => void socket.write(commands.map(encode).join('')),
  };
}

function attempt<T>(reading: Reading<T>, line: Lifeline): IteratorResult<void, T> | undefined {
  try {
    return reading.next();
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    line.fail(error);
    return undefined;
  }
}

function encode(command: Command): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join('')}`;
}

/** Yields when it needs more than has come so far. */
type Reading<T> = Generator<void, T>;

/** The bytes that came and were not read yet. */
class Incoming {
  #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** So many bytes, without the line end behind them. */
  *take(count: number): Reading<Buffer> {
    while (this.#bytes < count + 2) yield;
    return this.#cut(count);
  }

  *line(): Reading<string> {
    for (;;) {
      const end = this.#joined().indexOf('\r\n');
      if (end >= 0) return this.#cut(end).toString();
      if (this.#bytes > MAX_LINE) throw noRedis();
      yield;
    }
  }

  #joined(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (this.#chunks.length <= 1) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #cut(count: number): Buffer {
    const all = this.#joined();
    this.#chunks = [all.subarray(count + 2)];
    this.#bytes -= count + 2;
    return all.subarray(0, count);
  }
}

function* readReplies(incoming: Incoming, count: number): Reading<readonly Reply[]> {
  const replies: Reply[] = [];
  while (replies.length < count) replies.push(yield* readReply(incoming, 0));
  return replies;
}

function* readReply(incoming: Incoming, depth: number): Reading<Reply> {
  const line = yield* incoming.line();
  const rest = line.slice(1);
  if (line.startsWith('-')) throw explainRedis(rest);
  if (line.startsWith('+')) return rest;
  if (line.startsWith(':')) return integer(rest);
  if (line.startsWith('$')) return yield* readText(incoming, integer(rest));
  if (line.startsWith('*')) return yield* readList(incoming, integer(rest), depth);
  throw noRedis();
}

function* readText(incoming: Incoming, length: number): Reading<string | null> {
  if (length < 0) return null;
  if (length > MAX_BYTES) throw new ProbeFailure('body', TOO_LARGE);
  return (yield* incoming.take(length)).toString();
}

function* readList(incoming: Incoming, length: number, depth: number): Reading<Reply> {
  if (length < 0) return null;
  if (depth === MAX_DEPTH) throw new ProbeFailure('protocol', 'not valid Redis: lists nested without end');
  const list: Reply[] = [];
  while (list.length < length) list.push(yield* readReply(incoming, depth + 1));
  return list;
}

function integer(text: string): number {
  if (!/^[+-]?\d{1,20}$/.test(text)) throw noRedis();
  return Number(text);
}

function noRedis(): ProbeFailure {
  return new ProbeFailure('protocol', 'what answers does not speak Redis');
}
