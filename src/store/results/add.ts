/** Writes a batch of results, all of them or none. */
import type { Kysely } from 'kysely';
import type { Result } from '../../model.ts';
import type { DayRow, Engine } from '../engine.ts';
import type { Database } from '../schema.ts';
import { reasonCodes, verdictCodes } from './codes.ts';
import { DAY_MS, dayOf, tableOf } from './days.ts';
import type { Series, SeriesDictionary } from './series.ts';
import { encodeValues } from './values.ts';

export async function addResults(
  db: Kysely<Database>,
  engine: Engine,
  dictionary: SeriesDictionary,
  results: readonly Result[],
): Promise<void> {
  if (results.length === 0) return;
  const days = byDay(results);
  const addAll = async (connection: Kysely<Database>) => {
    for (const [day, ofDay] of days) await addDay(connection, engine, dictionary, day, ofDay);
  };
  const isOneStatement = days.size === 1 && results.every((result) => dictionary.known(dayOf(result.at), result));
  try {
    if (isOneStatement) await addAll(db);
    else await db.transaction().execute(addAll);
  } catch (error) {
    dictionary.forget();
    throw error;
  }
}

function byDay(results: readonly Result[]): ReadonlyMap<number, Result[]> {
  const days = new Map<number, Result[]>();
  for (const result of results) {
    const day = dayOf(result.at);
    const ofDay = days.get(day);
    if (ofDay) ofDay.push(result);
    else days.set(day, [result]);
  }
  return days;
}

async function addDay(
  db: Kysely<Database>,
  engine: Engine,
  dictionary: SeriesDictionary,
  day: number,
  results: readonly Result[],
): Promise<void> {
  const table = tableOf(day);
  if (!dictionary.knowsDay(day)) await engine.days.create(db, table);
  const rows: DayRow[] = [];
  for (const result of results) {
    const series = dictionary.known(day, result) ?? (await dictionary.record(db, day, result));
    rows.push(rowOf(result, day, series));
  }
  await engine.days.insert(db, table, rows);
}

/** Some 35 minutes: what four bytes hold. */
const LONGEST_LATENCY_US = 2 ** 31 - 1;

function rowOf(result: Result, day: number, { id, fields }: Series): DayRow {
  return {
    seriesId: id,
    sinceMidnight: result.at - day * DAY_MS,
    latencyUs: Math.min(Math.round(result.latencyMs * 1_000), LONGEST_LATENCY_US),
    verdict: verdictCodes.code(result.verdict),
    reason: reasonCodes.code(result.reason),
    error: result.error ? 1 : 0,
    ...encodeValues(result.values, fields),
  };
}
