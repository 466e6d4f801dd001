/** Writes a batch of results in one transaction. */
import type { Kysely, Transaction } from 'kysely';
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
  try {
    await db.transaction().execute(async (transaction) => {
      for (const [day, ofDay] of byDay(results)) await addDay(transaction, engine, dictionary, day, ofDay);
    });
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
  transaction: Transaction<Database>,
  engine: Engine,
  dictionary: SeriesDictionary,
  day: number,
  results: readonly Result[],
): Promise<void> {
  const table = tableOf(day);
  if (!dictionary.knowsDay(day)) await engine.days.create(transaction, table);
  const rows: DayRow[] = [];
  for (const result of results) {
    const series = dictionary.known(day, result) ?? (await dictionary.record(transaction, day, result));
    rows.push(rowOf(result, day, series));
  }
  await engine.days.insert(transaction, table, rows);
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
