/** MQTT control packets, as far as a probe needs them: 3.1.1 (OASIS mqtt-v3.1.1-os) and 5.0 (OASIS mqtt-v5.0-os). */
import { ByteCursor } from './byte-cursor.ts';
import type { Incoming, Reading } from './wire.ts';

/** The protocol level in CONNECT. From 5 on packets have properties, of which we send and read none. */
export type Level = 4 | 5;

export const PACKET = {
  connect: 1,
  connack: 2,
  publish: 3,
  subscribe: 8,
  suback: 9,
  disconnect: 14,
} as const;

export interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
}

const CLEAN_SESSION = 0x02;
const HAS_PASSWORD = 0x40;
const HAS_USER = 0x80;

export interface Login {
  readonly clientId: string;
  readonly user: string;
  readonly password: string;
  /** Should we vanish without a word, the broker forgets us after half as long again. */
  readonly keepAliveS: number;
}

export function connectPacket(level: Level, { clientId, user, password, keepAliveS }: Login): Buffer {
  const flags = CLEAN_SESSION | (user === '' ? 0 : HAS_USER) | (password === '' ? 0 : HAS_PASSWORD);
  const head = [text('MQTT'), Buffer.from([level, flags]), short(keepAliveS), noProperties(level)];
  const fields = [...head, text(clientId)];
  if (user !== '') fields.push(text(user));
  if (password !== '') fields.push(text(password));
  return packet(PACKET.connect, 0, fields);
}

/** Everything at most once (QoS 0): a probe looks, and needs no second delivery. */
export function subscribePacket(level: Level, topics: readonly string[]): Buffer {
  const wanted = topics.map((topic) => Buffer.concat([text(topic), Buffer.from([0])]));
  return packet(PACKET.subscribe, 2, [short(1), noProperties(level), ...wanted]);
}

export function publishPacket(level: Level, topic: string, payload: string): Buffer {
  return packet(PACKET.publish, 0, [text(topic), noProperties(level), Buffer.from(payload)]);
}

export function disconnectPacket(): Buffer {
  return packet(PACKET.disconnect, 0, []);
}

function packet(type: number, flags: number, fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
  return Buffer.concat([Buffer.from([(type << 4) | flags]), variable(body.length), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([short(bytes.length), bytes]);
}

function short(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function noProperties(level: Level): Buffer {
  return Buffer.alloc(level === 5 ? 1 : 0);
}

/** Seven bits a byte, the least first; the eighth says that more follow. */
function variable(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; bytes.length === 0 || rest > 0; rest >>= 7)
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.from(bytes);
}

/** @param types those that the other side may send now: with any other it does not speak MQTT. */
export function* readPacket(incoming: Incoming, types: readonly number[]): Reading<Packet> {
  const first = (yield* incoming.take(1)).readUInt8();
  const type = first >> 4;
  if (!types.includes(type)) throw incoming.stranger();
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    if (shift > 21) throw incoming.stranger();
    const byte = (yield* incoming.take(1)).readUInt8();
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { type, flags: first & 0x0f, body: yield* incoming.take(length) };
}

/** The code of a CONNACK, and that of a DISCONNECT (5.0). */
export function codeOfPacket({ type, body }: Packet): number {
  const cursor = new ByteCursor(body);
  if (type === PACKET.connack) cursor.byte();
  return cursor.isAtEnd() ? 0 : cursor.byte();
}

/** The codes of a SUBACK, in the order of the topics. */
export function grantsOf({ body }: Packet, level: Level): readonly number[] {
  const cursor = new ByteCursor(body);
  cursor.short();
  skipProperties(cursor, level);
  return [...cursor.rest()];
}

export function publicationOf(
  { flags, body }: Packet,
  level: Level,
): { readonly topic: string; readonly payload: Buffer } {
  const cursor = new ByteCursor(body);
  const topic = cursor.text(cursor.short());
  if ((flags & 0x06) !== 0) cursor.short();
  skipProperties(cursor, level);
  return { topic, payload: cursor.rest() };
}

function skipProperties(cursor: ByteCursor, level: Level): void {
  if (level < 5) return;
  let length = 0;
  for (let shift = 0; shift <= 21; shift += 7) {
    const byte = cursor.byte();
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  cursor.bytes(length);
}
