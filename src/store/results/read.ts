/** Reads results back. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Result } from '../../model.ts';
import type { Store } from '../../ports.ts';
import type { Database } from '../schema.ts';
import { reasonCodes, verdictCodes } from './codes.ts';
import { DAY_MS, dayOf, MINUTE_MS, storedDays, tableOf } from './days.ts';
import { type StoredSeries, seriesByDay } from './series.ts';
import { decodeValues } from './values.ts';

type Filter = Parameters<Store['results']>[0];

/** A stored row, with its time within the day. */
interface ResultRow {
  readonly seriesId: number;
  readonly sinceMidnight: number;
  readonly latencyUs: number;
  readonly verdict: number;
  readonly reason: number;
  readonly error: number;
  readonly value1: number | null;
  readonly value2: number | null;
  readonly more: Uint8Array | null;
}

/** Oldest first, the newest `limit` of them. */
export async function readResults(db: Kysely<Database>, filter: Filter): Promise<readonly Result[]> {
  const found: Result[] = [];
  const days = await seriesByDay(db, filter.probe);
  const newestFirst = [...days].sort(([one], [other]) => other - one);
  for (const [day, series] of newestFirst) {
    if (found.length >= filter.limit || day < dayOf(filter.from)) break;
    if (day * DAY_MS >= filter.to) continue;
    found.push(...(await readDay(db, day, series, { ...filter, limit: filter.limit - found.length })));
  }
  return found.reverse();
}

/** Newest first. */
async function readDay(
  db: Kysely<Database>,
  day: number,
  series: readonly StoredSeries[],
  { from, to, limit }: Filter,
): Promise<Result[]> {
  const first = Math.max(from - day * DAY_MS, 0);
  const end = Math.min(to - day * DAY_MS, DAY_MS);
  const { rows } = await sql<ResultRow>`
    ${minutesOf(first, end)}
    SELECT r.series_id, ${SINCE_MIDNIGHT} AS since_midnight, r.latency_us, r.verdict, r.reason, r.error,
      r.value_1 AS value1, r.value_2 AS value2, r.more
    FROM minutes CROSS JOIN ${sql.table(tableOf(day))} AS r
    WHERE r.minute = minutes.minute AND r.series_id IN (${sql.join(series.map(({ id }) => id))})
      AND ${SINCE_MIDNIGHT} >= ${first} AND ${SINCE_MIDNIGHT} < ${end}
    ORDER BY r.minute DESC, r.offset_ms DESC
    LIMIT ${Math.min(limit, Number.MAX_SAFE_INTEGER)}`.execute(db);
  const byId = new Map(series.map((one) => [one.id, one]));
  return rows.flatMap((row) => {
    const stored = byId.get(row.seriesId);
    return stored ? [resultOf(day, row, stored)] : [];
  });
}

const SINCE_MIDNIGHT = sql<number>`(r.minute * ${sql.lit(MINUTE_MS)} + r.offset_ms)`;

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

/** A word of a newer program that was undone since reads as the most doubtful one. */
function resultOf(day: number, row: ResultRow, { probe, revision, fields }: StoredSeries): Result {
  return {
    probe,
    at: day * DAY_MS + row.sinceMidnight,
    latencyMs: row.latencyUs / 1_000,
    reason: reasonCodes.word(row.reason) ?? 'internal',
    verdict: verdictCodes.word(row.verdict) ?? 'unknown',
    revision,
    error: row.error === 1,
    values: decodeValues(row, fields),
  };
}

/** How far back from the newest result most probes have one. */
const RECENT_MINUTES = 15;

/** The newest result time of every probe that has results. */
export async function lastResultTimes(db: Kysely<Database>): Promise<ReadonlyMap<string, number>> {
  const newestDay = (await storedDays(db)).at(-1);
  if (newestDay === undefined) return new Map();
  const times = await recentTimes(db, newestDay);
  for (const probe of await recordedProbes(db)) {
    if (times.has(probe)) continue;
    const [newest] = await readResults(db, { probe, from: 0, to: Number.POSITIVE_INFINITY, limit: 1 });
    if (newest) times.set(probe, newest.at);
  }
  return times;
}

/** One pass over the last minutes of a day instead of one search for each probe. */
async function recentTimes(db: Kysely<Database>, day: number): Promise<Map<string, number>> {
  const table = sql.table(tableOf(day));
  const { rows } = await sql<{ probe: string; newest: number }>`
    SELECT s.probe, max(${SINCE_MIDNIGHT}) AS newest
    FROM ${table} AS r JOIN result_series AS s ON s.id = r.series_id
    WHERE r.minute > (SELECT max(minute) FROM ${table}) - ${sql.lit(RECENT_MINUTES)}
    GROUP BY s.probe`.execute(db);
  return new Map(rows.map(({ probe, newest }) => [probe, day * DAY_MS + newest]));
}

async function recordedProbes(db: Kysely<Database>): Promise<string[]> {
  const rows = await db.selectFrom('resultSeries').select('probe').distinct().execute();
  return rows.map(({ probe }) => probe);
}
