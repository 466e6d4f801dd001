/** A view of the database for a backup: one transaction of a connection of its own sees everything as it was when it began. */
import type { Cell } from '../cell.ts';
import type { DayRow, Snapshot } from '../engine.ts';
import { PostgresConnection, SCHEMA } from './connection.ts';
import { DAY_ROW } from './days.ts';

const PAGE_ROWS = 200;
const PAGE_RESULTS = 2_000;

/** The first page of a large day waits for all of it to be sorted; and whoever takes the pages may be slow. */
const DEADLINE_MS = 30 * 60_000;

export async function postgresSnapshot(url: string): Promise<Snapshot> {
  const connection = await PostgresConnection.open({
    url,
    applicationName: 'brainstem-backup',
    deadlineMs: DEADLINE_MS,
  });
  try {
    await connection.script(`SET idle_in_transaction_session_timeout = ${DEADLINE_MS}`);
    await connection.script('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  } catch (error) {
    await connection.close();
    throw error;
  }
  return {
    rows: (table) => pages<Record<string, Cell>>(connection, `SELECT * FROM ${table} ORDER BY 1`, PAGE_ROWS),
    async *results(table) {
      if (await isThere(connection, table)) yield* pages<DayRow>(connection, allOf(table), PAGE_RESULTS);
    },
    close: () => connection.close(),
  };
}

function allOf(table: string): string {
  return `SELECT DISTINCT ON (at_ms, series_id) ${DAY_ROW} FROM ${table} ORDER BY at_ms, series_id`;
}

async function* pages<Row extends object>(
  connection: PostgresConnection,
  query: string,
  size: number,
): AsyncIterable<Row[]> {
  await connection.script(`DECLARE pages NO SCROLL CURSOR FOR ${query}`);
  for (;;) {
    const { rows } = await connection.query<Row>({ text: `FETCH ${size} FROM pages` });
    if (rows.length > 0) yield rows;
    if (rows.length < size) break;
  }
  await connection.script('CLOSE pages');
}

async function isThere(connection: PostgresConnection, table: string): Promise<boolean> {
  const { rows } = await connection.query({ text: 'SELECT to_regclass($1) AS found', values: [`${SCHEMA}.${table}`] });
  return (rows[0] as { found: string | null }).found !== null;
}
