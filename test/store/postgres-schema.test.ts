import { expect, it } from 'vitest';
import { PostgresConnection } from '../../src/store/postgres/connection.ts';
import { postgresEngine } from '../../src/store/postgres/engine.ts';
import { PostgresSession } from '../../src/store/postgres/session.ts';
import { createStore } from '../../src/store/store.ts';
import { DAY_TABLE, TABLES } from '../../src/store/tables.ts';
import { openDatabase, usePostgres } from './postgres.ts';
import { incident, result } from './records.ts';

const postgres = usePostgres(['fsync=off']);

const databaseOf = (url: string) => new URL(url).pathname.slice(1);

it('has every table in a schema of its own, with a comment on each, and on what is not obvious', async () => {
  const url = await postgres.createDatabase();
  const store = await openDatabase(url);
  await store.addResults([result()]);
  await store.close();
  const psql = (sql: string) => postgres.server().psql(sql, databaseOf(url));
  const about = await psql(`SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'brainstem'::regnamespace ORDER BY relname COLLATE "C"`);
  const facts = { ...TABLES, results_20261123: DAY_TABLE };
  const expected = Object.entries(facts).map(([name, table]) => `${name}|${table.about}`);
  expect(about.split('\n')).toStrictEqual(expected.sort());
  expect(
    await psql(`SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`),
  ).toBe('0');
  const columns = await psql(`SELECT count(*) FROM pg_description WHERE objsubid > 0
    AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'brainstem'::regnamespace)`);
  const described = Object.values(facts).flatMap((table) => Object.keys(table.columns ?? {}));
  expect(Number(columns)).toBe(described.length);
});

it('starts from what a kill before any statement of the first start leaves behind', async () => {
  for (let killedAt = 1; ; killedAt += 3) {
    const url = await postgres.createDatabase();
    const isWhole = await startAndDie(url, killedAt);
    const store = await openDatabase(url);
    await store.insertIncident(incident());
    await store.close();
    if (isWhole) {
      expect(killedAt).toBeGreaterThan(60);
      return;
    }
  }
}, 120_000);

/** True: it was through before its connection was cut. */
async function startAndDie(url: string, statement: number): Promise<boolean> {
  const session = await PostgresSession.open({ url });
  const connection = await session.connection();
  const query = connection.query.bind(connection);
  let count = 0;
  connection.query = (asked) => {
    count += 1;
    if (count === statement) connection.abandon('killed');
    return query(asked) as never;
  };
  return createStore(postgresEngine(session), { now: () => 0 }).then(
    ({ store }) => store.close().then(() => true),
    () => false,
  );
}

it('refuses a newer schema, says both versions and what to do, and lets go of the database', async () => {
  const url = await postgres.createDatabase();
  await (await openDatabase(url)).close();
  await postgres.server().psql("INSERT INTO brainstem.schema_migrations VALUES (99, 'future', 0)", databaseOf(url));
  for (let time = 0; time < 2; time++) {
    await expect(openDatabase(url)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'schema_newer',
      message: expect.stringMatching(/version 99.*newer program.*backup/),
    });
  }
});

it('gives numbers for big integers, as SQLite does', async () => {
  const connection = await PostgresConnection.open({ url: await postgres.createDatabase() });
  const { rows } = await connection.query({
    text: 'SELECT 1795840493138::bigint AS at, count(*) AS one FROM (SELECT 1) x',
  });
  expect(rows).toStrictEqual([{ at: 1_795_840_493_138, one: 1 }]);
  await connection.close();
});
