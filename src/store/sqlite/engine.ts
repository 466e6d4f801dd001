/** The embedded database as an Engine. */
import { AppError } from '../../errors.ts';
import type { Ddl, Engine } from '../engine.ts';
import { Turnstile } from '../turnstile.ts';
import type { WorkerClient } from './client.ts';
import { WorkerConnection, workerDialect } from './dialect.ts';

const DDL: Ddl = {
  identity: 'integer PRIMARY KEY AUTOINCREMENT',
  bytes: 'blob',
  clustered: 'WITHOUT ROWID',
};

/** 2 MiB of pages at a time: some 10 ms. */
const RECLAIM_PAGES = 512;

export function sqliteEngine(client: WorkerClient): Engine {
  const turnstile = new Turnstile();
  const pragma = (name: string) => turnstile.pass(() => readPragma(client, name));
  return {
    dialect: workerDialect(client, turnstile),
    ddl: DDL,
    insertMany: (transaction, sql, width, cells) =>
      transaction.getExecutor().provideConnection(async (connection) => {
        if (!(connection instanceof WorkerConnection))
          throw new AppError('store_engine', 'not a connection of this engine');
        await connection.executeMany(sql, width, cells);
      }),
    async usedBytes() {
      return ((await pragma('page_count')) - (await pragma('freelist_count'))) * (await pragma('page_size'));
    },
    async reclaim() {
      while ((await pragma('freelist_count')) > RECLAIM_PAGES) await pragma(`incremental_vacuum(${RECLAIM_PAGES})`);
    },
    close: () => turnstile.pass(() => client.close()),
  };
}

async function readPragma(client: WorkerClient, name: string): Promise<number> {
  const { rows } = await client.call({ kind: 'execute', sql: `PRAGMA ${name}`, parameters: [] });
  return Number(rows[0]?.[0] ?? 0);
}
