/** Who asks, for the audit log. Nothing is allowed by it: whoever may change things may say any name. */
import type { IncomingHttpHeaders } from 'node:http';

const LONGEST = 100;

/** The header X-Brainstem-User, without control characters; undefined when it is absent or empty. */
export function actorOf(headers: IncomingHttpHeaders): string | undefined {
  const name = String(headers['x-brainstem-user'] ?? '')
    .replace(/\p{Cc}/gu, '')
    .trim()
    .slice(0, LONGEST);
  return name === '' ? undefined : name;
}
