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

  bytes(count: number): Buffer {
    const start = this.offset;
    if (start + count > this.message.length) throw malformed('it ends too early');
    this.offset += count;
    return this.message.subarray(start, this.offset);
  }

  byte(): number {
    return this.bytes(1).readUInt8();
  }

  short(): number {
    return this.bytes(2).readUInt16BE();
  }

  long(): number {
    return this.bytes(4).readUInt32BE();
  }

  isAtEnd(): boolean {
    return this.offset === this.message.length;
  }

  /** All that is left. */
  rest(): Buffer {
    return this.bytes(this.message.length - this.offset);
  }
}
