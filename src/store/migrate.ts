/** Brings a database to the present schema: forward only, each step in one transaction with the row that records it. */
import { type Kysely, sql, type Transaction } from 'kysely';
import { PermanentError } from '../errors.ts';
import type { Ddl } from './engine.ts';
import type { Database } from './schema.ts';

/** One step. Its version is its place in the list, from 1. */
export interface Migration {
  readonly name: string;
  statements(ddl: Ddl): readonly string[];
}

/** The name and content of a step are fixed once released; a kill at any statement leaves it undone or done. */
export async function migrate(
  db: Kysely<Database>,
  ddl: Ddl,
  migrations: readonly Migration[],
  now: number,
): Promise<{ readonly from: number; readonly to: number }> {
  await db.schema
    .createTable('schemaMigrations')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('appliedAt', 'bigint', (column) => column.notNull())
    .execute();
  const from = await schemaVersion(db);
  if (from > migrations.length) throw newerSchema(from, migrations.length);
  for (const [index, migration] of migrations.entries()) {
    if (index >= from)
      await db.transaction().execute((transaction) => apply(transaction, ddl, migration, index + 1, now));
  }
  return { from, to: migrations.length };
}

async function schemaVersion(db: Kysely<Database>): Promise<number> {
  const newest = await db
    .selectFrom('schemaMigrations')
    .select('version')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return newest?.version ?? 0;
}

async function apply(
  transaction: Transaction<Database>,
  ddl: Ddl,
  migration: Migration,
  version: number,
  now: number,
): Promise<void> {
  for (const statement of migration.statements(ddl)) await sql.raw(statement).execute(transaction);
  await transaction.insertInto('schemaMigrations').values({ version, name: migration.name, appliedAt: now }).execute();
}

function newerSchema(found: number, known: number): PermanentError {
  return new PermanentError(
    'schema_newer',
    `the store has schema version ${found}, and this program knows versions up to ${known}: ` +
      'start the newer program that wrote it, or restore a backup from before the upgrade',
  );
}
