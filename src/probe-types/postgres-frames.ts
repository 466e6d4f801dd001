/** PostgreSQL's messages, checked before the driver parses them: its parser trusts the server. */
import { TOO_LARGE } from './driver-stream.ts';
import { ProbeFailure } from './failure.ts';

/** A type of one byte, and a length that counts itself. */
const HEADER_BYTES = 5;
const MAX_MESSAGE_BYTES = 2 ** 20;
/** What a server may send in answer to what a probe asks: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const KNOWN_TYPES = new Set(Buffer.from('RKSvZEN123TDCnstIA'));
const ERROR = 0x45;
const NOTICE = 0x4e;

/** Collects what arrives until messages are complete, and hands over whole ones. */
export function createFrameCutter(): (chunk: Buffer) => readonly Buffer[] {
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
      neededBytes = frameBytes(rest, isFirst);
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
function frameBytes(buffer: Buffer, isFirst: boolean): number {
  if (buffer.length < HEADER_BYTES) return HEADER_BYTES;
  const bytes = 1 + buffer.readUInt32BE(1);
  if (!KNOWN_TYPES.has(buffer[0] ?? 0) || (isFirst && bytes > MAX_MESSAGE_BYTES)) {
    throw new ProbeFailure('protocol', 'what answers does not speak PostgreSQL');
  }
  if (bytes < HEADER_BYTES) throw new ProbeFailure('protocol', 'not valid PostgreSQL: a message shorter than its head');
  if (bytes > MAX_MESSAGE_BYTES) throw new ProbeFailure('body', TOO_LARGE);
  return bytes;
}

/** An error or a notice whose end is not marked would be read for ever. */
function checked(frame: Buffer): Buffer {
  const isMarked = frame.at(-1) === 0 && (frame.length === HEADER_BYTES + 1 || frame.at(-2) === 0);
  if ((frame[0] === ERROR || frame[0] === NOTICE) && (frame.length === HEADER_BYTES || !isMarked)) {
    throw new ProbeFailure('protocol', 'not valid PostgreSQL: an error message without an end');
  }
  return frame;
}
