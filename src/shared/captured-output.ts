/**
 * What a child printed, in bounded memory: the head and the tail are kept, what lies between is only counted.
 */
import { StringDecoder } from 'node:string_decoder';

/** Kept of each stream's beginning and end, unless the caller says otherwise. */
const HEAD_BYTES = 64 * 1024;
const TAIL_BYTES = 64 * 1024;

export interface CapturedOutput {
  /**
   * Head and tail as UTF-8, joined by `… N bytes omitted …` when something lies between. The tail begins with a line, where
   * there is one: half a secret could not be told from words.
   */
  readonly text: string;
  readonly totalBytes: number;
  readonly omittedBytes: number;
}

export interface OutputCapture {
  /** Copies what is kept: the chunk stays the caller's. */
  add(chunk: Buffer): void;
  result(): CapturedOutput;
}

/** Memory: `headBytes` + `tailBytes`, and only as much of it as was printed. */
export function createCapture(headBytes = HEAD_BYTES, tailBytes = TAIL_BYTES): OutputCapture {
  const head: Buffer[] = [];
  let headLength = 0;
  const tail = createRing(tailBytes);
  let totalBytes = 0;

  function add(chunk: Buffer): void {
    totalBytes += chunk.length;
    const free = headBytes - headLength;
    if (free > 0) {
      const piece = Buffer.from(chunk.subarray(0, free));
      head.push(piece);
      headLength += piece.length;
    }
    if (chunk.length > free) tail.add(chunk.subarray(Math.max(0, free)));
  }

  function result(): CapturedOutput {
    const all = tail.read();
    if (totalBytes === headLength + all.length) {
      return { text: Buffer.concat([...head, all]).toString('utf8'), totalBytes, omittedBytes: 0 };
    }
    const kept = all.subarray(all.indexOf('\n') + 1);
    const omittedBytes = totalBytes - headLength - kept.length;
    const gap = `\n… ${omittedBytes} bytes omitted …\n`;
    return { text: decodeHead(Buffer.concat(head)) + gap + decodeTail(kept), totalBytes, omittedBytes };
  }

  return { add, result };
}

/** The last `size` bytes of everything added. Invariant: `length` bytes before `end` (wrapping) are live. */
function createRing(size: number) {
  let ring: Buffer | undefined;
  let end = 0;
  let length = 0;

  function add(bytes: Buffer): void {
    if (size === 0) return;
    ring ??= Buffer.alloc(size);
    const last = bytes.subarray(Math.max(0, bytes.length - size));
    const untilWrap = Math.min(last.length, size - end);
    last.copy(ring, end, 0, untilWrap);
    last.copy(ring, 0, untilWrap);
    end = (end + last.length) % size;
    length = Math.min(size, length + last.length);
  }

  function read(): Buffer {
    if (ring === undefined) return Buffer.alloc(0);
    return length < size
      ? Buffer.from(ring.subarray(0, length))
      : Buffer.concat([ring.subarray(end), ring.subarray(0, end)]);
  }

  return { add, read };
}

/** Drops a character that the cut has split. */
function decodeHead(bytes: Buffer): string {
  return new StringDecoder('utf8').write(bytes);
}

function decodeTail(bytes: Buffer): string {
  let start = 0;
  while (start < 3 && isContinuation(bytes[start])) start += 1;
  return bytes.toString('utf8', start);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
