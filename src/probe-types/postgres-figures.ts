/** What PostgreSQL tells about itself: one statement a run, on version 13 or later. */
import type { FieldDeclarations } from '../model.ts';

/** The fields below that a role sees only with pg_monitor (or pg_read_all_stats); without it they are null. */
export const PRIVILEGED_FIELDS = [
  'active',
  'blocked',
  'longest_query_s',
  'longest_transaction_s',
  'idle_in_transaction',
  'longest_idle_in_transaction_s',
] as const;

export const figureFields: FieldDeclarations = {
  connections: { type: 'double', summary: 'Client sessions on the whole server, without this one' },
  connections_max: {
    type: 'double',
    summary: 'Sessions that ordinary roles may have: max_connections less the reserved ones',
  },
  connections_percent: { type: 'double', unit: '%', summary: 'connections of connections_max' },
  active: { type: 'double', summary: 'Sessions that run a statement (pg_monitor)' },
  blocked: { type: 'double', summary: 'Sessions that wait for a lock (pg_monitor)' },
  longest_query_s: { type: 'double', unit: 's', summary: 'Age of the oldest running statement (pg_monitor)' },
  longest_transaction_s: { type: 'double', unit: 's', summary: 'Age of the oldest open transaction (pg_monitor)' },
  idle_in_transaction: { type: 'double', summary: 'Sessions idle in an open transaction (pg_monitor)' },
  longest_idle_in_transaction_s: { type: 'double', unit: 's', summary: 'How long the first of them is (pg_monitor)' },
  role: { type: 'string', summary: 'primary or replica' },
  connected_replicas: { type: 'double', summary: 'Replicas that stream from here (pg_monitor)' },
  replication_lag_s: {
    type: 'double',
    unit: 's',
    summary: 'On a replica its own lag; on a primary that of its slowest replica (pg_monitor), null when it has none',
  },
  deadlocks: { type: 'double', summary: 'Deadlocks in this database since its statistics began' },
  commits: { type: 'double', summary: 'Transactions committed in this database since its statistics began' },
  rollbacks: { type: 'double', summary: 'Transactions rolled back in this database since its statistics began' },
  database_bytes: { type: 'double', unit: 'B', summary: 'Size of this database' },
  transaction_id_age: {
    type: 'double',
    summary: 'Age of the oldest transaction id; near 2 billion the server stops writing',
  },
  uptime_s: { type: 'double', unit: 's', summary: 'Time since the server was started' },
  version: { type: 'string', summary: 'Such as 15.6' },
};

/** Times of pg_stat_activity are compared with the start of our own transaction. */
const age = (since: string) => `greatest(extract(epoch from now() - ${since}), 0)`;
const oldest = (since: string, which: string) => `coalesce(max(${age(since)}) filter (where ${which}), 0)`;
const IDLE = `state in ('idle in transaction', 'idle in transaction (aborted)')`;

/** Without pg_monitor a foreign session shows neither its kind nor what it does, but its database and its role. */
const SESSIONS = `
  select count(*) as connections,
    count(*) filter (where state = 'active') as active,
    count(*) filter (where wait_event_type = 'Lock') as blocked,
    ${oldest('query_start', `state = 'active'`)} as longest_query_s,
    ${oldest('xact_start', 'true')} as longest_transaction_s,
    count(*) filter (where ${IDLE}) as idle_in_transaction,
    ${oldest('state_change', IDLE)} as longest_idle_in_transaction_s
  from pg_stat_activity
  where pid <> pg_backend_pid() and datid is not null and usesysid is not null
    and coalesce(backend_type, 'client backend') = 'client backend'`;

/**
 * A replica that has fallen silent reports no lag, so that the time since its last word counts when it is behind.
 * A base backup streams too, and is no replica.
 */
const REPLICAS = `
  select count(*) as connected_replicas, max(greatest(extract(epoch from replay_lag), 0,
    case when replay_lsn is distinct from case when pg_is_in_recovery() then null else pg_current_wal_lsn() end
    then ${age('reply_time')} end)) as lag_s
  from pg_stat_replication where state in ('catchup', 'streaming')`;

/** A replica that has replayed all it received is behind only when nobody sends to it any more. */
const OWN_LAG = `
  case when exists (select from pg_stat_wal_receiver) and pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
    else ${age('pg_last_xact_replay_timestamp()')} end`;

const privileged = (value: string) => `case when seen.all_sessions then ${value}::float8 end`;

/** @param sized whether the size of the database is asked for: the server looks at each of its files. */
export function figuresQuery(sized: boolean): string {
  return `select session.connections::float8, slots.connections_max::float8,
    100 * session.connections::float8 / slots.connections_max as connections_percent,
    ${PRIVILEGED_FIELDS.map((field) => `${privileged(`session.${field}`)} as ${field}`).join(', ')},
    case when pg_is_in_recovery() then 'replica' else 'primary' end as role,
    ${privileged('replicas.connected_replicas')} as connected_replicas,
    (case when pg_is_in_recovery() then ${OWN_LAG} else ${privileged('replicas.lag_s')} end)::float8 as replication_lag_s,
    own.deadlocks::float8, own.xact_commit::float8 as commits, own.xact_rollback::float8 as rollbacks,
    ${sized ? 'pg_database_size(current_database())::float8' : 'null::float8'} as database_bytes,
    (select max(age(datfrozenxid)) from pg_database)::float8 as transaction_id_age,
    ${age('pg_postmaster_start_time()')}::float8 as uptime_s,
    split_part(current_setting('server_version'), ' ', 1) as version
  from (${SESSIONS}) session, (${REPLICAS}) replicas,
    (select pg_has_role('pg_read_all_stats', 'usage') as all_sessions) seen,
    (select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true), '0')::int as connections_max) slots,
    (select * from pg_stat_database where datname = current_database()) own`;
}
