import type { Migration } from '../migrate.ts';

/** The bounded history of results. The rows themselves stand in one table a day, made when the day's first result comes. */
export const results: Migration = {
  name: 'results',
  statements: (ddl) => [
    // What rows of results have in common, so that each carries a small number instead: which probe, which revision of
    // its definition, and what the values of a row mean, in order (JSON).
    `CREATE TABLE result_series (
      id ${ddl.identity},
      probe text NOT NULL,
      revision text NOT NULL,
      fields text NOT NULL,
      UNIQUE (probe, revision, fields)
    )`,
    // Which series have rows on which day (days since 1970, UTC); so it also says which day tables exist.
    `CREATE TABLE result_days (
      day integer NOT NULL,
      series_id bigint NOT NULL REFERENCES result_series (id),
      PRIMARY KEY (day, series_id)
    )`,
    'CREATE INDEX result_days_series ON result_days (series_id, day)',
  ],
};
