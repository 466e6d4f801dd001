/** Reads results back. */
import type { Kysely } from 'kysely';
import type { Result } from '../../model.ts';
import type { Store } from '../../ports.ts';
import type { DayRow, DayTables } from '../engine.ts';
import type { Database } from '../schema.ts';
import { reasonCodes, verdictCodes } from './codes.ts';
import { DAY_MS, dayOf, storedDays, tableOf } from './days.ts';
import { type StoredSeries, seriesByDay } from './series.ts';
import { decodeValues } from './values.ts';

type Filter = Parameters<Store['results']>[0];

/** Oldest first, the newest `limit` of them. */
export async function readResults(db: Kysely<Database>, tables: DayTables, filter: Filter): Promise<readonly Result[]> {
  const found: Result[] = [];
  const days = await seriesByDay(db, filter.probe);
  const newestFirst = [...days].sort(([one], [other]) => other - one);
  for (const [day, series] of newestFirst) {
    if (found.length >= filter.limit || day < dayOf(filter.from)) break;
    if (day * DAY_MS >= filter.to) continue;
    found.push(...(await readDay(db, tables, day, series, { ...filter, limit: filter.limit - found.length })));
  }
  return found.reverse();
}

/** Newest first. */
async function readDay(
  db: Kysely<Database>,
  tables: DayTables,
  day: number,
  series: readonly StoredSeries[],
  { from, to, limit }: Filter,
): Promise<Result[]> {
  const first = Math.max(from - day * DAY_MS, 0);
  const end = Math.min(to - day * DAY_MS, DAY_MS);
  const span = { seriesIds: series.map(({ id }) => id), first, end, limit: Math.min(limit, Number.MAX_SAFE_INTEGER) };
  const rows = await tables.read(db, tableOf(day), span);
  const byId = new Map(series.map((one) => [one.id, one]));
  return rows.flatMap((row) => {
    const stored = byId.get(row.seriesId);
    return stored ? [resultOf(day, row, stored)] : [];
  });
}

/** A word of a newer program that was undone since reads as the most doubtful one. */
function resultOf(day: number, row: DayRow, { probe, revision, fields }: StoredSeries): Result {
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

/** The newest result time of every probe that has results. */
export async function lastResultTimes(db: Kysely<Database>, tables: DayTables): Promise<ReadonlyMap<string, number>> {
  const newestDay = (await storedDays(db)).at(-1);
  if (newestDay === undefined) return new Map();
  // One pass over the last minutes of a day instead of one search for each probe.
  const recent = await tables.recentTimes(db, tableOf(newestDay));
  const times = new Map([...recent].map(([probe, sinceMidnight]) => [probe, newestDay * DAY_MS + sinceMidnight]));
  for (const probe of await recordedProbes(db)) {
    if (times.has(probe)) continue;
    const [newest] = await readResults(db, tables, { probe, from: 0, to: Number.POSITIVE_INFINITY, limit: 1 });
    if (newest) times.set(probe, newest.at);
  }
  return times;
}

async function recordedProbes(db: Kysely<Database>): Promise<string[]> {
  const rows = await db.selectFrom('resultSeries').select('probe').distinct().execute();
  return rows.map(({ probe }) => probe);
}
