/** States of probes, and their changes. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import { probeStates, transitions } from '../records.ts';
import type { Database } from '../schema.ts';

type ProbeQueries = Pick<
  StoreQueries,
  'probeStates' | 'saveProbeState' | 'deleteProbeState' | 'insertTransition' | 'transitions'
>;

export function probeQueries(db: Kysely<Database>): ProbeQueries {
  return {
    async probeStates() {
      const rows = await db.selectFrom('probeStates').selectAll().orderBy('probe').execute();
      return rows.map(probeStates.decode);
    },

    async saveProbeState(state) {
      const { probe, ...changes } = probeStates.encode(state);
      await db
        .insertInto('probeStates')
        .values({ probe, ...changes })
        .onConflict((conflict) => conflict.column('probe').doUpdateSet(changes))
        .execute();
    },

    async deleteProbeState(probe) {
      await db.deleteFrom('probeStates').where('probe', '=', probe).execute();
    },

    async insertTransition(transition) {
      const { id: _, ...values } = transitions.encode({ id: 0, ...transition });
      const { id } = await db.insertInto('transitions').values(values).returning('id').executeTakeFirstOrThrow();
      return { ...transition, id };
    },

    async transitions({ probe, since, limit }) {
      let query = db.selectFrom('transitions').selectAll().orderBy('id', 'desc').limit(limit);
      if (probe !== undefined) query = query.where('probe', '=', probe);
      if (since !== undefined) query = query.where('at', '>=', since);
      return (await query.execute()).map(transitions.decode);
    },
  };
}
