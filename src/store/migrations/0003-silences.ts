import type { Migration } from '../migrate.ts';

/** What people asked not to hear of, what they are owed for it, and the proof that the store takes writes. */
export const silences: Migration = {
  name: 'silences',
  statements: (ddl) => [
    // Who asked for silence about what (JSON list of matchers), why, and for how long. Rows stay when it is over.
    `CREATE TABLE silences (
      id ${ddl.identity},
      matchers text NOT NULL,
      starts_at bigint NOT NULL,
      ends_at bigint NOT NULL,
      author text NOT NULL,
      comment text NOT NULL,
      created_at bigint NOT NULL,
      expired_at bigint
    )`,
    'CREATE INDEX silences_end ON silences (ends_at)',

    // The alert that people are owed when a silence, or flapping, is over.
    'ALTER TABLE incidents ADD COLUMN withheld text',
    'ALTER TABLE incidents ADD COLUMN withheld_by text',
    "CREATE INDEX incidents_end_withheld ON incidents (id) WHERE withheld = 'resolved'",

    // One row: when the watchdog last saw that the store takes a write.
    `CREATE TABLE vital_sign (
      id integer PRIMARY KEY NOT NULL CHECK (id = 1),
      at bigint NOT NULL
    )`,
  ],
};
