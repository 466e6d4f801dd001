/** PostgreSQL's messages, checked before the driver parses them: its parser trusts the server. */
import { tooLarge } from './driver-stream.ts';
import { ExchangeFailure } from './exchange-failure.ts';

/** A type of one byte, and a length that counts itself. */
const HEADER_BYTES = 5;
/** What a server may send in answer to what we ask: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const KNOWN_TYPES = new Set(Buffer.from('RKSvZEN123TDCnstIA'));
const ERROR = 0x45;
const NOTICE = 0x4e;

/** Collects what arrives until messages are complete, and hands over whole ones. `maxBytes`: of one message. */
export function createFrameCutter(maxBytes: number): (chunk: Buffer) => readonly Buffer[] {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let neededBytes = HEADER_BYTES;
  let isFirst = true;
  return (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    // Joined only when a message is complete: a drip of single bytes costs no more than the same bytes at once.
    if (bytes < neededBytes) return [];
    let rest = Buffer.concat(chunks);
    const frames: Buffer[] = [];
    for (;;) {
      neededBytes = frameBytes(rest, isFirst, maxBytes);
      if (rest.length < neededBytes) break;
      isFirst = false;
      frames.push(checked(rest.subarray(0, neededBytes)));
      rest = rest.subarray(neededBytes);
    }
    chunks = [rest];
    bytes = rest.length;
    return frames;
  };
}

/** The length of the message that begins here, or that of a header while it is incomplete. */
function frameBytes(buffer: Buffer, isFirst: boolean, maxBytes: number): number {
  if (buffer.length < HEADER_BYTES) return HEADER_BYTES;
  const bytes = 1 + buffer.readUInt32BE(1);
  if (!KNOWN_TYPES.has(buffer[0] ?? 0) || (isFirst && bytes > maxBytes)) {
    throw new ExchangeFailure('protocol_broken', 'what answers does not speak PostgreSQL');
  }
  if (bytes < HEADER_BYTES) {
    throw new ExchangeFailure('protocol_broken', 'not valid PostgreSQL: a message shorter than its head');
  }
  if (bytes > maxBytes) throw new ExchangeFailure('answer_too_large', tooLarge(maxBytes));
  return bytes;
}

/** An error or a notice whose end is not marked would be read for ever. */
function checked(frame: Buffer): Buffer {
  const isMarked = frame.at(-1) === 0 && (frame.length === HEADER_BYTES + 1 || frame.at(-2) === 0);
  if ((frame[0] === ERROR || frame[0] === NOTICE) && (frame.length === HEADER_BYTES || !isMarked)) {
    throw new ExchangeFailure('protocol_broken', 'not valid PostgreSQL: an error message without an end');
  }
  return frame;
}
