/**
 * Commands and replies over an open connection, one after the other: RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * Not ioredis: it throws from the event loop at a reply that nobody asked for, which would end the daemon.
 */
import type { Socket } from 'node:net';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { explainRedis } from './redis-failure.ts';
import { type Incoming, type Reading, Wire } from './wire.ts';

export type Reply = string | number | null | readonly Reply[];

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
  const wire = new Wire(socket, line, 'Redis');
  const tell = (commands: readonly Command[]) => wire.write(commands.map(encode).join(''));
  const askAll = (commands: readonly Command[]) => {
    tell(commands);
    // What came unasked, such as a refusal at the connection limit, is the answer.
    return wire.read((incoming) => readReplies(incoming, commands.length));
  };
  // Each command has one reply.
  return { askAll, tell, ask: async (command) => (await askAll([command]))[0] as Reply };
}

function* readReplies(incoming: Incoming, count: number): Reading<readonly Reply[]> {
  const replies: Reply[] = [];
  while (replies.length < count) replies.push(yield* readReply(incoming, 0));
  return replies;
}

function encode(command: Command): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join('')}`;
}

function* readReply(incoming: Incoming, depth: number): Reading<Reply> {
  const line = yield* incoming.line();
  const rest = line.slice(1);
  if (line.startsWith('-')) throw explainRedis(rest);
  if (line.startsWith('+')) return rest;
  if (line.startsWith(':')) return integer(rest, incoming);
  if (line.startsWith('$')) return yield* readText(incoming, integer(rest, incoming));
  if (line.startsWith('*')) return yield* readList(incoming, integer(rest, incoming), depth);
  throw incoming.stranger();
}

function* readText(incoming: Incoming, length: number): Reading<string | null> {
  if (length < 0) return null;
  // With its line end.
  return (yield* incoming.take(length + 2)).toString('utf8', 0, length);
}

function* readList(incoming: Incoming, length: number, depth: number): Reading<Reply> {
  if (length < 0) return null;
  if (depth === MAX_DEPTH) throw new ProbeFailure('protocol', 'not valid Redis: lists nested without end');
  const list: Reply[] = [];
  while (list.length < length) list.push(yield* readReply(incoming, depth + 1));
  return list;
}

function integer(text: string, incoming: Incoming): number {
  if (!/^[+-]?\d{1,20}$/.test(text)) throw incoming.stranger();
  return Number(text);
}
