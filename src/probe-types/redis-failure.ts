/** What Redis' error replies mean: by the code that is their first word. */
import type { Reason } from '../model.ts';
import { own } from '../own.ts';
import { ProbeFailure } from './failure.ts';

const REASONS: Readonly<Record<string, Reason>> = {
  NOAUTH: 'auth',
  WRONGPASS: 'auth',
  NOPERM: 'auth',
  DENIED: 'auth', // protected mode
  LOADING: 'unhealthy',
  BUSY: 'unhealthy', // a script runs without end
  MASTERDOWN: 'unhealthy',
  CLUSTERDOWN: 'unhealthy',
  MISCONF: 'unhealthy', // it cannot save, and so does not write
  OOM: 'saturated',
};

/** Errors that have no code of their own and say all in words, as the server's source has them. */
const WORDS: readonly (readonly [start: string, reason: Reason])[] = [
  ['ERR max number of clients', 'saturated'],
  ['ERR DB index is out of range', 'not_found'],
  ['ERR invalid DB index', 'not_found'],
  ['ERR invalid password', 'auth'], // before version 6
  ['ERR AUTH', 'auth'], // a password is given, and none is configured
  ['ERR Client sent AUTH', 'auth'], // the same before version 6
];

/** @param reply without its leading dash. */
export function explainRedis(reply: string): ProbeFailure {
  const code = reply.split(' ', 1)[0] ?? '';
  const worded = WORDS.find(([start]) => reply.startsWith(start))?.[1];
  const reason = own(REASONS, code) ?? worded;
  return new ProbeFailure(reason ?? 'body', reply.slice(0, 500));
}
