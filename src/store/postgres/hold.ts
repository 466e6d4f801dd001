/**
 * The hold on a database: an advisory lock of the session that also writes, and the number of the term that began with it.
 * Whoever takes the lock begins a term, so that one who lost it and took it again knows whether somebody came between.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../ports.ts';
import { PostgresConnection, SCHEMA } from './connection.ts';
import { lockedDatabase, passedDatabase, unsupportedServer } from './failures.ts';

export interface Address {
  readonly url: string;
  readonly clock?: Clock;
  /** Of one statement. Default: that of a connection. */
  readonly deadlineMs?: number;
}

/** A connection, and the server process behind it: its number alone may be another process by now. */
export interface Joined {
  readonly connection: PostgresConnection;
  readonly backend: { readonly pid: number; readonly startedAt: string };
}

/** `BRNS`, and the lock's number. Advisory locks count for one database each. */
const LOCK = `${0x42524e53}, 1`;

/** How long a daemon that was just killed, or is just stopping, may still hold the database. */
const PATIENCE_MS = 3_000;
const RETRY_MS = 200;

const OLDEST_VERSION = 140_000;

/**
 * The server ends a session that leaves it without a question for this long, and with it the hold. It is longer than the
 * second between two questions and the deadline of one together: whoever is cut off knows it before somebody else takes over.
 */
export const LEASE_MS = 15_000;

/** Connects; PermanentError `store_unsupported` when the server is too old. */
export async function join(address: Address): Promise<Joined> {
  const connection = await PostgresConnection.open(address);
  try {
    return { connection, backend: await introduce(connection) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function introduce(connection: PostgresConnection): Promise<Joined['backend']> {
  const { rows } = await connection.query<{ version: string; number: number } & Joined['backend']>({
    text: `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
      pid, backend_start::text AS "startedAt" FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
  });
  const [row] = rows;
  if (row === undefined || row.number < OLDEST_VERSION) throw unsupportedServer(connection.place, row?.version ?? '?');
  return { pid: row.pid, startedAt: row.startedAt };
}

/** PermanentError `store_locked` when another daemon holds it and goes on holding it. */
export async function takeHold(connection: PostgresConnection): Promise<void> {
  for (let waitedMs = 0; !(await tryHold(connection)); waitedMs += RETRY_MS) {
    if (waitedMs >= PATIENCE_MS) throw lockedDatabase(connection.place, await holderOf(connection));
    await sleep(RETRY_MS);
  }
}

export async function tryHold(connection: PostgresConnection): Promise<boolean> {
  const { rows } = await connection.query<{ held: boolean }>({ text: `SELECT pg_try_advisory_lock(${LOCK}) AS held` });
  return rows[0]?.held === true;
}

/** From now on the hold ends by itself when this daemon stands still, or its machine is gone. */
export async function leaseHold(connection: PostgresConnection): Promise<void> {
  await connection.script(
    `SET idle_session_timeout = ${LEASE_MS}; SET idle_in_transaction_session_timeout = ${LEASE_MS}`,
  );
}

/** Where the daemon that holds the database runs, as far as the server tells: ` (from …)`, or nothing. */
export async function holderOf(connection: PostgresConnection): Promise<string> {
  const { rows } = await connection.query<{ address: string | null; pid: number; since: string }>({
    text: `SELECT host(a.client_addr) AS address, a.pid, a.backend_start::timestamptz(0)::text AS since
      FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.granted AND (l.classid, l.objid) = (${LOCK})
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  });
  const [row] = rows;
  return row ? ` (from ${row.address ?? 'the same machine'}, server process ${row.pid}, since ${row.since})` : '';
}

/** Behind a connection that was cut in the middle the server may keep our old session, and the lock with it, for a while. */
export async function endBackend(connection: PostgresConnection, { pid, startedAt }: Joined['backend']): Promise<void> {
  await connection.query({
    text: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
    values: [pid, startedAt],
  });
}

/** To be called while the lock is held. */
export async function beginTerm(connection: PostgresConnection): Promise<number> {
  await createSchema(connection);
  const { rows } = await connection.query<{ term: number }>({
    text: `INSERT INTO ${SCHEMA}.hold (id, term) VALUES (1, 1)
      ON CONFLICT (id) DO UPDATE SET term = hold.term + 1 RETURNING term`,
  });
  return rows[0]?.term ?? 0;
}

/** PermanentError `store_locked`: another daemon had the database since, and what we remember of it is old. */
export async function checkTerm(connection: PostgresConnection, term: number): Promise<void> {
  const { rows } = await connection.query<{ term: number }>({ text: `SELECT term FROM ${SCHEMA}.hold` });
  if (rows[0]?.term !== term) throw passedDatabase(connection.place);
}

/** `CREATE … IF NOT EXISTS` would ask for a right that is not needed when somebody else made it. */
async function createSchema(connection: PostgresConnection): Promise<void> {
  const { rows } = await connection.query<{ schema: boolean; hold: boolean }>({
    text: `SELECT to_regnamespace($1) IS NOT NULL AS schema, to_regclass($2) IS NOT NULL AS hold`,
    values: [SCHEMA, `${SCHEMA}.hold`],
  });
  if (!rows[0]?.schema) await connection.script(`CREATE SCHEMA ${SCHEMA}`);
  if (!rows[0]?.hold)
    await connection.script(`CREATE TABLE ${SCHEMA}.hold (id integer PRIMARY KEY CHECK (id = 1), term bigint NOT NULL);
      COMMENT ON TABLE ${SCHEMA}.hold IS 'one row: how often a daemon took hold of this database'`);
}
