/** The key of a heartbeat is a secret: what is stored and compared is its hash. */
import { createHash } from 'node:crypto';

/** SHA-256 of the key, in hexadecimal. */
export function hashKey(key: string): string {
  return createHash('sha256').update(key, 'utf8').digest('hex');
}
