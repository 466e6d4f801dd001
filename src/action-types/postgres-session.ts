/**
 * One transaction on a PostgreSQL server within the deadline of an action. Statements go through the extended protocol
 * alone: one each, their values apart from their text.
 */
import type { Socket } from 'node:net';
import type { Client, Query, QueryConfig } from 'pg';
import { AppError, codeOf, messageOf } from '../errors.ts';
import type { Context } from '../ports.ts';
import { ExchangeFailure } from '../shared/exchange-failure.ts';
import { createClient, loadDriver } from '../shared/postgres-client.ts';
import type { PostgresServer } from '../shared/postgres-url.ts';
import { openConnection } from './postgres-socket.ts';

/** The server did not do what was asked of it, in words for people. Never leaves an action. */
export class SessionFailure extends AppError {
  /** Five characters of SQLSTATE, when the server said no itself. */
  readonly state: string | undefined;
  /** The commit was asked for and not answered. */
  readonly mayHaveCommitted: boolean;

  constructor(message: string, { state, mayHaveCommitted = false, ...options }: SessionFailureOptions = {}) {
    super('postgres_session', message, options);
    this.state = state;
    this.mayHaveCommitted = mayHaveCommitted;
  }
}

interface SessionFailureOptions {
  readonly cause?: unknown;
  readonly state?: string | undefined;
  readonly mayHaveCommitted?: boolean;
}

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
/** What one session reads at most. */
const MAX_BYTES = 8 * 2 ** 20;
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
  let broken: Error | undefined;
  try {
    const driver = loadDriver();
    const socket = await openConnection(server, context.signal);
    const client = clientOn(socket, server).on('error', (error) => {
      broken ??= error;
    });
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
    // What ended the connection says more than what came of it; the server's own no says most.
    const why = broken === undefined || error instanceof SessionFailure || saidByServer(error) ? error : broken;
    throw explained(why, server.authority, { isLate: context.signal.aborted, committing });
  }
}

/** What goes wrong on the way in ends the stream, and with it whatever is under way. */
function clientOn(socket: Socket, server: PostgresServer): Client {
  let stream: { destroy(error?: Error): void } | undefined;
  const line = {
    hold: (opened: typeof stream) => {
      stream = opened;
    },
    fail: (error: Error) => stream?.destroy(error),
  };
  return createClient(socket, { server, applicationName: OUR_NAME, maxBytes: MAX_BYTES, line });
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

/** Only its own errors have a severity. */
function saidByServer(error: unknown): boolean {
  return error instanceof Error && 'severity' in error;
}

function explained(error: unknown, authority: string, { isLate, committing }: Circumstances): unknown {
  if (error instanceof SessionFailure && !committing && !isLate) return error;
  const state = saidByServer(error) ? codeOf(error) : undefined;
  const options = { cause: error, state, mayHaveCommitted: committing && state === undefined };
  if (isLate) return new SessionFailure(`the deadline passed before ${authority} had answered`, options);
  if (error instanceof ExchangeFailure) return new SessionFailure(`${authority}: ${error.message}`, options);
  // The driver gives no code when the server goes away.
  if (!(error instanceof Error) || error instanceof TypeError) return error;
  const code = codeOf(error);
  return new SessionFailure(`${authority}: ${messageOf(error)}${code === undefined ? '' : ` (${code})`}`, options);
}
