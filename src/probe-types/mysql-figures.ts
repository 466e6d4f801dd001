/** What MySQL and MariaDB tell about themselves, to anybody who may log in; replication to those who may see it. */
import type { FieldDeclarations } from '../model.ts';
import type { Answer } from './mysql-session.ts';

export const figureFields: FieldDeclarations = {
  version: { type: 'string', summary: 'Such as 8.4.3, or 10.11.6-MariaDB' },
  connections: { type: 'double', summary: 'Sessions on the whole server, without this one' },
  connections_max: { type: 'double', summary: 'max_connections' },
  connections_percent: { type: 'double', unit: '%', summary: 'connections of connections_max' },
  threads_running: { type: 'double', summary: 'Sessions that run a statement, without this one' },
  slow_queries: { type: 'double', summary: 'Statements over long_query_time since the server started' },
  aborted_connections: { type: 'double', summary: 'Failed attempts to connect since the server started' },
  queries: { type: 'double', summary: 'Statements of clients since the server started' },
  read_only: { type: 'bool', summary: 'Ordinary users may not write' },
  uptime_s: { type: 'double', unit: 's', summary: 'Time since the server was started' },
  role: { type: 'string', summary: 'primary or replica (REPLICATION CLIENT, or SLAVE MONITOR of MariaDB)' },
  replication_running: {
    type: 'bool',
    summary: 'On a replica: all of its channels receive and apply; null on a primary (the same privilege)',
  },
  replication_lag_s: {
    type: 'double',
    unit: 's',
    summary: 'On a replica: how far its slowest channel is behind; null on a primary (the same privilege)',
  },
};

/** The fields that take a query of their own, which wants a privilege. */
export const REPLICATION_FIELDS = ['role', 'replication_running', 'replication_lag_s'] as const;

const STATUS: ReadonlyMap<unknown, string> = new Map([
  ['Threads_connected', 'connections'],
  ['Threads_running', 'threads_running'],
  ['Slow_queries', 'slow_queries'],
  ['Aborted_connects', 'aborted_connections'],
  ['Questions', 'queries'],
  ['Uptime', 'uptime_s'],
]);

export const SETTINGS_QUERY = 'select version(), @@global.max_connections, @@global.read_only';
export const STATUS_QUERY = `show global status where Variable_name in (${[...STATUS.keys()]
  .map((name) => `'${name}'`)
  .join(', ')})`;

export const isMariadb = (version: string) => /mariadb/i.test(version);

/** MySQL had another name for it before 8.0.22, and has that one alone since 8.4. */
export function replicationQuery(version: string): string {
  if (isMariadb(version)) return 'show all slaves status';
  const [major = 0, minor = 0, patch = 0] = version.split(/[^\d]/).map(Number);
  return major * 10_000 + minor * 100 + patch >= 80_022 ? 'show replica status' : 'show slave status';
}

/** @param settings answer to SETTINGS_QUERY. @param status answer to STATUS_QUERY. */
export function toFigures(settings: Answer, status: Answer) {
  const [version, connectionsMax, readOnly] = settings.rows[0] ?? [];
  const counts: Record<string, number> = {};
  for (const [name, value] of status.rows) {
    const field = STATUS.get(name);
    if (field !== undefined) counts[field] = Number(value);
  }
  const connections = withoutUs(counts['connections']);
  return {
    ...counts,
    version: String(version),
    connections,
    connections_max: Number(connectionsMax),
    connections_percent: connections === undefined ? undefined : (100 * connections) / Number(connectionsMax),
    threads_running: withoutUs(counts['threads_running']),
    read_only: Number(readOnly) !== 0,
  };
}

function withoutUs(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.max(0, count - 1);
}

interface Replication {
  readonly role: 'primary' | 'replica';
  readonly replication_running?: boolean;
  readonly replication_lag_s?: number | null;
  /** What stopped it, in the server's words. */
  readonly trouble?: string;
}

/** @param answer a row for each channel; none on a primary. */
export function toReplication({ columns, rows }: Answer): Replication {
  if (rows.length === 0) return { role: 'primary' };
  const channels = rows.map((row) => {
    const value = (...names: readonly string[]) => row[columns.findIndex((column) => names.includes(column))];
    const isOn = (name: string) => value(`Slave_${name}_Running`, `Replica_${name}_Running`) === 'Yes';
    const lag = value('Seconds_Behind_Master', 'Seconds_Behind_Source');
    const error = value('Last_IO_Error') || value('Last_SQL_Error');
    return { isRunning: isOn('IO') && isOn('SQL'), lag: lag === null ? null : Number(lag), error };
  });
  const lags = channels.flatMap(({ lag }) => (lag === null || Number.isNaN(lag) ? [] : [lag]));
  const error = channels.map((channel) => channel.error).find(Boolean);
  return {
    role: 'replica',
    replication_running: channels.every(({ isRunning }) => isRunning),
    replication_lag_s: lags.length === channels.length ? Math.max(...lags) : null,
    ...(typeof error === 'string' && { trouble: error.slice(0, 300) }),
  };
}
