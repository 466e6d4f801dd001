/** Reading numbers and bytes of a message that somebody else has made. */
import { ProbeFailure } from './failure.ts';

export function malformed(what: string, options?: { cause?: unknown }): ProbeFailure {
  return new ProbeFailure('protocol', `the answer is malformed: ${what}`, options);
}

/**
 * A place in a message; numbers are big-endian. Every read is checked against the end of the message, and throws a
 * ProbeFailure (`protocol`) behind it.
 */
export class ByteCursor {
  readonly message: Buffer;
  offset: number;

  constructor(message: Buffer, offset = 0) {
    this.message = message;
    this.offset = offset;
  }

  /** Passes so many bytes; where they begin. */
  #pass(count: number): number {
    const start = this.offset;
    if (start + count > this.message.length) throw malformed('it ends too early');
    this.offset += count;
    return start;
  }

  bytes(count: number): Buffer {
    const start = this.#pass(count);
    return this.message.subarray(start, this.offset);
  }

  /** UTF-8. */
  text(count: number): string {
    const start = this.#pass(count);
    return this.message.toString('utf8', start, this.offset);
  }

  byte(): number {
    return this.message.readUInt8(this.#pass(1));
  }

  short(): number {
    return this.message.readUInt16BE(this.#pass(2));
  }

  long(): number {
    return this.message.readUInt32BE(this.#pass(4));
  }

  isAtEnd(): boolean {
    return this.offset === this.message.length;
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.message.length - this.offset);
  }
}
