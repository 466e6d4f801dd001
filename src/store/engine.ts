/** The seam between the portable queries and the database beneath them. */
import type { Dialect, Kysely } from 'kysely';
import type { Cell } from './cell.ts';
import type { Database } from './schema.ts';
import type { TableFacts } from './tables.ts';

/** What differs in the definition of a table from one database to the next. */
export interface Ddl {
  /** Type of an id that the database counts upwards and never gives twice. */
  readonly identity: string;
  /** Statements that write down beside a table what it is for; none where a database has no place for that. */
  comments(table: string, facts: TableFacts): readonly string[];
  /** Statements after which the ids of a table go on behind the rows that were put into it with theirs. */
  continueIds(table: string): readonly string[];
}

export interface Engine {
  readonly dialect: Dialect;
  readonly ddl: Ddl;
  readonly days: DayTables;
  /** Bytes in use, without room that is free for new rows. */
  usedBytes(): Promise<number>;
  /** Gives much free room back to the file system, in small steps between which others get their turn. */
  reclaim(): Promise<void>;
  snapshot(): Promise<Snapshot>;
  /** False: another daemon may work on the database by now. */
  isHeld(): boolean;
  /** Lets those who wait finish first. */
  close(): Promise<void>;
}

/** Decisions as they were at one moment, while others go on. Of the results all that were there then, and perhaps newer ones. */
export interface Snapshot {
  /** In pages, in the order of the first column. */
  rows(table: string): AsyncIterable<readonly Readonly<Record<string, Cell>>[]>;
  /** In pages; none when the table is gone. */
  results(table: string): AsyncIterable<readonly DayRow[]>;
  close(): Promise<void>;
}

/** A stored result. Words are numbers (results/codes.ts); what the values mean stands in the series. */
export interface DayRow {
  readonly seriesId: number;
  /** Milliseconds since midnight. */
  readonly sinceMidnight: number;
  readonly latencyUs: number;
  readonly verdict: number;
  readonly reason: number;
  /** 0 or 1. */
  readonly error: number;
  readonly value1: number | null;
  readonly value2: number | null;
  readonly more: Uint8Array | null;
}

/**
 * The table of a day's results. Its layout is what each database reads and writes best: nothing else is stored as often.
 * Two results of one series within a millisecond are one.
 */
export interface DayTables {
  /** Makes the table when there is none. */
  create(db: Kysely<Database>, table: string): Promise<void>;
  /** As one message to the database, all or nothing also without a transaction around it. */
  insert(db: Kysely<Database>, table: string, rows: readonly DayRow[]): Promise<void>;
  /** Newest first; `first` inclusive and `end` exclusive, in milliseconds since midnight. */
  read(
    db: Kysely<Database>,
    table: string,
    span: {
      readonly seriesIds: readonly number[];
      readonly first: number;
      readonly end: number;
      readonly limit: number;
    },
  ): Promise<readonly DayRow[]>;
  /** Milliseconds since midnight of the oldest result. */
  firstTime(db: Kysely<Database>, table: string): Promise<number | undefined>;
  /** The newest time of every probe within the last minutes of the table, in milliseconds since midnight. */
  recentTimes(db: Kysely<Database>, table: string): Promise<ReadonlyMap<string, number>>;
}
