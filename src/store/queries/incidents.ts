/** Incidents and their stories. */
import { type Kysely, sql } from 'kysely';
import { ConflictError, codeOf, NotFoundError } from '../../errors.ts';
import type { Incident } from '../../model.ts';
import type { StoreQueries } from '../../ports.ts';
import { incidents, timeline } from '../records.ts';
import type { Database } from '../schema.ts';

type IncidentQueries = Pick<
  StoreQueries,
  | 'insertIncident'
  | 'updateIncident'
  | 'incident'
  | 'openIncidents'
  | 'incidents'
  | 'lastIncident'
  | 'endsWithheld'
  | 'addTimeline'
  | 'timeline'
>;

export function incidentQueries(db: Kysely<Database>): IncidentQueries {
  const newestFirst = () => db.selectFrom('incidents').selectAll().orderBy('id', 'desc');
  return {
    async insertIncident(incident) {
      const { id: _, ...values } = incidents.encode({ id: 0, ...incident });
      const insertion = db.insertInto('incidents').values(values).returning('id').executeTakeFirstOrThrow();
      const { id } = await insertion.catch((error: unknown) => rethrow(error, incident));
      return { ...incident, id };
    },

    async updateIncident(incident) {
      const { id, ...changes } = incidents.encode(incident);
      const update = db.updateTable('incidents').set(changes).where('id', '=', id).executeTakeFirst();
      const { numUpdatedRows } = await update.catch((error: unknown) => rethrow(error, incident));
      if (numUpdatedRows === 0n) throw new NotFoundError('incident_not_found', `there is no incident ${id}`);
    },

    async incident(id) {
      const row = await newestFirst().where('id', '=', id).executeTakeFirst();
      return row && incidents.decode(row);
    },

    async openIncidents() {
      return (await newestFirst().where('resolvedAt', 'is', null).execute()).map(incidents.decode);
    },

    async incidents({ open, subject, beforeId, limit }) {
      let query = newestFirst().limit(limit);
      if (open !== undefined) query = query.where('resolvedAt', open ? 'is' : 'is not', null);
      if (subject !== undefined) query = query.where('subject', '=', subject);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(incidents.decode);
    },

    async lastIncident(source, subject) {
      const newest = newestFirst().where('source', '=', source).where('subject', '=', subject).limit(1);
      const row = await newest.executeTakeFirst();
      return row && incidents.decode(row);
    },

    async endsWithheld() {
      // Written out instead of bound, so that the partial index is seen to cover the query.
      const rows = await newestFirst()
        .where('withheld', '=', sql.lit('resolved' as const))
        .execute();
      return rows.map(incidents.decode);
    },

    async addTimeline(entry) {
      const { id: _, ...values } = timeline.encode({ id: 0, ...entry });
      await db.insertInto('timeline').values(values).execute();
    },

    async timeline(incidentId) {
      const rows = await db
        .selectFrom('timeline')
        .selectAll()
        .where('incidentId', '=', incidentId)
        .orderBy('id')
        .execute();
      return rows.map(timeline.decode);
    },
  };
}

function rethrow(error: unknown, { source, subject }: Pick<Incident, 'source' | 'subject'>): never {
  if (codeOf(error) !== 'store_conflict') throw error;
  throw new ConflictError('incident_open', `an incident of ${source} ${subject} is open already`, { cause: error });
}
