/** Writes a batch of results in one transaction. */
import type { Kysely, Transaction } from 'kysely';
import type { Result } from '../../model.ts';
import type { Engine } from '../engine.ts';
import type { Database } from '../schema.ts';
import type { Cell } from '../sqlite/protocol.ts';
import { reasonCodes, verdictCodes } from './codes.ts';
import { createDay, DAY_COLUMNS, DAY_MS, dayOf, insertionSql, MINUTE_MS } from './days.ts';
import type { SeriesDictionary } from './series.ts';
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
  await createDay(transaction, engine.ddl, day);
  const cells: Cell[] = [];
  for (const result of results) {
    const { id, fields } = dictionary.known(day, result) ?? (await dictionary.record(transaction, day, result));
    const sinceMidnight = result.at - day * DAY_MS;
    const { value1, value2, more } = encodeValues(result.values, fields);
    cells.push(Math.floor(sinceMidnight / MINUTE_MS), id, sinceMidnight % MINUTE_MS);
    cells.push(Math.round(result.latencyMs * 1_000), verdictCodes.code(result.verdict));
    cells.push(reasonCodes.code(result.reason), result.error ? 1 : 0, value1, value2, more);
  }
  await engine.insertMany(transaction, insertionSql(day), DAY_COLUMNS.length, cells);
}
