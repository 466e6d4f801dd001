/** The table of a day in PostgreSQL: rows lie in the order in which they came, and a block-range index knows when that was. */
import { sql } from 'kysely';
import { AppError } from '../../errors.ts';
import type { DayRow, DayTables } from '../engine.ts';
import { DAY_TABLE } from '../tables.ts';
import { commentsOn } from './comments.ts';
import { SessionConnection } from './dialect.ts';

/**
 * The column of each part of a row, with its type as an array's element. Widest first, so that nothing is lost to alignment;
 * eight columns at most, so that the bits for NULL fit beside the row's header: 60 bytes with two values.
 */
const COLUMNS: readonly (readonly [name: string, type: string, of: (row: DayRow) => string])[] = [
  ['value_1', 'double precision', ({ value1 }) => number(value1)],
  ['value_2', 'double precision', ({ value2 }) => number(value2)],
  ['series_id', 'integer', ({ seriesId }) => number(seriesId)],
  ['at_ms', 'integer', ({ sinceMidnight }) => number(sinceMidnight)],
  ['latency_us', 'integer', ({ latencyUs }) => number(latencyUs)],
  ['outcome', 'smallint', ({ verdict, error, reason }) => number(verdict + 4 * error + 8 * reason)],
  ['more', 'bytea', ({ more }) => (more === null ? 'NULL' : `"\\\\x${Buffer.from(more).toString('hex')}"`)],
];

/** What stands in the columns, as a DayRow. */
export const DAY_ROW = `series_id AS "seriesId", at_ms AS "sinceMidnight", latency_us AS "latencyUs",
  outcome & 3 AS verdict, outcome >> 3 AS reason, (outcome >> 2) & 1 AS error,
  value_1 AS value1, value_2 AS value2, more`;

/** Pages of 8 KiB that one entry of the index stands for: some 4,000 results. */
const PAGES_PER_RANGE = 32;

/** How far back from the newest result most probes have one. */
const RECENT_MS = 15 * 60_000;

export const postgresDays: DayTables = {
  async create(db, table) {
    await sql`
      CREATE TABLE IF NOT EXISTS ${sql.table(table)} (
        value_1 double precision,
        value_2 double precision,
        series_id integer NOT NULL,
        at_ms integer NOT NULL,
        latency_us integer NOT NULL,
        outcome smallint NOT NULL,
        more bytea
      )`.execute(db);
    await sql`
      CREATE INDEX IF NOT EXISTS ${sql.id(`${table}_at`)} ON ${sql.table(table)}
      USING brin (at_ms) WITH (pages_per_range = ${sql.lit(PAGES_PER_RANGE)}, autosummarize = on)`.execute(db);
    for (const comment of commentsOn(table, DAY_TABLE)) await sql.raw(comment).execute(db);
  },

  async insert(db, table, rows) {
    const values = COLUMNS.map(([, , of]) => `{${rows.map(of).join(',')}}`);
    await db.getExecutor().provideConnection(async (connection) => {
      if (!(connection instanceof SessionConnection))
        throw new AppError('store_engine', 'not a connection of this engine');
      await connection.execute({ text: insertionOf(table), values, name: table });
    });
  },

  async read(db, table, { seriesIds, first, end, limit }) {
    const { rows } = await sql<DayRow>`
      SELECT DISTINCT ON (at_ms, series_id) ${sql.raw(DAY_ROW)}
      FROM ${sql.table(table)}
      WHERE at_ms >= ${first} AND at_ms < ${end} AND series_id IN (${sql.join(seriesIds)})
      ORDER BY at_ms DESC, series_id
      LIMIT ${limit}`.execute(db);
    return rows;
  },

  async firstTime(db, table) {
    const { rows } = await sql<{ first: number | null }>`
      SELECT min(at_ms) AS first FROM ${sql.table(table)}`.execute(db);
    return rows[0]?.first ?? undefined;
  },

  async recentTimes(db, table) {
    const { rows } = await sql<{ probe: string; newest: number }>`
      SELECT s.probe, r.newest
      FROM (
        SELECT series_id, max(at_ms) AS newest FROM ${sql.table(table)}
        WHERE at_ms > (SELECT max(at_ms) FROM ${sql.table(table)}) - ${sql.lit(RECENT_MS)}
        GROUP BY series_id
      ) AS r JOIN result_series AS s ON s.id = r.series_id
      ORDER BY r.newest`.execute(db);
    return new Map(rows.map(({ probe, newest }) => [probe, newest]));
  },
};

function number(value: number | null): string {
  return value === null ? 'NULL' : String(value);
}

function insertionOf(table: string): string {
  const names = COLUMNS.map(([name]) => name).join(', ');
  const arrays = COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ');
  return `INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays})`;
}
