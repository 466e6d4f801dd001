/** Brings a database to the present schema: forward only, each step in one transaction with the row that records it. */
import { type Kysely, sql, type Transaction } from 'kysely';
import { PermanentError } from '../errors.ts';
import type { Ddl } from './engine.ts';
import type { Database } from './schema.ts';
import { TABLES } from './tables.ts';

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
  const from = await recordedVersion(db);
  if (from > migrations.length) throw newerSchema(from, migrations.length);
  for (let version = from + 1; version <= migrations.length; version++) {
    await db.transaction().execute((transaction) => applyStep(transaction, ddl, migrations, version, now));
  }
  return { from, to: migrations.length };
}

/** Every step up to a version that is still to be made, within a transaction of the caller. */
export async function applySteps(
  transaction: Transaction<Database>,
  ddl: Ddl,
  migrations: readonly Migration[],
  { upTo, now }: { readonly upTo: number; readonly now: number },
): Promise<void> {
  for (let version = (await recordedVersion(transaction)) + 1; version <= upTo; version++) {
    await applyStep(transaction, ddl, migrations, version, now);
  }
}

/** Makes the table of versions where it is not yet. */
async function recordedVersion(db: Kysely<Database>): Promise<number> {
  await db.schema
    .createTable('schemaMigrations')
    .ifNotExists()
    .addColumn('version', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('appliedAt', 'bigint', (column) => column.notNull())
    .execute();
  const newest = await db
    .selectFrom('schemaMigrations')
    .select('version')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return newest?.version ?? 0;
}

/** One step, with the row that records it. The last one also says what the tables are for, as they are now. */
async function applyStep(
  transaction: Transaction<Database>,
  ddl: Ddl,
  migrations: readonly Migration[],
  version: number,
  now: number,
): Promise<void> {
  const migration = migrations[version - 1];
  if (migration === undefined) throw new RangeError(`there is no migration ${version}`);
  const comments = version === migrations.length ? Object.entries(TABLES) : [];
  const statements = [
    ...migration.statements(ddl),
    ...comments.flatMap(([table, facts]) => ddl.comments(table, facts)),
  ];
  for (const statement of statements) await sql.raw(statement).execute(transaction);
  await transaction.insertInto('schemaMigrations').values({ version, name: migration.name, appliedAt: now }).execute();
}

function newerSchema(found: number, known: number): PermanentError {
  return new PermanentError(
    'schema_newer',
    `the store has schema version ${found}, and this program knows versions up to ${known}: ` +
      'start the newer program that wrote it, or restore a backup from before the upgrade',
  );
}
