/** Puts a backup in the place of all that a store holds: everything, or nothing of it. */
import { type Kysely, sql, type Transaction } from 'kysely';
import { ConflictError, PermanentError } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import { applySteps, type Migration } from '../migrate.ts';
import { storedDays, tableOf } from '../results/days.ts';
import type { Database } from '../schema.ts';
import { TABLES } from '../tables.ts';
import {
  type BackupHead,
  type BackupLine,
  FORMAT_VERSION,
  fromStored,
  type RowCounts,
  type StoredResult,
  unreadable,
} from './format.ts';

/**
 * Reads all of a backup and keeps none of it. Errors: UsageError `backup_unreadable`, PermanentError `schema_newer`. What only
 * its rows themselves can break, a wrong number of them, shows when they are restored.
 */
export async function checkLines(lines: AsyncIterable<BackupLine>, schema: number): Promise<void> {
  let isFirst = true;
  for await (const line of lines) {
    if (isFirst) headOf(line, schema);
    isFirst = false;
  }
}

export interface RestoreOptions {
  readonly db: Kysely<Database>;
  readonly engine: Engine;
  readonly migrations: readonly Migration[];
  readonly lines: AsyncIterable<BackupLine>;
  /** What the store holds goes. */
  readonly force: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * In one transaction: drops every table, makes those of the backup's schema, fills and counts them, and brings them to the
 * present schema. Errors: ConflictError `store_not_empty`, UsageError `backup_unreadable`, PermanentError `schema_newer`.
 */
export function restore({ db, engine, migrations, lines, force, now }: RestoreOptions): Promise<RowCounts> {
  return db.transaction().execute(async (transaction) => {
    if (!force && !(await isEmpty(transaction))) throw notEmpty();
    await dropAll(transaction);
    const filling = new Filling(transaction, engine);
    let head: BackupHead | undefined;
    for await (const line of lines) {
      if (head === undefined) {
        head = headOf(line, migrations.length);
        await applySteps(transaction, engine.ddl, migrations, { upTo: head.schema, now });
      } else await filling.add(line);
    }
    await filling.finish();
    await applySteps(transaction, engine.ddl, migrations, { upTo: migrations.length, now });
    return filling.counts;
  });
}

/** The first line. */
function headOf(line: BackupLine, schema: number): BackupHead {
  if (!('format' in line)) throw unreadable('it has no head');
  if (line.version > FORMAT_VERSION || line.schema > schema) {
    const advice = 'restore it with the newer program that wrote it';
    throw new PermanentError('schema_newer', `the backup has schema version ${line.schema}: ${advice}`);
  }
  return line;
}

function notEmpty(): ConflictError {
  const advice = 'add --force to give up all that is in it';
  return new ConflictError('store_not_empty', `the store is not empty: ${advice}`);
}

async function isEmpty(db: Kysely<Database>): Promise<boolean> {
  for (const table of Object.keys(TABLES)) {
    if (table === 'schema_migrations') continue;
    const { rows } = await sql`SELECT 1 FROM ${sql.table(table)} LIMIT 1`.execute(db);
    if (rows.length > 0) return false;
  }
  return true;
}

async function dropAll(db: Kysely<Database>): Promise<void> {
  const days = (await storedDays(db)).map(tableOf);
  for (const table of [...days, ...Object.keys(TABLES).reverse()])
    await sql`DROP TABLE IF EXISTS ${sql.table(table)}`.execute(db);
}

interface LateReference {
  readonly id: number;
  readonly other: number;
}

/** Puts lines into empty tables, counts what is in them, and compares that with what the backup says. */
class Filling {
  readonly counts: Record<string, number> = {};
  readonly #transaction: Transaction<Database>;
  readonly #engine: Engine;
  /** Rows that refer to later ones of their table, which are not there yet. */
  readonly #late = new Map<string, LateReference[]>();
  #expected: RowCounts = {};

  constructor(transaction: Transaction<Database>, engine: Engine) {
    this.#transaction = transaction;
    this.#engine = engine;
  }

  async add(line: BackupLine): Promise<void> {
    if ('table' in line) await this.#addRows(line.table, line.rows);
    else if ('day' in line) await this.#addResults(line.day, line.results);
    else if ('end' in line) this.#expected = line.counts;
    else throw unreadable('it has two heads');
  }

  async finish(): Promise<void> {
    for (const [table, late] of this.#late) await this.#mend(table, late);
    for (const [table, expected] of Object.entries(this.#expected)) {
      this.counts[table] = isDay(table) && expected === 0 ? 0 : await this.#count(table);
      if (this.counts[table] !== expected)
        throw unreadable(`it holds ${this.counts[table]} rows of ${table}, and says ${expected}`);
      if (TABLES[table]?.isNumbered) await this.#run(this.#engine.ddl.continueIds(table));
    }
  }

  async #addRows(table: string, rows: readonly StoredRow[]): Promise<void> {
    const [first] = rows;
    if (first === undefined) return;
    // Its rows were written when the tables were made; those of the backup say when that was for the first time.
    if (table === 'schema_migrations') await sql`DELETE FROM schema_migrations`.execute(this.#transaction);
    const names = Object.keys(first);
    const tuples = rows
      .map((row) => this.#withoutLate(table, row))
      .map((row) => names.map((name) => row[name] ?? null));
    await sql`INSERT INTO ${sql.table(table)} (${sql.join(names.map((name) => sql.ref(name)))})
      VALUES ${sql.join(tuples.map((tuple) => sql`(${sql.join(tuple)})`))}`.execute(this.#transaction);
  }

  async #addResults(day: number, results: readonly StoredResult[]): Promise<void> {
    const { days } = this.#engine;
    await days.create(this.#transaction, tableOf(day));
    await days.insert(this.#transaction, tableOf(day), results.map(fromStored));
  }

  #withoutLate(table: string, row: StoredRow): StoredRow {
    const self = TABLES[table]?.self;
    const other = self === undefined ? null : row[self];
    if (self === undefined || !(Number(other) > Number(row['id']))) return row;
    const late = this.#late.get(table) ?? [];
    this.#late.set(table, [...late, { id: Number(row['id']), other: Number(other) }]);
    return { ...row, [self]: null };
  }

  async #mend(table: string, late: readonly LateReference[]): Promise<void> {
    const self = sql.ref(TABLES[table]?.self ?? '');
    for (const { id, other } of late)
      await sql`UPDATE ${sql.table(table)} SET ${self} = ${other} WHERE id = ${id}`.execute(this.#transaction);
  }

  async #count(table: string): Promise<number> {
    const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM ${sql.table(table)}`.execute(
      this.#transaction,
    );
    return Number(rows[0]?.count);
  }

  async #run(statements: readonly string[]): Promise<void> {
    for (const statement of statements) await sql.raw(statement).execute(this.#transaction);
  }
}

type StoredRow = Readonly<Record<string, string | number | null>>;

function isDay(table: string): boolean {
  return table.startsWith('results_');
}
