/**
 * A view of the embedded database for a backup. The connection is the only one that may read the file, and nobody may wait for a
 * slow backup: so decisions are copied into a file of their own, in one go, and read from there page by page in between.
 */
import { open, rm } from 'node:fs/promises';
import type { Cell } from '../cell.ts';
import type { DayRow, Snapshot } from '../engine.ts';
import { MINUTE_MS } from '../results/days.ts';
import { TABLES } from '../tables.ts';
import type { Turnstile } from '../turnstile.ts';
import type { WorkerClient } from './client.ts';
import { snapshotOf } from './protocol.ts';

const PAGE_ROWS = 200;
const PAGE_RESULTS = 2_000;

export async function sqliteSnapshot(client: WorkerClient, turnstile: Turnstile): Promise<Snapshot> {
  const file = snapshotOf(client.file);
  const script = (sql: string) => client.call({ kind: 'script', sql });
  await turnstile.pass(async () => {
    await removeFiles(file);
    await (await open(file, 'wx', 0o600)).close();
    await script(`ATTACH '${file.replaceAll("'", "''")}' AS snapshot`);
    try {
      await script(COPY);
    } catch (error) {
      await client.call({ kind: 'rollback' });
      await script('DETACH snapshot');
      await removeFiles(file);
      throw error;
    }
  });
  return {
    rows: (table) => decisionPages(client, turnstile, table),
    results: (table) => resultPages(client, turnstile, table),
    close: () =>
      turnstile.pass(async () => {
        await script('DETACH snapshot');
        await removeFiles(file);
      }),
  };
}

/** Nothing depends on the copy after a crash, so it need not reach the disk. */
const COPY = [
  'PRAGMA snapshot.synchronous = OFF',
  'BEGIN',
  ...Object.keys(TABLES).map((table) => `CREATE TABLE snapshot.${table} AS SELECT * FROM main.${table} ORDER BY 1`),
  'COMMIT',
].join(';');

async function removeFiles(file: string): Promise<void> {
  for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(file + suffix, { force: true });
}

type Row = Record<string, Cell>;

async function* decisionPages(client: WorkerClient, turnstile: Turnstile, table: string): AsyncIterable<Row[]> {
  const sql = `SELECT rowid AS page_row, * FROM snapshot.${table} WHERE rowid > ? ORDER BY rowid LIMIT ${PAGE_ROWS}`;
  for (let after = 0; ; ) {
    const page = await turnstile.pass(() => select<Row & { page_row: number }>(client, sql, [after]));
    after = page.at(-1)?.page_row ?? after;
    if (page.length > 0) yield page.map(({ page_row: _, ...row }) => row);
    if (page.length < PAGE_ROWS) return;
  }
}

interface StoredResult extends Omit<DayRow, 'sinceMidnight'> {
  readonly minute: number;
  readonly offset: number;
}

async function* resultPages(client: WorkerClient, turnstile: Turnstile, table: string): AsyncIterable<DayRow[]> {
  const sql = `SELECT minute, series_id AS seriesId, offset_ms AS "offset", latency_us AS latencyUs, verdict, reason, error,
      value_1 AS value1, value_2 AS value2, more
    FROM ${table} WHERE (minute, series_id, offset_ms) > (?, ?, ?)
    ORDER BY minute, series_id, offset_ms LIMIT ${PAGE_RESULTS}`;
  for (let after: Cell[] = [-1, 0, 0]; ; ) {
    const page = await turnstile.pass(async () =>
      (await isThere(client, table)) ? select<StoredResult>(client, sql, after) : [],
    );
    const last = page.at(-1);
    if (last) yield page.map(({ minute, offset, ...row }) => ({ ...row, sinceMidnight: minute * MINUTE_MS + offset }));
    if (last === undefined || page.length < PAGE_RESULTS) return;
    after = [last.minute, last.seriesId, last.offset];
  }
}

/** A day may be dropped between two pages. */
async function isThere(client: WorkerClient, table: string): Promise<boolean> {
  return (await select(client, 'SELECT 1 AS found FROM main.sqlite_master WHERE name = ?', [table])).length > 0;
}

async function select<Found>(client: WorkerClient, sql: string, parameters: readonly Cell[]): Promise<Found[]> {
  const { columns, rows } = await client.call({ kind: 'execute', sql, parameters });
  // What the columns hold is what the schema says.
  return rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])) as Found);
}
