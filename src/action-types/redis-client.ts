/**
 * A session with a Redis server for an action: commands and replies in RESP2, one after the other, everything read bounded, gone at
 * the deadline. https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { unescape as decodePercents } from 'node:querystring';
import { connect as connectTls } from 'node:tls';
import { z } from 'zod';
import { AppError } from '../errors.ts';

export type Reply = string | number | null | readonly Reply[];
export type Ask = (command: readonly string[]) => Promise<Reply>;

export interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: number;
  readonly isTls: boolean;
  /** `host:port/database`, as in a URL. */
  readonly authority: string;
}

/** The server did not do what was asked of it, in words for people. Never leaves an action. */
export class RedisFailure extends AppError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('redis_session', message, options);
  }
}

const WRITE = 'write redis://USER:PASSWORD@HOST:PORT/DATABASE';

export function redisUrl() {
  return z
    .string()
    .refine((text) => isUrl(text), `is not a URL of one server; ${WRITE}`)
    .meta({ writeOnly: true, description: 'redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS' });
}

function isUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRedis = url?.protocol === 'redis:' || url?.protocol === 'rediss:';
  return isRedis && url.hostname !== '' && /^\/?\d{0,5}$/.test(url.pathname);
}

/** Of a URL that `redisUrl()` took. */
export function redisServerOf(text: string): RedisServer {
  const url = new URL(text);
  const port = url.port === '' ? 6_379 : Number(url.port);
  const database = Number(url.pathname.slice(1));
  return {
    ...{ host: url.hostname.replace(/^\[|\]$/g, ''), port, database, isTls: url.protocol === 'rediss:' },
    ...{ user: decodePercents(url.username), password: decodePercents(url.password) },
    authority: `${url.hostname}:${port}/${database}`,
  };
}

/** Of all replies of one session. */
const MAX_BYTES = 8 * 2 ** 20;
const MAX_DEPTH = 16;
/** Of one reply, however nested: what has not come whole is read again with each piece. */
const MAX_ITEMS = 20_000;

/** Errors: RedisFailure for whatever the server or the way to it does. */
export async function withRedis<T>(
  server: RedisServer,
  signal: AbortSignal,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const socket = server.isTls
    ? connectTls({ host: server.host, port: server.port, ...(isIP(server.host) === 0 && { servername: server.host }) })
    : connectTcp({ host: server.host, port: server.port });
  const abort = () => socket.destroy(new RedisFailure('the deadline passed'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    if (signal.aborted) throw new RedisFailure('the deadline passed');
    const ask = converse(socket, server);
    if (server.password !== '') {
      await ask(server.user === '' ? ['AUTH', server.password] : ['AUTH', server.user, server.password]);
    }
    if (server.database !== 0) await ask(['SELECT', String(server.database)]);
    return await work(ask);
  } finally {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

function converse(socket: Socket, { authority }: RedisServer): Ask {
  let unread = Buffer.alloc(0);
  let bytes = 0;
  let waiting: Waiting | undefined;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    waiting?.reject(failure);
    waiting = undefined;
    socket.destroy();
  };
  socket.on('error', (cause) => {
    if (cause instanceof RedisFailure) fail(cause);
    else fail(new RedisFailure(`Redis at ${authority} did not answer: ${cause.message}`, { cause }));
  });
  socket.on('close', () => fail(new RedisFailure(`Redis at ${authority} closed the connection`)));
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) return fail(new RedisFailure(`the answers are larger than ${MAX_BYTES / 2 ** 20} MiB`));
    unread = Buffer.concat([unread, chunk]);
    try {
      const read = readReply(unread, 0, 0, { items: MAX_ITEMS });
      if (read === undefined) return;
      unread = unread.subarray(read.end);
      if (read.value instanceof RedisFailure) waiting?.reject(read.value);
      else waiting?.resolve(read.value);
      waiting = undefined;
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      fail(error);
    }
  });
  return (command) =>
    new Promise((resolve, reject) => {
      if (failure) return reject(failure);
      waiting = { resolve, reject };
      const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
      socket.write(`*${command.length}\r\n${parts.join('')}`);
    });
}

interface Read {
  readonly value: Reply | RedisFailure;
  /** Where the next reply begins. */
  readonly end: number;
}

/** How many items a reply may still have. */
interface Budget {
  items: number;
}

/** undefined: it has not come whole yet. */
function readReply(buffer: Buffer, start: number, depth: number, budget: Budget): Read | undefined {
  const lineEnd = buffer.indexOf('\r\n', start);
  if (lineEnd === -1) return undefined;
  const text = buffer.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(buffer[start] ?? 0)) {
    case '+':
      return { value: text, end };
    case '-':
      return { value: new RedisFailure(`Redis refused: ${text.slice(0, 300)}`), end };
    case ':':
      return { value: integer(text), end };
    case '$':
      return readText(buffer, end, integer(text));
    case '*':
      return readList(buffer, end, integer(text), depth, budget);
    default:
      throw noRedis();
  }
}

function readText(buffer: Buffer, start: number, length: number): Read | undefined {
  if (length < 0) return { value: null, end: start };
  if (length > MAX_BYTES) throw noRedis();
  const end = start + length;
  return buffer.length < end + 2 ? undefined : { value: buffer.toString('utf8', start, end), end: end + 2 };
}

function readList(buffer: Buffer, start: number, length: number, depth: number, budget: Budget): Read | undefined {
  if (length < 0) return { value: null, end: start };
  budget.items -= length;
  if (depth === MAX_DEPTH || budget.items < 0) throw new RedisFailure('the answer has too many items');
  const items: Reply[] = [];
  let end = start;
  while (items.length < length) {
    const item = readReply(buffer, end, depth + 1, budget);
    if (item === undefined) return undefined;
    if (item.value instanceof RedisFailure) throw item.value;
    items.push(item.value);
    end = item.end;
  }
  return { value: items, end };
}

function integer(text: string): number {
  if (!/^[+-]?\d{1,18}$/.test(text)) throw noRedis();
  return Number(text);
}

function noRedis(): RedisFailure {
  return new RedisFailure('what answers does not speak Redis');
}
