/** Bodies of pings: a job may print what it likes, and its ping must not fail for it. */
import type { Readable } from 'node:stream';
import { UsageError } from '../errors.ts';
import { PING_BODY_BYTES } from './operations.ts';

/** More than is kept in the end, so that a secret at the cut is whole when it is looked for. */
const READ_BYTES = 2 * PING_BODY_BYTES;

/** Reads all of it and keeps the tail, in bounded memory. Errors: UsageError when the client breaks off. */
export async function keepTail(payload: Readable): Promise<string> {
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of payload) {
      // Without an encoding set, the chunks of a request are buffers.
      tail = Buffer.concat([tail, chunk as Buffer]);
      if (tail.length > READ_BYTES) tail = tail.subarray(-READ_BYTES);
    }
  } catch (cause) {
    throw new UsageError('body_incomplete', 'the body ended before it was complete', { cause });
  }
  return tail.toString();
}
