/** One connection to PostgreSQL: every question has a deadline, every failure is an AppError, and its loss is noticed. */
import { Socket } from 'node:net';
import type { Client, QueryResult } from 'pg';
import { type AppError, RetryableError } from '../../errors.ts';
import { loadLibrary } from '../../library.ts';
import type { Clock } from '../../ports.ts';
import { toCell } from '../cell.ts';
import { postgresError } from './failures.ts';

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared under this name at its first use. */
  readonly name?: string;
}

export interface ConnectionOptions {
  readonly url: string;
  /** Needed by whoever asks how old the last proof of it is. */
  readonly clock?: Clock;
  /** How the server lists it. Default: `brainstem`. */
  readonly applicationName?: string;
  /** Deadline of one statement; the server ends it by itself a little before. Default: 10 s. */
  readonly deadlineMs?: number;
}

const CONNECT_DEADLINE_MS = 5_000;
const STATEMENT_DEADLINE_MS = 10_000;
/** The server's own deadlines come first, so that its reason is heard. */
const SERVER_SHARE = 0.8;

export class PostgresConnection {
  /** `HOST:PORT/DATABASE` */
  readonly place: string;
  /** Settles when the connection is no more, however it ended. */
  readonly ended: Promise<void>;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #deadlineMs: number;
  readonly #clock: Clock | undefined;
  /** When the last question was sent that has an answer: only then the session is known to have lived. */
  #proven: Instant | undefined;
  #lost: AppError | undefined;

  static async open(options: ConnectionOptions): Promise<PostgresConnection> {
    const socket = new Socket();
    const place = placeOf(options.url);
    try {
      const { Client, types } = loadLibrary<typeof import('pg')>('pg');
      const client = new Client({
        connectionString: options.url,
        application_name: options.applicationName ?? 'brainstem',
        connectionTimeoutMillis: CONNECT_DEADLINE_MS,
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000,
        stream: () => socket,
        types: { getTypeParser: (oid, format) => (oid === INT8 ? Number : types.getTypeParser(oid, format)) as never },
      });
      const connection = new PostgresConnection(client, socket, place, options);
      await client.connect();
      await connection.#configure();
      return connection;
    } catch (error) {
      socket.destroy();
      throw postgresError(place, error);
    }
  }

  private constructor(client: Client, socket: Socket, place: string, options: ConnectionOptions) {
    this.#client = client;
    this.#socket = socket;
    this.place = place;
    this.#deadlineMs = options.deadlineMs ?? STATEMENT_DEADLINE_MS;
    this.#clock = options.clock;
    client.on('error', (error) => this.#lose(error));
    this.ended = new Promise((resolve) => {
      client.once('end', () => {
        this.#lose(new Error('the connection was closed'));
        resolve();
      });
    });
  }

  /** Why it can be used no more. */
  get lost(): AppError | undefined {
    return this.#lost;
  }

  /** Time since a question was sent that has its answer, by the clock that says more: one of them may have stood still. */
  get unprovenMs(): number {
    if (!this.#clock || !this.#proven) return Number.POSITIVE_INFINITY;
    const now = instantOf(this.#clock);
    return Math.max(now.wall - this.#proven.wall, now.monotonic - this.#proven.monotonic);
  }

  async query<Row extends object>({ text, values, name }: Statement): Promise<QueryResult<Row>> {
    if (this.#lost) throw this.#lost;
    const asked = this.#clock && instantOf(this.#clock);
    const timer = setTimeout(() => this.abandon(`no answer within ${this.#deadlineMs / 1_000} s`), this.#deadlineMs);
    try {
      const parameters = values?.map(toCell) ?? [];
      const answer = await this.#client.query<Row>({ text, values: parameters, ...(name !== undefined && { name }) });
      this.#proven = asked;
      return answer;
    } catch (error) {
      throw this.#lost ?? postgresError(this.place, error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Several statements in one message, without parameters. */
  async script(text: string): Promise<void> {
    await this.query({ text });
  }

  /** Ends it at once, without a word to the server. */
  abandon(why: string): void {
    const error = new Error(why);
    this.#lose(error);
    this.#socket.destroy(error);
  }

  async close(): Promise<void> {
    if (this.#lost) return;
    this.#lost = new RetryableError('store_away', 'the store is closed');
    const timer = setTimeout(() => this.#socket.destroy(), CONNECT_DEADLINE_MS);
    await this.#client.end();
    clearTimeout(timer);
  }

  /** The first reason is the one that counts. */
  #lose(cause: Error): void {
    this.#lost ??= postgresError(this.place, cause);
  }

  /** All of it, in one message; `client_connection_check_interval` came with PostgreSQL 14. */
  async #configure(): Promise<void> {
    const server = Math.round(this.#deadlineMs * SERVER_SHARE);
    await this.script(`
      SET search_path TO ${SCHEMA};
      SET statement_timeout = ${server};
      SET idle_in_transaction_session_timeout = '60s';
      SET client_connection_check_interval = '1s';
      SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
      SET tcp_user_timeout = '20s'`);
  }
}

interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

function instantOf(clock: Clock): Instant {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** All tables live in a schema of their own, so that they clash with nobody's. */
export const SCHEMA = 'brainstem';

const INT8 = 20;

/** Without the name and password of the user, for messages. */
function placeOf(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url);
  return `${searchParams.get('host') ?? hostname}:${port || '5432'}${pathname}`;
}
