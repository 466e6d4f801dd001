/** What rows of results have in common, each with a small number; kept in memory so that a batch asks for nothing. */
import type { Kysely } from 'kysely';
import type { Result } from '../../model.ts';
import { readJson } from '../codec.ts';
import type { Database } from '../schema.ts';
import { fieldsOf, type ValueFields } from './values.ts';

export interface Series {
  readonly id: number;
  readonly fields: ValueFields;
}

export interface StoredSeries extends Series {
  readonly probe: string;
  readonly revision: string;
}

export class SeriesDictionary {
  readonly #series = new Map<string, Series>();
  readonly #days = new Map<number, Set<number>>();

  /** The series of a result, if it is known to be stored and recorded as having rows on this day. */
  known(day: number, result: Result): Series | undefined {
    const series = this.#series.get(keyOf(result));
    return series && this.#days.get(day)?.has(series.id) ? series : undefined;
  }

  /** True: the table of this day is there. */
  knowsDay(day: number): boolean {
    return this.#days.has(day);
  }

  async record(db: Kysely<Database>, day: number, result: Result): Promise<Series> {
    const key = keyOf(result);
    const series = this.#series.get(key) ?? (await recordSeries(db, result));
    this.#series.set(key, series);
    await recordDay(db, day, series.id);
    this.#days.set(day, (this.#days.get(day) ?? new Set()).add(series.id));
    return series;
  }

  /** After a transaction that was undone, and after days were dropped: nothing in memory is known to be stored. */
  forget(): void {
    this.#series.clear();
    this.#days.clear();
  }
}

/** A type may change from one result to the next, so the kinds of values belong to the key. */
function keyOf({ probe, revision, values }: Result): string {
  let key = `${probe}\n${revision}`;
  for (const name in values) key += Number.isFinite(values[name]) ? `\n${name}` : `\n~${name}`;
  return key;
}

async function recordSeries(db: Kysely<Database>, { probe, revision, values }: Result): Promise<Series> {
  const fields = fieldsOf(values);
  const row = { probe, revision, fields: JSON.stringify(fields) };
  await db
    .insertInto('resultSeries')
    .values(row)
    .onConflict((conflict) => conflict.columns(['probe', 'revision', 'fields']).doNothing())
    .execute();
  const { id } = await db
    .selectFrom('resultSeries')
    .select('id')
    .where('probe', '=', probe)
    .where('revision', '=', revision)
    .where('fields', '=', row.fields)
    .executeTakeFirstOrThrow();
  return { id, fields };
}

async function recordDay(db: Kysely<Database>, day: number, seriesId: number): Promise<void> {
  await db
    .insertInto('resultDays')
    .values({ day, seriesId })
    .onConflict((conflict) => conflict.columns(['day', 'seriesId']).doNothing())
    .execute();
}

/** The series of a probe that have rows on each day. */
export async function seriesByDay(db: Kysely<Database>, probe: string): Promise<ReadonlyMap<number, StoredSeries[]>> {
  const rows = await db
    .selectFrom('resultSeries')
    .innerJoin('resultDays', 'resultDays.seriesId', 'resultSeries.id')
    .select(['resultSeries.id', 'resultSeries.probe', 'resultSeries.revision', 'resultSeries.fields', 'resultDays.day'])
    .where('resultSeries.probe', '=', probe)
    .execute();
  const days = new Map<number, StoredSeries[]>();
  for (const { day, fields, ...series } of rows) {
    // Written by `recordSeries` above.
    const stored = { ...series, fields: readJson(fields, 'result series') as ValueFields };
    days.set(day, [...(days.get(day) ?? []), stored]);
  }
  return days;
}
