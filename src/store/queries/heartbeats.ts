/** What is known of the jobs that ping us. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import { heartbeats } from '../records.ts';
import type { Database } from '../schema.ts';

export function heartbeatQueries(db: Kysely<Database>): Pick<StoreQueries, 'heartbeat' | 'saveHeartbeat'> {
  const find = (keyHash: string) => db.selectFrom('heartbeats').selectAll().where('keyHash', '=', keyHash);
  return {
    async heartbeat(keyHash, now) {
      const known = await find(keyHash).executeTakeFirst();
      if (known) return heartbeats.decode(known);
      await db
        .insertInto('heartbeats')
        .values(heartbeats.encode({ keyHash, createdAt: now }))
        .onConflict((conflict) => conflict.column('keyHash').doNothing())
        .execute();
      return heartbeats.decode(await find(keyHash).executeTakeFirstOrThrow());
    },

    async saveHeartbeat(heartbeat) {
      const { keyHash, ...changes } = heartbeats.encode(heartbeat);
      await db
        .insertInto('heartbeats')
        .values({ keyHash, ...changes })
        .onConflict((conflict) => conflict.column('keyHash').doUpdateSet(changes))
        .execute();
    },
  };
}
