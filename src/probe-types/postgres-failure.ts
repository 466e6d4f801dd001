/** What PostgreSQL's errors mean: by their SQLSTATE, never by their text. */
import { codeOf } from '../errors.ts';
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';

/** The first prefix that fits: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REASONS: readonly (readonly [prefix: string, reason: Reason])[] = [
  ['28', 'auth'],
  ['42501', 'auth'], // insufficient privilege
  ['3D', 'not_found'], // no such database
  ['3F', 'not_found'], // no such schema
  ['42P01', 'not_found'], // no such table
  ['53', 'saturated'], // connections, memory, disk
  ['57014', 'timeout'], // the statement was cancelled
  ['55P03', 'timeout'], // a lock was not to be had
  ['08', 'protocol'],
  ['57', 'unhealthy'], // starting up, shutting down, crashed
  ['58', 'unhealthy'], // system error
  ['XX', 'unhealthy'], // internal error, damaged data
  ['40', 'unhealthy'], // such as a conflict with recovery on a replica
];

/** The failure behind an error that the server sent; any other error as it is. */
export function explainPostgres(error: Error): Error {
  const code = codeOf(error) ?? '';
  // Only the server's own errors have a severity beside their five characters.
  if (!/^[0-9A-Z]{5}$/.test(code) || !('severity' in error)) return error;
  const [, reason] = REASONS.find(([prefix]) => code.startsWith(prefix)) ?? ['', 'body' as const];
  return new ProbeFailure(reason, `${error.message} (${code})`, { cause: error });
}
