/** Runs of remediations. */
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import { NotFoundError } from '../../errors.ts';
import type { AttemptFilter, StoreQueries } from '../../ports.ts';
import { attempts } from '../records.ts';
import type { Database } from '../schema.ts';

type AttemptQueries = Pick<StoreQueries, 'insertAttempt' | 'updateAttempt' | 'attempt' | 'attempts' | 'countAttempts'>;

export function attemptQueries(db: Kysely<Database>): AttemptQueries {
  return {
    async insertAttempt(attempt) {
      const { id: _, ...values } = attempts.encode({ id: 0, ...attempt });
      const { id } = await db.insertInto('attempts').values(values).returning('id').executeTakeFirstOrThrow();
      return { ...attempt, id };
    },

    async updateAttempt(attempt) {
      const { id, ...changes } = attempts.encode(attempt);
      const { numUpdatedRows } = await db
        .updateTable('attempts')
        .set(changes)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (numUpdatedRows === 0n) throw new NotFoundError('attempt_not_found', `there is no attempt ${id}`);
    },

    async attempt(id) {
      const row = await db.selectFrom('attempts').selectAll().where('id', '=', id).executeTakeFirst();
      return row && attempts.decode(row);
    },

    async attempts({ limit, ...filter }) {
      const query = matching(db.selectFrom('attempts'), filter).selectAll().orderBy('id', 'desc').limit(limit);
      return (await query.execute()).map(attempts.decode);
    },

    async countAttempts(filter) {
      const count = matching(db.selectFrom('attempts'), filter).select(sql<number>`count(*)`.as('count'));
      return Number((await count.executeTakeFirstOrThrow()).count);
    },
  };
}

const NOBODY = sql<boolean>`1 = 0`;

type Attempts<Output> = SelectQueryBuilder<Database, 'attempts', Output>;

/** `since` is about the act when only started attempts are asked for, else about the intent. */
function matching<Output>(query: Attempts<Output>, filter: Omit<AttemptFilter, 'limit'>): Attempts<Output> {
  let narrowed = query;
  for (const column of ['incidentId', 'probe', 'remediation', 'resource'] as const) {
    const value = filter[column];
    if (value !== undefined) narrowed = narrowed.where(column, '=', value);
  }
  const { started, states, since } = filter;
  if (started !== undefined) narrowed = narrowed.where('startedAt', started ? 'is not' : 'is', null);
  // An empty list is not SQL everywhere.
  if (states !== undefined)
    narrowed = states.length > 0 ? narrowed.where('state', 'in', states) : narrowed.where(NOBODY);
  if (since !== undefined) narrowed = narrowed.where(started ? 'startedAt' : 'intendedAt', '>=', since);
  return narrowed;
}
