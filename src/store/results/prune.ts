/** Retention: whole days go, the oldest first. */
import type { Kysely } from 'kysely';
import type { Store } from '../../ports.ts';
import type { Engine } from '../engine.ts';
import type { Database } from '../schema.ts';
import { DAY_MS, storedDays, tableOf } from './days.ts';

type Keep = Parameters<Store['prune']>[0];
type Kept = Awaited<ReturnType<Store['prune']>>;

/** The newest day always stays, however large. `bytes` is what the whole store occupies. */
export async function prune(db: Kysely<Database>, engine: Engine, keep: Keep, now: number): Promise<Kept> {
  for (const day of (await storedDays(db)).slice(0, -1)) {
    const tooOld = (day + 1) * DAY_MS <= now - keep.resultsMs;
    if (!tooOld && (await engine.usedBytes()) <= keep.maxBytes) break;
    await dropDay(db, day);
  }
  await engine.reclaim();
  const [oldest] = await storedDays(db);
  const bytes = await engine.usedBytes();
  if (oldest === undefined) return { bytes };
  const firstTime = await engine.days.firstTime(db, tableOf(oldest));
  return { oldestAt: oldest * DAY_MS + (firstTime ?? 0), bytes };
}

async function dropDay(db: Kysely<Database>, day: number): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction.schema.dropTable(tableOf(day)).ifExists().execute();
    await transaction.deleteFrom('resultDays').where('day', '=', day).execute();
    await transaction
      .deleteFrom('resultSeries')
      .where('id', 'not in', (query) => query.selectFrom('resultDays').select('seriesId'))
      .execute();
  });
}
