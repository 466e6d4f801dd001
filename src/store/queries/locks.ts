/** Locks on resources, each with a fencing token that rises for ever. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import type { Database } from '../schema.ts';

/** Before any time that is asked about, so that everybody sees the lock as expired. */
const RELEASED = 0;

export function lockQueries(db: Kysely<Database>): Pick<StoreQueries, 'acquireLock' | 'renewLock' | 'releaseLock'> {
  return {
    async acquireLock(resource, owner, now, expiresAt) {
      const taken = await db
        .insertInto('locks')
        .values({ resource, owner, fence: 1, expiresAt })
        .onConflict((conflict) =>
          conflict
            .column('resource')
            .doUpdateSet((row) => ({ owner, fence: row('locks.fence', '+', 1), expiresAt }))
            .where('locks.expiresAt', '<=', now),
        )
        .returning('fence')
        .executeTakeFirst();
      return taken?.fence;
    },

    async renewLock(resource, fence, expiresAt) {
      const { numUpdatedRows } = await db
        .updateTable('locks')
        .set({ expiresAt })
        .where('resource', '=', resource)
        .where('fence', '=', fence)
        .where('expiresAt', '>', RELEASED)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    async releaseLock(resource, fence) {
      await db
        .updateTable('locks')
        .set({ expiresAt: RELEASED })
        .where('resource', '=', resource)
        .where('fence', '=', fence)
        .execute();
    },
  };
}
