/**
 * The one connection that a store works on, made anew when it was lost. It holds the database for this daemon by an advisory
 * lock of its own session, so whoever lost the lock cannot write either: there is no moment at which two daemons can.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppError } from '../../errors.ts';
import { PostgresConnection, SCHEMA } from './connection.ts';
import { lockedDatabase, unsupportedServer } from './failures.ts';

export interface SessionOptions {
  readonly url: string;
  /** Of one statement. Default: that of a connection. */
  readonly deadlineMs?: number;
  /** The connection, and with it the hold on the database, was lost. Called once for each loss, never after `close`. */
  onLost?(error: AppError): void;
}

/** `BRNS`, and the lock's number. Advisory locks count for one database each. */
const LOCK = `${0x42524e53}, 1`;

/** How long a daemon that was just killed, or is just stopping, may still hold the database. */
const PATIENCE_MS = 3_000;
const RETRY_MS = 200;

const OLDEST_VERSION = 140_000;

/** A server process of ours. A number alone may be another process by now. */
interface Backend {
  readonly pid: number;
  readonly startedAt: string;
}

export class PostgresSession {
  readonly #options: SessionOptions;
  #connection: PostgresConnection;
  #backend: Backend;
  #closed = false;
  /** Of connecting again, so far. */
  #failures = 0;
  #lastFailure: unknown;

  /** PermanentError `store_locked` when another daemon holds the database and goes on holding it. */
  static async open(options: SessionOptions): Promise<PostgresSession> {
    const { connection, backend } = await connect(options);
    try {
      await createSchema(connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return new PostgresSession(options, connection, backend);
  }

  private constructor(options: SessionOptions, connection: PostgresConnection, backend: Backend) {
    this.#options = options;
    this.#connection = connection;
    this.#backend = backend;
    this.#watch(connection);
  }

  get url(): string {
    return this.#options.url;
  }

  get place(): string {
    return this.#connection.place;
  }

  get failures(): number {
    return this.#failures;
  }

  /**
   * The connection, which holds the database. Callers take turns.
   * @param failures as it was when the caller began to wait: whoever waited while connecting failed does not try in vain again.
   */
  async connection(failures = this.#failures): Promise<PostgresConnection> {
    if (this.#closed || !this.#connection.lost) return this.#connection;
    if (failures !== this.#failures) throw this.#lastFailure;
    try {
      const { connection, backend } = await connect(this.#options, this.#backend);
      this.#connection = connection;
      this.#backend = backend;
    } catch (error) {
      this.#failures += 1;
      this.#lastFailure = error;
      throw error;
    }
    this.#watch(this.#connection);
    return this.#connection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#connection.close();
  }

  #watch(connection: PostgresConnection): void {
    void connection.ended.then(() => {
      if (!this.#closed && connection.lost) this.#options.onLost?.(connection.lost);
    });
  }
}

interface Held {
  readonly connection: PostgresConnection;
  readonly backend: Backend;
}

async function connect({ url, deadlineMs }: SessionOptions, before?: Backend): Promise<Held> {
  const connection = await PostgresConnection.open({ url, ...(deadlineMs !== undefined && { deadlineMs }) });
  try {
    const backend = await introduce(connection);
    if (before) await endBackend(connection, before);
    await hold(connection);
    return { connection, backend };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Who we are for the server, which must be new enough. */
async function introduce(connection: PostgresConnection): Promise<Backend> {
  const { rows } = await connection.query<{ version: string; number: number } & Backend>({
    text: `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::integer AS number,
      pid, backend_start::text AS "startedAt" FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
  });
  const [row] = rows;
  if (row === undefined || row.number < OLDEST_VERSION) throw unsupportedServer(connection.place, row?.version ?? '?');
  return { pid: row.pid, startedAt: row.startedAt };
}

/** Behind a connection that was cut in the middle the server may keep our old session, and the lock with it, for a while. */
async function endBackend(connection: PostgresConnection, { pid, startedAt }: Backend): Promise<void> {
  await connection.query({
    text: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2',
    values: [pid, startedAt],
  });
}

async function hold(connection: PostgresConnection): Promise<void> {
  for (let waitedMs = 0; !(await tryLock(connection)); waitedMs += RETRY_MS) {
    if (waitedMs >= PATIENCE_MS) throw lockedDatabase(connection.place, await holderOf(connection));
    await sleep(RETRY_MS);
  }
}

async function tryLock(connection: PostgresConnection): Promise<boolean> {
  const { rows } = await connection.query<{ held: boolean }>({ text: `SELECT pg_try_advisory_lock(${LOCK}) AS held` });
  return rows[0]?.held === true;
}

/** Where the daemon that holds the database runs, as far as the server tells. */
async function holderOf(connection: PostgresConnection): Promise<string> {
  const { rows } = await connection.query<{ address: string | null; pid: number; since: string }>({
    text: `SELECT host(a.client_addr) AS address, a.pid, a.backend_start::timestamptz(0)::text AS since
      FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.locktype = 'advisory' AND l.granted AND (l.classid, l.objid) = (${LOCK})
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  });
  const [row] = rows;
  return row ? ` (from ${row.address ?? 'the same machine'}, server process ${row.pid}, since ${row.since})` : '';
}

/** `CREATE SCHEMA IF NOT EXISTS` would ask for a right that is not needed when somebody else made it. */
async function createSchema(connection: PostgresConnection): Promise<void> {
  const { rows } = await connection.query({ text: 'SELECT FROM pg_namespace WHERE nspname = $1', values: [SCHEMA] });
  if (rows.length === 0) await connection.script(`CREATE SCHEMA ${SCHEMA}`);
}
