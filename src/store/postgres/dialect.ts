/** Kysely on a session: one connection, used by one caller at a time, first come first served. */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { AppError, codeOf } from '../../errors.ts';
import type { Turnstile } from '../turnstile.ts';
import type { PostgresConnection, Statement } from './connection.ts';
import { unknownCommit } from './failures.ts';
import type { PostgresSession } from './session.ts';

export function sessionDialect(session: PostgresSession, turnstile: Turnstile): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new SessionDriver(session, turnstile),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

class SessionDriver implements Driver {
  readonly #session: PostgresSession;
  readonly #turnstile: Turnstile;

  constructor(session: PostgresSession, turnstile: Turnstile) {
    this.#session = session;
    this.#turnstile = turnstile;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<SessionConnection> {
    const { failures } = this.#session;
    const leave = await this.#turnstile.enter();
    try {
      return new SessionConnection(await this.#session.connection(failures), leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  async beginTransaction(connection: SessionConnection): Promise<void> {
    await connection.execute({ text: 'BEGIN' });
  }

  async commitTransaction(connection: SessionConnection): Promise<void> {
    await connection.commit();
  }

  async rollbackTransaction(connection: SessionConnection): Promise<void> {
    await connection.rollback();
  }

  async releaseConnection(connection: SessionConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {}
}

export class SessionConnection implements DatabaseConnection {
  readonly #connection: PostgresConnection;
  readonly #leave: () => void;
  #released = false;

  constructor(connection: PostgresConnection, leave: () => void) {
    this.#connection = connection;
    this.#leave = leave;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, rowCount } = await this.execute({ text: sql, values: parameters });
    // What the columns hold is what the schema says: Kysely's types speak for it.
    return { rows: rows as Row[], numAffectedRows: BigInt(rowCount ?? 0) };
  }

  execute(statement: Statement): ReturnType<PostgresConnection['query']> {
    if (this.#released) throw new AppError('store_transaction_ended', 'the transaction of this statement has ended');
    return this.#connection.query(statement);
  }

  async commit(): Promise<void> {
    const { command } = await this.execute({ text: 'COMMIT' }).catch((error: unknown) => {
      throw codeOf(error) === 'store_away' ? unknownCommit(this.#connection.place, error) : error;
    });
    // What the server answers when a statement failed and the work went on all the same.
    if (command === 'ROLLBACK') throw new AppError('store_transaction_failed', 'a statement of the transaction failed');
  }

  /** Never rejects, so that the connection is always given back: one whose transaction cannot be ended is given up. */
  async rollback(): Promise<void> {
    if (this.#connection.lost) return;
    try {
      await this.#connection.query({ text: 'ROLLBACK' });
    } catch {
      this.#connection.abandon('a transaction could not be rolled back');
    }
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator, and there is nothing to yield.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new AppError('store_statement', 'the store does not stream');
  }

  release(): void {
    this.#released = true;
    this.#leave();
  }
}
