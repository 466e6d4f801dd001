/** The proof that the store takes a write. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import type { Database } from '../schema.ts';

/** The sign is one row. */
const ONLY_ROW = 1;

export function vitalSignQueries(db: Kysely<Database>): Pick<StoreQueries, 'proveWrite'> {
  return {
    async proveWrite(at) {
      await db
        .insertInto('vitalSign')
        .values({ id: ONLY_ROW, at })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ at }))
        .execute();
    },
  };
}
