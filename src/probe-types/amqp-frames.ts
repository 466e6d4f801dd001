/** Frames and methods of AMQP 0-9-1, as far as a probe needs them: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf */
import { ByteCursor } from './byte-cursor.ts';
import { ProbeFailure } from './failure.ts';
import type { Incoming, Reading } from './wire.ts';

export const PROTOCOL_HEADER = Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** What we offer to take, and so what comes at most in one frame. */
export const MAX_FRAME_BYTES = 128 * 2 ** 10;

const FRAME_METHOD = 1;
const FRAME_HEARTBEAT = 8;
const FRAME_END = 0xce;
/** Type, channel, size of the payload. */
const FRAME_HEAD_BYTES = 7;

/** Class and method, as they stand in a frame. */
export const METHOD = {
  connectionStart: 0x000a_000a,
  connectionStartOk: 0x000a_000b,
  connectionTune: 0x000a_001e,
  connectionTuneOk: 0x000a_001f,
  connectionOpen: 0x000a_0028,
  connectionOpenOk: 0x000a_0029,
  connectionClose: 0x000a_0032,
  connectionCloseOk: 0x000a_0033,
  channelOpen: 0x0014_000a,
  channelOpenOk: 0x0014_000b,
  channelClose: 0x0014_0028,
  channelCloseOk: 0x0014_0029,
  queueDeclare: 0x0032_000a,
  queueDeclareOk: 0x0032_000b,
} as const;

export interface Method {
  readonly id: number;
  readonly content: ByteCursor;
}

export function methodFrame(channel: number, id: number, ...content: readonly Buffer[]): Buffer {
  const size = content.reduce((sum, part) => sum + part.length, 4);
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + size + 1);
  frame.writeUInt8(FRAME_METHOD);
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(size, 3);
  frame.writeUInt32BE(id, FRAME_HEAD_BYTES);
  let at = FRAME_HEAD_BYTES + 4;
  for (const part of content) at += part.copy(frame, at);
  frame.writeUInt8(FRAME_END, at);
  return frame;
}

export function byte(value: number): Buffer {
  return Buffer.from([value]);
}

export function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function shortText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([byte(bytes.length), bytes]);
}

export function longText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([long(bytes.length), bytes]);
}

/** A table from name to value; tables may stand in tables. */
export interface Table {
  readonly [name: string]: string | true | Table;
}

export function table(entries: Table): Buffer {
  const encoded = Object.entries(entries).map(([name, value]) => Buffer.concat([shortText(name), tableValue(value)]));
  const all = Buffer.concat(encoded);
  return Buffer.concat([long(all.length), all]);
}

function tableValue(value: Table[string]): Buffer {
  if (value === true) return Buffer.from('t\x01', 'latin1');
  if (typeof value === 'string') return Buffer.concat([Buffer.from('S'), longText(value)]);
  return Buffer.concat([Buffer.from('F'), table(value)]);
}

/** The next method on any channel. */
export function* readMethod(incoming: Incoming): Reading<Method> {
  for (;;) {
    const head = new ByteCursor(yield* incoming.take(FRAME_HEAD_BYTES));
    const type = head.byte();
    // The first byte of a protocol header, with which a server answers one that it does not like.
    if (type === PROTOCOL_HEADER[0]) throw new ProbeFailure('protocol', 'it does not speak AMQP 0-9-1');
    if (type !== FRAME_METHOD && type !== FRAME_HEARTBEAT) throw incoming.stranger();
    head.short(); // channel
    const size = head.long();
    if (size > MAX_FRAME_BYTES) throw incoming.stranger();
    // With the byte that ends it.
    const payload = yield* incoming.take(size + 1);
    if (payload[size] !== FRAME_END) throw incoming.stranger();
    if (type === FRAME_HEARTBEAT) continue;
    const content = new ByteCursor(payload.subarray(0, size));
    return { id: content.long(), content };
  }
}

export function readShortText(cursor: ByteCursor): string {
  return cursor.text(cursor.byte());
}

export function readLongText(cursor: ByteCursor): string {
  return cursor.text(cursor.long());
}

/** Bytes of values that are no texts, tables or lists, by their type. */
const FIXED_SIZES: Readonly<Record<string, number>> = {
  ...{ t: 1, b: 1, B: 1, s: 2, u: 2, U: 2, I: 4, i: 4, l: 8, L: 8, f: 4, d: 8, D: 5, T: 8, V: 0 },
};

/** The texts of a table, without those of tables in it. What stands behind a value of an unknown type is left out. */
export function readTexts(cursor: ByteCursor): ReadonlyMap<string, string> {
  const entries = new ByteCursor(cursor.bytes(cursor.long()));
  const texts = new Map<string, string>();
  while (!entries.isAtEnd()) {
    const name = readShortText(entries);
    const type = String.fromCharCode(entries.byte());
    if (type === 'S') texts.set(name, readLongText(entries));
    else if ('FAx'.includes(type)) entries.bytes(entries.long());
    else if (Object.hasOwn(FIXED_SIZES, type)) entries.bytes(FIXED_SIZES[type] ?? 0);
    else break;
  }
  return texts;
}
