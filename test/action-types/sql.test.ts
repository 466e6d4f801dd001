/** The `sql` action against a real server: one transaction, and nothing that becomes part of a statement. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from '../../src/action-types/sql.ts';
import type { Incident } from '../../src/model.ts';
import { load, problems } from '../config/homes.ts';
import { aProbe } from '../engine/definitions.ts';
import { until } from '../estate/daemon.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { QUIET } from './input.ts';

const runFile = promisify(execFile);

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  await server.psql('create table jobs (id int primary key, state text); create table notes (text text)', 'shop');
}, 60_000);
afterAll(() => server?.stop());

function run(written: object, incident?: Partial<Incident>, timeoutMs = 20_000) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const input = { remediation: 'mend', attemptId: 3, probe: aProbe({ name: 'web' }), folder: '/', ...QUIET };
  const spec = sql.spec.parse({ url: server.url('shop'), ...written });
  return sql.run(
    spec,
    { ...input, onChild: async () => {}, ...(incident && { incident: incident as Incident }) },
    { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quietLog },
  );
}

const table = (name: string) => server.psql(`select * from ${name} order by 1`, 'shop');

describe('the statements', () => {
  it('run in order, and say how many rows each had', async () => {
    const statements = [
      "insert into jobs values (1, 'running'), (2, 'running'), (3, 'done')",
      { text: 'update jobs set state = $1 where state = $2', parameters: ['queued', 'running'] },
      'select * from jobs',
      'delete from jobs where id = 3',
    ];
    const output = await run({ statements });
    expect(output).toEqual({ done: true, output: 'INSERT: 3 rows\nUPDATE: 2 rows\nSELECT: 3 rows\nDELETE: 1 rows' });
    expect(await table('jobs')).toBe('1|queued\n2|queued');
  });

  it('are undone together when one of them fails', async () => {
    const before = await table('jobs');
    const output = await run({ statements: ['delete from jobs', 'delete from absent'] });
    expect(output).toMatchObject({ done: false, error: expect.stringMatching(/\(42P01\); nothing was changed$/) });
    expect(await table('jobs')).toBe(before);
  });

  it('bind what is literal by its kind', async () => {
    const text = 'insert into notes select concat_ws($6, $1::text, $2::int, $3::bool, $4::text, $5::float8)';
    const output = await run({ statements: [{ text, parameters: ['a', 7, true, null, 1.5, '/'] }] });
    expect(output.done, output.error).toBe(true);
    expect(await table('notes')).toBe('a/7/t/1.5');
  });

  it('are one each: a second one behind a semicolon is refused by the server', async () => {
    const output = await run({ statements: ['delete from notes; drop table jobs'] });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('(42601)') });
    expect(await table('notes')).not.toBe('');
  });

  it('end at their own deadline, and nothing of them goes on', async () => {
    const output = await run({ statements: ['select pg_sleep(60)'], statement_timeout: '200ms' });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('(57014)') });
  });

  it('do not wait for a lock longer than that', async () => {
    const holding = server.psql('begin; lock table jobs; select pg_sleep(3); commit', 'shop');
    const held = "select count(*) from pg_locks where relation = 'jobs'::regclass and granted";
    await until(async () => (await server.psql(held, 'shop')) !== '0', { what: 'the lock to be held' });
    const output = await run({ statements: ['delete from jobs'], statement_timeout: '200ms' });
    expect(output).toMatchObject({ done: false, error: expect.stringMatching(/\((55P03|57014)\)/) });
    await holding;
  });

  it('end at the deadline of the fix when the server hangs', async () => {
    server.pause();
    try {
      const output = await run({ statements: ['select 1'] }, undefined, 400);
      expect(output).toMatchObject({ done: false, error: expect.stringContaining('the deadline passed') });
    } finally {
      server.resume();
    }
  });

  it('that select without end cost no memory: rows are counted and let go', async () => {
    const output = await run({ statements: ["select repeat('x', 1000) from generate_series(1, 100000)"] });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('larger than 8 MiB') });
  });
});

/** What has broken statements that were put together from text. */
const HOSTILE = [
  "'; drop table jobs; --",
  "' or '1'='1",
  '"; drop table jobs; --',
  "\\'; drop table jobs; --",
  '$1',
  '$$; drop table jobs; $$',
  "E'\\x27'; drop table jobs",
  '/* */ ; drop table jobs',
  '%27%3B%20drop%20table%20jobs',
  '\u02bc; drop table jobs; --',
  "'||pg_sleep(10)||'",
  '{"a":"\'"}',
  '\n\r\t;\\.\n',
  '${DATABASE_URL}',
  '{{incident.cause}}',
  "); copy jobs to program 'id'; --",
  'ＤＲＯＰ ＴＡＢＬＥ ｊｏｂｓ',
  '\u202e;sboj elbat pord',
  `${"'".repeat(10_000)}`,
];

