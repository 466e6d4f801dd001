/**
 * gRPC's health checking protocol, as bytes: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 *
 * Two messages of one field each do not ask for a library of Protocol Buffers.
 */
import { ProbeFailure } from './failure.ts';

/** In front of every message: whether it is compressed, and its length. */
const HEAD_BYTES = 5;
const MAX_VARINT_BYTES = 10;
const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH_DELIMITED = 2;
const FOUR_BYTES = 5;

/** `ServingStatus` by its number. */
export const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** `HealthCheckRequest { string service = 1; }` */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `HealthCheckResponse { ServingStatus status = 1; }`: its name, or its number where it is unknown. Throws a ProbeFailure. */
export function decodeAnswer(body: Buffer): string {
  if (body.length < HEAD_BYTES) throw malformed('it ends too early');
  if (body[0] !== 0) throw malformed('it is compressed, unasked');
  if (body.readUInt32BE(1) !== body.length - HEAD_BYTES) throw malformed('it is not one whole message');
  const status = servingStatus(body.subarray(HEAD_BYTES));
  return SERVING_STATUSES[status] ?? String(status);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}

function servingStatus(message: Buffer): number {
  const cursor = new Cursor(message);
  let status = 0;
  while (!cursor.isAtEnd()) {
    const key = cursor.varint();
    if (key === 8 * 1 + VARINT) status = cursor.varint();
    else skip(cursor, key % 8);
  }
  return status;
}

/** A field that we do not know. */
function skip(cursor: Cursor, wireType: number): void {
  if (wireType === VARINT) cursor.varint();
  else if (wireType === EIGHT_BYTES) cursor.skip(8);
  else if (wireType === LENGTH_DELIMITED) cursor.skip(cursor.varint());
  else if (wireType === FOUR_BYTES) cursor.skip(4);
  else throw malformed(`a field of the unknown wire type ${wireType}`);
}

/** A place in a message. Every read is checked against its end. */
class Cursor {
  readonly #message: Buffer;
  #offset = 0;

  constructor(message: Buffer) {
    this.#message = message;
  }

  isAtEnd(): boolean {
    return this.#offset === this.#message.length;
  }

  skip(count: number): void {
    this.#offset += count;
    if (this.#offset > this.#message.length) throw malformed('it ends too early');
  }

  varint(): number {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
      this.skip(1);
      const byte = this.#message[this.#offset - 1] ?? 0;
      value += (byte % 0x80) * 0x80 ** index;
      if (byte < 0x80) return value;
    }
    throw malformed('a number without an end');
  }
}

function malformed(what: string): ProbeFailure {
  return new ProbeFailure('protocol', `the answer is malformed: ${what}`);
}
