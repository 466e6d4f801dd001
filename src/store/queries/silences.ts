/** What people asked not to hear of. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import { silences } from '../records.ts';
import type { Database } from '../schema.ts';

type SilenceQueries = Pick<StoreQueries, 'insertSilence' | 'silence' | 'silences' | 'expireSilence'>;

export function silenceQueries(db: Kysely<Database>): SilenceQueries {
  const newestFirst = () => db.selectFrom('silences').selectAll().orderBy('id', 'desc');
  return {
    async insertSilence(silence) {
      const { id: _, ...values } = silences.encode({ id: 0, ...silence });
      const { id } = await db.insertInto('silences').values(values).returning('id').executeTakeFirstOrThrow();
      return { ...silence, id };
    },

    async silence(id) {
      const row = await newestFirst().where('id', '=', id).executeTakeFirst();
      return row && silences.decode(row);
    },

    async silences({ endingAfter, limit }) {
      let query = newestFirst().limit(limit);
      if (endingAfter !== undefined) query = query.where('endsAt', '>', endingAfter).where('expiredAt', 'is', null);
      return (await query.execute()).map(silences.decode);
    },

    async expireSilence(id, at) {
      const { numUpdatedRows } = await db
        .updateTable('silences')
        .set({ expiredAt: at })
        .where('id', '=', id)
        .where('expiredAt', 'is', null)
        .where('endsAt', '>', at)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },
  };
}
