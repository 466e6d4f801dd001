/** Kysely on the worker: one connection, used by one caller at a time, first come first served. */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { AppError } from '../../errors.ts';
import { type Cell, toCell } from '../cell.ts';
import type { Turnstile } from '../turnstile.ts';
import type { WorkerClient } from './client.ts';

export function workerDialect(client: WorkerClient, turnstile: Turnstile): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new WorkerDriver(client, turnstile),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

class WorkerDriver implements Driver {
  readonly #client: WorkerClient;
  readonly #turnstile: Turnstile;

  constructor(client: WorkerClient, turnstile: Turnstile) {
    this.#client = client;
    this.#turnstile = turnstile;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<WorkerConnection> {
    return new WorkerConnection(this.#client, await this.#turnstile.enter());
  }

  async beginTransaction(connection: WorkerConnection): Promise<void> {
    await connection.execute('begin immediate', []);
  }

  async commitTransaction(connection: WorkerConnection): Promise<void> {
    await connection.execute('commit', []);
  }

  /** Never rejects, so that the connection is always given back: a transaction that cannot be ended ends the worker. */
  async rollbackTransaction(): Promise<void> {
    try {
      await this.#client.call({ kind: 'rollback' });
    } catch (error) {
      await this.#client.abandon('a transaction could not be rolled back', error);
    }
  }

  async releaseConnection(connection: WorkerConnection): Promise<void> {
    connection.release();
  }

  async destroy(): Promise<void> {}
}

export class WorkerConnection implements DatabaseConnection {
  readonly #client: WorkerClient;
  readonly #leave: () => void;
  #released = false;

  constructor(client: WorkerClient, leave: () => void) {
    this.#client = client;
    this.#leave = leave;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    return this.execute(sql, parameters);
  }

  async execute<Row>(sql: string, parameters: readonly unknown[]): Promise<QueryResult<Row>> {
    this.#assertHeld();
    const { columns, rows, changes } = await this.#client.call({
      kind: 'execute',
      sql,
      parameters: parameters.map(toCell),
    });
    const objects = rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
    // What the columns hold is what the schema says: Kysely's types speak for it.
    return { rows: objects as Row[], numAffectedRows: BigInt(changes) };
  }

  /** One statement for every `width` cells, in one message. */
  async executeMany(sql: string, width: number, cells: readonly Cell[]): Promise<void> {
    this.#assertHeld();
    await this.#client.call({ kind: 'batch', sql, width, cells });
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator, and there is nothing to yield.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new AppError('store_statement', 'the embedded store does not stream');
  }

  release(): void {
    this.#released = true;
    this.#leave();
  }

  /** A statement that comes late must not slip into somebody else's transaction. */
  #assertHeld(): void {
    if (this.#released) throw new AppError('store_transaction_ended', 'the transaction of this statement has ended');
  }
}
