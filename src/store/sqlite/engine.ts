/** The embedded database as an Engine. */
import type { Ddl, Engine } from '../engine.ts';
import { Turnstile } from '../turnstile.ts';
import type { WorkerClient } from './client.ts';
import { sqliteDays } from './days.ts';
import { workerDialect } from './dialect.ts';
import { sqliteSnapshot } from './snapshot.ts';

const DDL: Ddl = {
  identity: 'integer PRIMARY KEY AUTOINCREMENT',
  comments: () => [],
  continueIds: () => [],
};

/** 2 MiB of pages at a time, so that a decision waits no longer than for that. */
const RECLAIM_PAGES = 512;

const RECLAIM = { kind: 'script', sql: `PRAGMA incremental_vacuum(${RECLAIM_PAGES})` } as const;

/** Free room up to this share of what is used stays for the results to come: giving back and taking again costs most. */
const SPARE_SHARE = 0.25;

export function sqliteEngine(client: WorkerClient): Engine {
  const turnstile = new Turnstile();
  const pragma = (name: string) => turnstile.pass(() => readPragma(client, name));
  const freePages = () => pragma('freelist_count');
  const usedPages = async () => (await pragma('page_count')) - (await freePages());
  return {
    dialect: workerDialect(client, turnstile),
    ddl: DDL,
    days: sqliteDays,
    usedBytes: async () => (await usedPages()) * (await pragma('page_size')),
    async reclaim() {
      const spare = Math.max(RECLAIM_PAGES, SPARE_SHARE * (await usedPages()));
      let before = Number.POSITIVE_INFINITY;
      for (let free = await freePages(); free > spare && free < before; free = await freePages()) {
        before = free;
        await turnstile.pass(() => client.call(RECLAIM));
      }
    },
    snapshot: () => sqliteSnapshot(client, turnstile),
    close: () => turnstile.pass(() => client.close()),
  };
}

async function readPragma(client: WorkerClient, name: string): Promise<number> {
  const { rows } = await client.call({ kind: 'execute', sql: `PRAGMA ${name}`, parameters: [] });
  return Number(rows[0]?.[0] ?? 0);
}
