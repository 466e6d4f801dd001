/** What Redis tells about itself: the answer to INFO, https://redis.io/docs/latest/commands/info/ */
import type { FieldDeclarations } from '../model.ts';

export const infoFields: FieldDeclarations = {
  role: { type: 'string', summary: 'primary or replica' },
  memory_bytes: { type: 'double', unit: 'B', summary: 'Memory in use' },
  memory_max_bytes: { type: 'double', unit: 'B', summary: 'maxmemory; null when there is no limit' },
  memory_percent: { type: 'double', unit: '%', summary: 'memory_bytes of memory_max_bytes; null without a limit' },
  clients: { type: 'double', summary: 'Connections of clients, without this one' },
  clients_max: { type: 'double', summary: 'maxclients' },
  clients_percent: { type: 'double', unit: '%', summary: 'clients of clients_max' },
  blocked_clients: { type: 'double', summary: 'Clients that wait in a blocking command, such as BRPOP of a worker' },
  rejected_connections: { type: 'double', summary: 'Connections refused at maxclients since the server started' },
  evictions: { type: 'double', summary: 'Keys evicted at maxmemory since the server started' },
  hit_ratio: { type: 'double', summary: 'Share of look-ups that found their key, 0 to 1; null before the first one' },
  operations_per_s: { type: 'double', unit: '1/s', summary: 'Commands a second, lately' },
  keys: { type: 'double', summary: 'Keys in the database of the URL' },
  persistence_ok: { type: 'bool', summary: 'The last snapshot and the last write of the append-only file succeeded' },
  connected_replicas: { type: 'double', summary: 'Replicas that are online here' },
  replication_lag_s: {
    type: 'double',
    unit: 's',
    summary:
      'Since the last word of the primary (of a replica that never heard one: since its start), or of the most silent ' +
      'replica; null when there is neither',
  },
  uptime_s: { type: 'double', unit: 's', summary: 'Time since the server was started' },
  version: { type: 'string', summary: 'Such as 7.0.15' },
};

/** INFO's words; a sentinel has no role. */
const ROLES: ReadonlyMap<string, string> = new Map([
  ['master', 'primary'],
  ['slave', 'replica'],
]);

/** What is read of about two hundred lines: to take them all would cost more than the rest of a run. */
const KEYS = [
  ...(['redis_version', 'uptime_in_seconds', 'role', 'loading', 'loading_loaded_perc'] as const),
  ...(['connected_clients', 'maxclients', 'blocked_clients', 'rejected_connections'] as const),
  ...(['used_memory', 'maxmemory', 'evicted_keys', 'rdb_last_bgsave_status', 'aof_last_write_status'] as const),
  ...(['keyspace_hits', 'keyspace_misses', 'instantaneous_ops_per_sec', 'connected_slaves'] as const),
  ...(['master_link_status', 'master_last_io_seconds_ago', 'master_link_down_since_seconds'] as const),
] as const;
const LINES = new RegExp(String.raw`^(${KEYS.join('|')}|slave\d+|db\d+):([^\r\n]*)`, 'gm');

type Info = ReadonlyMap<(typeof KEYS)[number] | `slave${number}` | `db${number}`, string>;

/** undefined: it is not an answer to INFO. */
export function parseInfo(text: string): Info | undefined {
  const info = new Map<string, string>();
  LINES.lastIndex = 0;
  for (let line = LINES.exec(text); line !== null; line = LINES.exec(text))
    info.set(line[1] as string, line[2] as string);
  return info.has('redis_version') ? (info as Info) : undefined;
}

/** @param database its number. */
export function toFigures(info: Info, database: number) {
  const number = (key: (typeof KEYS)[number]) => numberOf(info.get(key));
  const limit = number('maxmemory') || undefined;
  const connected = number('connected_clients');
  const clients = connected === undefined ? undefined : connected - 1;
  const [hits, misses] = [number('keyspace_hits'), number('keyspace_misses')];
  return {
    role: ROLES.get(info.get('role') ?? ''),
    memory_bytes: number('used_memory'),
    memory_max_bytes: limit,
    memory_percent: share(number('used_memory'), limit),
    clients,
    clients_max: number('maxclients'),
    clients_percent: share(clients, number('maxclients')),
    blocked_clients: number('blocked_clients'),
    rejected_connections: number('rejected_connections'),
    evictions: number('evicted_keys'),
    hit_ratio: hits === undefined || misses === undefined || hits + misses === 0 ? undefined : hits / (hits + misses),
    operations_per_s: number('instantaneous_ops_per_sec'),
    keys: numberOf(/^keys=(\d+)/.exec(info.get(`db${database}`) ?? 'keys=0')?.[1]),
    persistence_ok: info.get('rdb_last_bgsave_status') !== 'err' && info.get('aof_last_write_status') !== 'err',
    connected_replicas: replicasOf(info).length,
    replication_lag_s: lagOf(info),
    uptime_s: number('uptime_in_seconds'),
    version: info.get('redis_version'),
  };
}

/** While a primary is away a replica counts since when; afterwards since its last word. */
function lagOf(info: Info): number | undefined {
  if (info.get('role') !== 'slave')
    return greatest(replicasOf(info).map((replica) => numberOf(/lag=(\d+)/.exec(replica)?.[1])));
  const key = info.get('master_link_status') === 'up' ? 'master_last_io_seconds_ago' : 'master_link_down_since_seconds';
  const lag = numberOf(info.get(key));
  // -1: it has never reached its primary since it was started.
  return lag !== undefined && lag < 0 ? numberOf(info.get('uptime_in_seconds')) : lag;
}

/** Such as `ip=127.0.0.1,port=6380,state=online,offset=42,lag=1`. */
function replicasOf(info: Info): readonly string[] {
  if (info.get('connected_slaves') === '0') return [];
  return [...info]
    .filter(([key, value]) => key.startsWith('slave') && value.includes('state=online'))
    .map(([, value]) => value);
}

function greatest(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function share(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || !whole ? undefined : (100 * part) / whole;
}

function numberOf(text: string | undefined): number | undefined {
  const number = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
}
