/** Days of results: their numbers (days since 1970, UTC), and a table for each. */
import { type Kysely, sql } from 'kysely';
import type { Ddl } from '../engine.ts';
import type { Database } from '../schema.ts';

export const DAY_MS = 86_400_000;
export const MINUTE_MS = 60_000;

export function dayOf(at: number): number {
  return Math.floor(at / DAY_MS);
}

/** Such as `results_20261123`. */
export function tableOf(day: number): string {
  return `results_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

/**
 * Rows lie minute by minute, and within a minute series by series: one batch touches few pages, and so does the reading
 * of one series. (By series alone each row of a batch lands on a page of its own: 20 times the bytes written.)
 * Two results of one series within a millisecond are one.
 */
export async function createDay(db: Kysely<Database>, ddl: Ddl, day: number): Promise<void> {
  await sql`
    CREATE TABLE IF NOT EXISTS ${sql.table(tableOf(day))} (
      minute integer NOT NULL,
      series_id integer NOT NULL,
      offset_ms integer NOT NULL,
      latency_us bigint NOT NULL,
      verdict integer NOT NULL,
      reason integer NOT NULL,
      error integer NOT NULL,
      value_1 double precision,
      value_2 double precision,
      more ${sql.raw(ddl.bytes)},
      PRIMARY KEY (minute, series_id, offset_ms)
    ) ${sql.raw(ddl.clustered)}`.execute(db);
}

export const DAY_COLUMNS = [
  'minute',
  'series_id',
  'offset_ms',
  'latency_us',
  'verdict',
  'reason',
  'error',
  'value_1',
  'value_2',
  'more',
] as const;

export function insertionSql(day: number): string {
  const places = DAY_COLUMNS.map(() => '?').join(', ');
  return `INSERT INTO ${tableOf(day)} (${DAY_COLUMNS.join(', ')}) VALUES (${places}) ON CONFLICT DO NOTHING`;
}

/** Days that have results, oldest first. */
export async function storedDays(db: Kysely<Database>): Promise<number[]> {
  const rows = await db.selectFrom('resultDays').select('day').distinct().orderBy('day').execute();
  return rows.map(({ day }) => day);
}
