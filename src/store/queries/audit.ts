/** Who changed what, and when. */
import type { Kysely } from 'kysely';
import type { StoreQueries } from '../../ports.ts';
import { auditEntries } from '../records.ts';
import type { Database } from '../schema.ts';

export function auditQueries(db: Kysely<Database>): Pick<StoreQueries, 'addAudit' | 'auditEntries' | 'lastAudit'> {
  return {
    async addAudit(entry) {
      const { id: _, ...values } = auditEntries.encode({ id: 0, ...entry });
      await db.insertInto('audit').values(values).execute();
    },

    async auditEntries({ limit }) {
      const rows = await db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(limit).execute();
      return rows.map(auditEntries.decode);
    },

    async lastAudit(action, subject) {
      const row = await db
        .selectFrom('audit')
        .selectAll()
        .where('action', '=', action)
        .where('subject', '=', subject)
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && auditEntries.decode(row);
    },
  };
}