describe('what varies', () => {
  it.each(HOSTILE)('is stored as it is: %j', async (cause) => {
    await server.psql('truncate notes', 'shop');
    const statements = [{ text: 'insert into notes values ($1)', parameters: [{ from: 'incident.cause' }] }];
    const output = await run({ statements }, { cause });
    expect(output).toEqual({ done: true, output: 'INSERT: 1 rows' });
    const hex = await server.psql("select encode(convert_to(text, 'UTF8'), 'hex') from notes", 'shop');
    expect(Buffer.from(hex, 'hex').toString()).toBe(cause);
    expect(await server.psql("select to_regclass('jobs')", 'shop')).toBe('jobs');
  });

  it('that PostgreSQL cannot hold fails, and changes nothing', async () => {
    const statements = [
      'truncate notes',
      { text: 'insert into notes values ($1)', parameters: [{ from: 'incident.cause' }] },
    ];
    const before = await table('notes');
    const output = await run({ statements }, { cause: 'a\0b' });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('nothing was changed') });
    expect(await table('notes')).toBe(before);
  });

  it('that is not there is no null: nothing runs', async () => {
    const statements = ['truncate notes', { text: 'select $1::int', parameters: [{ from: 'incident.id' }] }];
    const output = await run({ statements });
    expect(output).toEqual({ done: false, error: 'there is no incident.id to bind; nothing was changed' });
  });

  it('may come from the attempt and the probe too', async () => {
    const from = ['attempt', 'remediation', 'probe.name', 'incident.opened_at'].map((name) => ({ from: name }));
    const text =
      "insert into notes select concat_ws(' ', $1::int, $2::text, $3::text, $4::timestamptz at time zone 'UTC')";
    await server.psql('truncate notes', 'shop');
    await run({ statements: [{ text, parameters: from }] }, { openedAt: 0 });
    expect(await table('notes')).toBe('3 mend web 1970-01-01 00:00:00');
  });
});

describe('a server with TLS', () => {
  let secured: PostgresServer;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sql-tls-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await runFile('openssl', [...request, '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost']);
    // The server reads them as another user, who must own the key.
    for (const path of [folder, key, certificate]) await runFile('chown', ['postgres', path]);
    secured = await startPostgres(['ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`]);
  }, 60_000);
  afterAll(async () => {
    await secured?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const isSecure = 'select 1 / ssl::int from pg_stat_ssl where pid = pg_backend_pid()';
  const ask = (mode: string) => run({ url: `${secured.url()}${mode}`, statements: [isSecure] });

  it.each(['', '?sslmode=prefer', '?sslmode=require'])('is spoken to through it: %j', async (mode) => {
    expect(await ask(mode)).toEqual({ done: true, output: 'SELECT: 1 rows' });
  });

  it('is spoken to without it only when that is written', async () => {
    expect((await ask('?sslmode=disable')).error).toContain('(22012)');
  });

  it('must prove who it is where that is demanded', async () => {
    expect((await ask('?sslmode=verify-full')).error).toMatch(/DEPTH_ZERO_SELF_SIGNED_CERT.*nothing was changed/);
  });
});

describe('the spec', () => {
  it.each([
    [{ statements: [] }, ''],
    [{ statements: ['begin'] }, 'must not begin or end a transaction'],
    [{ statements: [' -- x\n /* y */ ; COMMIT'] }, 'must not begin or end a transaction'],
    [{ statements: [{ text: 'rollback to a' }] }, 'must not begin or end a transaction'],
    [{ statements: [{ text: 'select $1', parameters: [{ from: 'incident.secret' }] }] }, ''],
    [{ statements: [{ text: 'select 1', more: true }] }, ''],
  ])('refuses %j', (written, message) => {
    const issues = sql.spec.safeParse({ url: 'postgres://a@h/x', ...written }).error?.issues;
    expect(JSON.stringify(issues)).toContain(message);
  });

  it('lets no statement end the transaction in disguise', async () => {
    const output = await run({ statements: ['select 1', '/* /* */ */ commit', 'delete from jobs'] });
    const error = 'statement 2 ended the transaction; whether it was committed is not known';
    expect(output).toEqual({ done: false, error });
    expect(await table('jobs')).not.toBe('');
  });

  const fixOf = (statement: string) => ({
    'remediations/a.yaml': `remediations:\n  - name: mend\n    sql: { url: "postgres://a@h/x", statements: [${statement}] }\n`,
  });

  it.each(['"delete from jobs where owner = \'${OWNER}\'"', '{ text: "select ${OWNER}" }', '"${OWNER}"'])(
    'refuses a variable in a statement: %s',
    async (statement) => {
      const found = await problems(fixOf(statement), { OWNER: "x' or true --" });
      expect(found).toEqual([
        expect.stringContaining('must stand here as it is, without a variable; bind it: write $1'),
      ]);
    },
  );

  it('takes a variable as a parameter', async () => {
    const written = fixOf('{ text: "delete from jobs where state = $1", parameters: ["${OWNER}"] }');
    const { remediations } = await load(written, { OWNER: "x' or true --" });
    const spec = remediations.get('mend')?.spec as { statements: readonly { parameters: readonly string[] }[] };
    expect(spec.statements[0]?.parameters).toEqual(["x' or true --"]);
  });

  it('says what it would run, and where, without the password', () => {
    const spec = sql.spec.parse({ url: 'postgres://a:hush-hush@h/x', statements: ['delete\n  from jobs'] });
    expect(sql.would(spec, undefined)).toBe('run in one transaction in x on h:5432: delete from jobs');
  });
});
