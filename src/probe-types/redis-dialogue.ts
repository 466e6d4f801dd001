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

/** Sends a command and resolves with its reply; an error reply rejects with what it means. One at a time. */
export type Ask = (command: readonly string[]) => Promise<Reply>;

export function converse(socket: Socket, line: Lifeline): Ask {
  const wire = new Wire(socket, line, 'Redis');
  return (command) => {
    wire.write(encode(command));
    // What came unasked, such as a refusal at the connection limit, is the answer.
    return wire.read((incoming) => readReply(incoming, 0));
  };
}

function encode(command: readonly string[]): string {
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
