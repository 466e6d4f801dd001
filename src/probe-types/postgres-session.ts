/** One session on a PostgreSQL server, over an open connection: login, the figures, an own query, all within a deadline. */
import type { Socket } from 'node:net';
import type { Client, CustomTypesConfig, QueryConfig, QueryResult } from 'pg';
import { createClient } from '../shared/postgres-client.ts';
import type { PostgresServer } from '../shared/postgres-url.ts';
import type { Lifeline } from './lifeline.ts';
import { explainPostgres } from './postgres-failure.ts';
import { figuresQuery } from './postgres-figures.ts';

/** Rows of an own query that are kept. One more is fetched, to tell that there are more. */
const MAX_ROWS = 100;
/** The server gives up a little before we do, so that its own word is heard. */
const MARGIN_MS = 50;
/** What one run reads at most. */
const MAX_BYTES = 2 ** 20;

export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly value: unknown;
  readonly row_count: number;
  readonly rows_truncated: boolean;
}

export async function logIn(socket: Socket, server: PostgresServer, line: Lifeline): Promise<Client> {
  const client = createClient(socket, { server, applicationName: 'brainstem-probe', maxBytes: MAX_BYTES, line });
  client.on('error', (error) => line.fail(explainPostgres(error)));
  await line.until<void>((done) => {
    client.connect((error: Error | null) => (error ? line.fail(explainPostgres(error)) : done()));
  });
  return client;
}

/** @param more whether an own query follows in the same transaction. */
export async function readFigures(client: Client, sized: boolean, more: boolean, line: Lifeline) {
  const text = [
    'begin transaction read only',
    limits(line),
    // Should we vanish without a word, the session does not stay behind.
    `set local idle_in_transaction_session_timeout = ${Math.ceil(line.remainingMs()) + 1_000}`,
    figuresQuery(sized),
    ...(more ? [] : ['commit']),
  ];
  const results = await query(client, { text: text.join(';') }, line);
  return results.flatMap(({ rows }) => rows)[0] as Readonly<Record<string, unknown>>;
}

/** Through a cursor: the server makes no more rows than are kept. One statement only, because it goes unjoined. */
export async function readRows(client: Client, sql: string, line: Lifeline): Promise<Rows> {
  const declaration = { text: `declare brainstem_probe no scroll cursor for ${sql}`, queryMode: 'extended' };
  await query(client, declaration, line);
  const text = `${limits(line)};fetch ${MAX_ROWS + 1} from brainstem_probe;commit`;
  const results = await query(client, { text, types: plainTypes, rowMode: 'array' } as QueryConfig, line);
  const { fields, rows } = results.find(({ command }) => command === 'FETCH') as QueryResult<unknown[]>;
  const kept = rows.slice(0, MAX_ROWS);
  return {
    rows: kept.map((row) => Object.fromEntries(fields.map(({ name }, index) => [name, row[index]]))),
    value: rows[0]?.[0] ?? null,
    row_count: kept.length,
    rows_truncated: rows.length > MAX_ROWS,
  };
}

/** Whatever happens to us, no statement of ours runs on after the deadline. */
function limits(line: Lifeline): string {
  return `set local statement_timeout = ${Math.max(1, Math.floor(line.remainingMs()) - MARGIN_MS)}`;
}

function query(client: Client, config: QueryConfig, line: Lifeline): Promise<readonly QueryResult[]> {
  return line.until((done) => {
    client.query(config).then(
      (result) => done([result].flat()),
      (error: Error) => line.fail(explainPostgres(error)),
    );
  });
}

const BOOLEAN = 16;
/** int8, int2, int4, oid, float4, float8, numeric */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1_700]);

/** Values that conditions can read: numbers, booleans, null, and text for everything else. */
const plainTypes = {
  getTypeParser: (oid: number) => (text: string) => {
    if (oid === BOOLEAN) return text === 't';
    const number = NUMBERS.has(oid) ? Number(text) : Number.NaN;
    return Number.isFinite(number) ? number : text;
  },
} as CustomTypesConfig;
