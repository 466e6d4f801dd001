/** The outbox, and what notifiers remember of an incident. */
import { type Kysely, sql } from 'kysely';
import { NotFoundError } from '../../errors.ts';
import type { StoreQueries } from '../../ports.ts';
import { readJson } from '../codec.ts';
import { notifications } from '../records.ts';
import type { Database } from '../schema.ts';

type NotificationQueries = Pick<
  StoreQueries,
  | 'insertNotification'
  | 'updateNotification'
  | 'pendingNotifications'
  | 'countPending'
  | 'notifications'
  | 'conversation'
  | 'saveConversation'
>;

/** Written out instead of bound, so that the partial index is seen to cover the query. */
const PENDING = sql.lit('pending' as const);

export function notificationQueries(db: Kysely<Database>): NotificationQueries {
  return {
    async insertNotification(notification) {
      const { id: _, ...values } = notifications.encode({ id: 0, ...notification });
      const { id } = await db.insertInto('notifications').values(values).returning('id').executeTakeFirstOrThrow();
      return { ...notification, id };
    },

    async updateNotification(notification) {
      const { id, ...changes } = notifications.encode(notification);
      const { numUpdatedRows } = await db
        .updateTable('notifications')
        .set(changes)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) throw new NotFoundError('notification_not_found', `there is no notification ${id}`);
    },

    async pendingNotifications({ notifier, afterId, limit }) {
      let query = db.selectFrom('notifications').selectAll().where('state', '=', PENDING).orderBy('id').limit(limit);
      if (notifier !== undefined) query = query.where('notifier', '=', notifier);
      if (afterId !== undefined) query = query.where('id', '>', afterId);
      return (await query.execute()).map(notifications.decode);
    },

    async countPending() {
      const rows = await db
        .selectFrom('notifications')
        .select(['notifier', sql<number>`count(*)`.as('count')])
        .where('state', '=', PENDING)
        .groupBy('notifier')
        .execute();
      return new Map(rows.map(({ notifier, count }) => [notifier, Number(count)]));
    },

    async notifications({ incidentId, limit }) {
      let query = db.selectFrom('notifications').selectAll().orderBy('id', 'desc').limit(limit);
      if (incidentId !== undefined) query = query.where('incidentId', '=', incidentId);
      return (await query.execute()).map(notifications.decode);
    },

    async conversation(notifier, incidentId) {
      const row = await db
        .selectFrom('conversations')
        .select('conversation')
        .where('notifier', '=', notifier)
        .where('incidentId', '=', incidentId)
        .executeTakeFirst();
      return row && readJson(row.conversation, 'conversation');
    },

    async saveConversation(notifier, incidentId, value) {
      const conversation = JSON.stringify(value ?? null);
      await db
        .insertInto('conversations')
        .values({ notifier, incidentId, conversation })
        .onConflict((conflict) => conflict.columns(['notifier', 'incidentId']).doUpdateSet({ conversation }))
        .execute();
    },
  };
}
