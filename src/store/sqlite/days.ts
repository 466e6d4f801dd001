/** The table of a day in SQLite: rows lie in the order of their key. */
import { type RawBuilder, sql } from 'kysely';
import { AppError } from '../../errors.ts';
import type { Cell } from '../cell.ts';
import type { DayRow, DayTables } from '../engine.ts';
import { MINUTE_MS } from '../results/days.ts';
import { WorkerConnection } from './dialect.ts';

const COLUMNS = [
  ...['minute', 'series_id', 'offset_ms', 'latency_us', 'verdict'],
  ...['reason', 'error', 'value_1', 'value_2', 'more'],
];

const SINCE_MIDNIGHT = sql<number>`(r.minute * ${sql.lit(MINUTE_MS)} + r.offset_ms)`;

/** How far back from the newest result most probes have one. */
const RECENT_MINUTES = 15;

export const sqliteDays: DayTables = {
  /**
   * Rows lie minute by minute, and within a minute series by series: one batch touches few pages, and so does the reading
   * of one series. (By series alone each row of a batch lands on a page of its own: 20 times the bytes written.)
   */
  async create(db, table) {
    await sql`
      CREATE TABLE IF NOT EXISTS ${sql.table(table)} (
        minute integer NOT NULL,
        series_id integer NOT NULL,
        offset_ms integer NOT NULL,
        latency_us bigint NOT NULL,
        verdict integer NOT NULL,
        reason integer NOT NULL,
        error integer NOT NULL,
        value_1 double precision,
        value_2 double precision,
        more blob,
        PRIMARY KEY (minute, series_id, offset_ms)
      ) WITHOUT ROWID`.execute(db);
  },

  async insert(db, table, rows) {
    const places = COLUMNS.map(() => '?').join(', ');
    const insertion = `INSERT INTO ${table} (${COLUMNS.join(', ')}) VALUES (${places}) ON CONFLICT DO NOTHING`;
    await db.getExecutor().provideConnection(async (connection) => {
      if (!(connection instanceof WorkerConnection))
        throw new AppError('store_engine', 'not a connection of this engine');
      await connection.executeMany(insertion, COLUMNS.length, rows.flatMap(cellsOf));
    });
  },

  async read(db, table, { seriesIds, first, end, limit }) {
    const { rows } = await sql<DayRow>`
      ${minutesOf(first, end)}
      SELECT r.series_id, ${SINCE_MIDNIGHT} AS since_midnight, r.latency_us, r.verdict, r.reason, r.error,
        r.value_1 AS value1, r.value_2 AS value2, r.more
      FROM minutes CROSS JOIN ${sql.table(table)} AS r
      WHERE r.minute = minutes.minute AND r.series_id IN (${sql.join(seriesIds)})
        AND ${SINCE_MIDNIGHT} >= ${first} AND ${SINCE_MIDNIGHT} < ${end}
      ORDER BY r.minute DESC, r.offset_ms DESC
      LIMIT ${limit}`.execute(db);
    return rows;
  },

  async firstTime(db, table) {
    const { rows } = await sql<{ minute: number; offset: number }>`
      SELECT minute, min(offset_ms) AS "offset" FROM ${sql.table(table)}
      GROUP BY minute ORDER BY minute LIMIT 1`.execute(db);
    const [first] = rows;
    return first && first.minute * MINUTE_MS + first.offset;
  },

  async recentTimes(db, table) {
    const { rows } = await sql<{ probe: string; newest: number }>`
      SELECT s.probe, max(${SINCE_MIDNIGHT}) AS newest
      FROM ${sql.table(table)} AS r JOIN result_series AS s ON s.id = r.series_id
      WHERE r.minute > (SELECT max(minute) FROM ${sql.table(table)}) - ${sql.lit(RECENT_MINUTES)}
      GROUP BY s.probe`.execute(db);
    return new Map(rows.map(({ probe, newest }) => [probe, newest]));
  },
};

function cellsOf(row: DayRow): Cell[] {
  const { sinceMidnight, seriesId, latencyUs, verdict, reason, error, value1, value2, more } = row;
  const minute = Math.floor(sinceMidnight / MINUTE_MS);
  return [minute, seriesId, sinceMidnight % MINUTE_MS, latencyUs, verdict, reason, error, value1, value2, more];
}

/**
 * The minutes of a span of the day, one by one: rows lie by minute first, so each is one short search. (CROSS JOIN makes
 * SQLite walk the minutes; left to itself it reads the whole day.)
 */
function minutesOf(first: number, end: number): RawBuilder<unknown> {
  const firstMinute = Math.floor(first / MINUTE_MS);
  const lastMinute = Math.floor((end - 1) / MINUTE_MS);
  return sql`WITH RECURSIVE minutes (minute) AS (
    SELECT CAST(${firstMinute} AS integer) UNION ALL SELECT minute + 1 FROM minutes WHERE minute < ${lastMinute}
  )`;
}
