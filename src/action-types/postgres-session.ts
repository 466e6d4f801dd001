/**
 * One transaction on a PostgreSQL server within the deadline of an action. Statements go through the extended protocol
 * alone: one each, their values apart from their text.
 */
import type { Socket } from 'node:net';
import type { Client, Query, QueryConfig } from 'pg';
import { codeOf, messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { Context } from '../ports.ts';
import type { PostgresServer } from '../shared/postgres-url.ts';
import { openConnection, SessionFailure } from './postgres-connect.ts';

export { SessionFailure } from './postgres-connect.ts';

export type Value = string | number | boolean | null | readonly string[];

export interface Session {
  /** `Row` is what the statement selects. */
  query<Row>(text: string, values?: readonly Value[]): Promise<Answer<Row>>;
}

export interface Answer<Row> {
  /** `UPDATE`, `SELECT` … */
  readonly command: string;
  readonly rowCount: number | null;
  /** The first `MAX_ROWS`; the others are counted and let go. */
  readonly rows: readonly Row[];
}

/** By this name our own sessions are known, so that no fix ends one. */
const OUR_NAME = 'brainstem-fix';
const MAX_ROWS = 500;
/** The server gives up a little before we do, so that its own word is heard. */
const MARGIN_MS = 100;

/** Commits what `work` did, or nothing of it. Errors: SessionFailure for what the server does. */
export async function inTransaction<T>(
  server: PostgresServer,
  context: Context,
  statementTimeoutMs: number,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const until = context.clock.monotonic() + context.timeoutMs;
  let committing = false;
  try {
    // Loaded with the first such fix, so that a daemon without them does not carry it.
    const driver = loadLibrary<typeof import('pg')>('pg');
    const socket = await openConnection(server, context.signal);
    const client = clientOn(socket, server, driver.Client);
    try {
      await client.connect();
      const session = sessionOf(client, driver.Query);
      await session.query('begin');
      await limit(session, Math.min(statementTimeoutMs, until - context.clock.monotonic() - MARGIN_MS));
      const result = await work(session);
      committing = true;
      await session.query('commit');
      return result;
    } finally {
      // A word of goodbye, and then no more waiting.
      client.end(() => undefined);
      socket.destroySoon();
    }
  } catch (error) {
    throw explained(error, server.authority, { isLate: context.signal.aborted, committing });
  }
}

function clientOn(socket: Socket, { host, port, user, password, database }: PostgresServer, Driver: typeof Client) {
  const client = new Driver({
    // What stays unset here the driver takes from the environment and from ~/.pgpass.
    ...{ host, port, user, database, ssl: false, application_name: OUR_NAME },
    password() {
      if (password !== '') return password;
      throw new SessionFailure('the server wants a password, and there is none in the URL');
    },
    stream: () => socket,
  });
  // Whatever is under way is rejected with it.
  return client.on('error', () => undefined);
}

function sessionOf(client: Client, Driver: typeof Query): Session {
  return {
    query: <Row>(text: string, values: readonly Value[] = []) =>
      new Promise<Answer<Row>>((resolve, reject) => {
        const rows: Row[] = [];
        // The driver's types do not know of its query mode.
        const query = new Driver({ text, values: [...values], queryMode: 'extended' } as QueryConfig);
        query.on('row', (row: Row) => void (rows.length < MAX_ROWS && rows.push(row)));
        query.on('error', reject);
        query.on('end', ({ command, rowCount }) => resolve({ command, rowCount, rows }));
        client.query(query);
      }),
  };
}

/** Whatever happens to us, nothing of ours runs or waits on the server after the deadline. */
async function limit(session: Session, leftMs: number): Promise<void> {
  const ms = String(Math.max(1, Math.floor(leftMs)));
  const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
  await session.query(`select ${names.map((name) => `set_config('${name}', $1, true)`).join(', ')}`, [ms]);
}

interface Circumstances {
  readonly isLate: boolean;
  readonly committing: boolean;
}

function explained(error: unknown, authority: string, { isLate, committing }: Circumstances): unknown {
  if (error instanceof SessionFailure && !committing && !isLate) return error;
  const state = error instanceof Error && 'severity' in error ? codeOf(error) : undefined;
  const options = { cause: error, state, mayHaveCommitted: committing && state === undefined };
  if (isLate) return new SessionFailure(`the deadline passed before ${authority} had answered`, options);
  // The driver gives no code when the server goes away.
  if (!(error instanceof Error) || error instanceof TypeError) return error;
  const code = codeOf(error);
  return new SessionFailure(`${authority}: ${messageOf(error)}${code === undefined ? '' : ` (${code})`}`, options);
}
