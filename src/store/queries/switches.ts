/** What holds healing back by decision: disarmed remediations, and the freeze. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import { disarmed, freezes } from '../records.ts';
import type { Database } from '../schema.ts';

/** The freeze is one row or none. */
const ONLY_ROW = 1;

type SwitchQueries = Pick<StoreQueries, 'disarmed' | 'disarm' | 'arm' | 'frozen' | 'freeze' | 'unfreeze'>;

export function switchQueries(db: Kysely<Database>): SwitchQueries {
  return {
    async disarmed() {
      const rows = await db.selectFrom('disarmed').selectAll().orderBy('at', 'desc').orderBy('remediation').execute();
      return rows.map(disarmed.decode);
    },

    async disarm(entry) {
      const { remediation, ...changes } = disarmed.encode(entry);
      await db
        .insertInto('disarmed')
        .values({ remediation, ...changes })
        .onConflict((conflict) => conflict.column('remediation').doUpdateSet(changes))
        .execute();
    },

    async arm(remediation) {
      const { numDeletedRows } = await db
        .deleteFrom('disarmed')
        .where('remediation', '=', remediation)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },

    async frozen() {
      const row = await db.selectFrom('healingFreeze').selectAll().executeTakeFirst();
      return row && freezes.decode(row);
    },

    async freeze(freeze) {
      const changes = freezes.encode(freeze);
      await db
        .insertInto('healingFreeze')
        .values({ id: ONLY_ROW, ...changes })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(changes))
        .execute();
    },

    async unfreeze() {
      const { numDeletedRows } = await db.deleteFrom('healingFreeze').executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}
