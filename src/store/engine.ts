/** The seam between the portable queries and the database beneath them. */
import type { Dialect, Transaction } from 'kysely';
import type { Database } from './schema.ts';
import type { Cell } from './sqlite/protocol.ts';

/** What differs in the definition of a table from one database to the next. */
export interface Ddl {
  /** Type of an id that the database counts upwards and never gives twice. */
  readonly identity: string;
  readonly bytes: string;
  /** Ends the definition of a table whose rows lie in the order of its primary key. */
  readonly clustered: string;
}

export interface Engine {
  readonly dialect: Dialect;
  readonly ddl: Ddl;
  /** Runs one insertion for every `width` cells, as one message to the database. */
  insertMany(transaction: Transaction<Database>, sql: string, width: number, cells: readonly Cell[]): Promise<void>;
  /** Bytes in use, without room that is free for new rows. */
  usedBytes(): Promise<number>;
  /** Gives much free room back to the file system, in small steps between which others get their turn. */
  reclaim(): Promise<void>;
  /** Lets those who wait finish first. */
  close(): Promise<void>;
}
