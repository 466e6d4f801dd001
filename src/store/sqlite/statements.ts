/** Prepared statements by their SQL, oldest forgotten first: the names of day tables make for ever new ones. */
import type Database from 'libsql';
import type { Cell } from '../cell.ts';
import type { Answer } from './protocol.ts';

const MOST_KEPT = 256;

interface Prepared {
  readonly statement: Database.Statement;
  /** Empty for a statement that returns no rows. */
  readonly columns: readonly string[];
}

export class Statements {
  readonly #database: Database.Database;
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  execute(sql: string, parameters: readonly Cell[]): Answer {
    const { statement, columns } = this.#prepare(sql);
    if (columns.length === 0) return { columns, rows: [], changes: statement.run(parameters).changes };
    const rows = statement.all(parameters) as unknown[][];
    return { columns, rows, changes: rows.length };
  }

  /** Runs one statement for every `width` cells, all or nothing: in the caller's transaction, or else in one of its own. */
  executeMany(sql: string, width: number, cells: readonly Cell[]): Answer {
    const { statement } = this.#prepare(sql);
    return this.#whole(() => {
      let changes = 0;
      for (let start = 0; start < cells.length; start += width) {
        changes += statement.run(cells.slice(start, start + width)).changes;
      }
      return { columns: [], rows: [], changes };
    });
  }

  #whole(work: () => Answer): Answer {
    if (this.#database.inTransaction) return work();
    this.execute('BEGIN IMMEDIATE', []);
    try {
      const answer = work();
      this.execute('COMMIT', []);
      return answer;
    } catch (error) {
      // SQLite has ended it by itself when the disk was full.
      if (this.#database.inTransaction) this.execute('ROLLBACK', []);
      throw error;
    }
  }

  /** libsql keeps the file open for as long as a statement of it lives. */
  clear(): void {
    this.#prepared.clear();
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    const columns = statement.reader
      ? statement
          .raw()
          .columns()
          .map(({ name }) => name)
      : [];
    const prepared = { statement, columns };
    if (this.#prepared.size >= MOST_KEPT) this.#forgetOldest();
    this.#prepared.set(sql, prepared);
    return prepared;
  }

  #forgetOldest(): void {
    const [oldest] = this.#prepared.keys();
    if (oldest !== undefined) this.#prepared.delete(oldest);
  }
}
