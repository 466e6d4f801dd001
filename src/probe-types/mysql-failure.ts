/** What MySQL's and MariaDB's errors mean: by their number, never by their text. */
import type { Reason } from '../model.ts';
import { shortened } from '../words.ts';
import { ProbeFailure } from './failure.ts';

/** https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const NUMBERS: readonly (readonly [reason: Reason, numbers: readonly number[]])[] = [
  // Who may come in, from where, with which method; and what they may touch.
  ['auth', [1044, 1045, 1130, 1251, 1275, 1396, 1524, 1698, 1820, 1862, 3118, 3159, 3955, 4151]],
  ['auth', [1142, 1143, 1227, 1345, 1370]],
  ['not_found', [1049, 1109, 1146, 1305]],
  // Connections, memory, disk, threads, quotas.
  ['saturated', [1021, 1037, 1040, 1041, 1114, 1135, 1203, 1226]],
  ['timeout', [1205, 1317, 1907, 1969, 3024]],
  // It goes down, blocks hosts, has lost its cluster, is damaged, or gave a transaction up.
  ['unhealthy', [1028, 1030, 1034, 1047, 1053, 1129, 1194, 1195, 1213, 1927]],
];

const REASONS: ReadonlyMap<number, Reason> = new Map(
  NUMBERS.flatMap(([reason, numbers]) => numbers.map((number) => [number, reason] as const)),
);

/** Access denied; you need at least one of some privileges. */
export const PRIVILEGE_MISSING = 1227;
export const UNKNOWN_VARIABLE = 1193;

/** The server itself said no. */
export class MysqlRefusal extends ProbeFailure {
  readonly number: number;

  constructor(number: number, message: string, options?: { cause?: unknown }) {
    super(REASONS.get(number) ?? 'body', `${shortened(message, 500)} (${number})`, options);
    this.number = number;
  }
}

/** The driver's own errors that say something about who may log in. */
const LOGIN_CODES: ReadonlySet<string> = new Set(['AUTH_SWITCH_PLUGIN_ERROR', 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED']);

/** The failure behind an error that the server sent; any other error as it is. */
export function explainMysql(
  error: Error & { readonly code?: string | undefined; readonly errno?: number | undefined },
): Error {
  // Only the server's own errors have a state beside their number; errors of the system have a negative one.
  if (error.errno !== undefined && error.errno > 0 && 'sqlState' in error) {
    return new MysqlRefusal(error.errno, error.message, { cause: error });
  }
  if (LOGIN_CODES.has(error.code ?? '')) return new ProbeFailure('auth', error.message, { cause: error });
  return error;
}
