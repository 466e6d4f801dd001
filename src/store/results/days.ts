/** Days of results: their numbers (days since 1970, UTC), and a table for each. */
import type { Kysely } from 'kysely';
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

/** Days that have results, oldest first. */
export async function storedDays(db: Kysely<Database>): Promise<number[]> {
  const rows = await db.selectFrom('resultDays').select('day').distinct().orderBy('day').execute();
  return rows.map(({ day }) => day);
}
