import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { ProbeOutput } from '../../src/ports.ts';
import { postgres } from '../../src/probe-types/postgres.ts';
import { closedPort, probe, type RunOptions, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(['max_connections=14', 'logging_collector=on']);
  await server.psql(
    `create role plain login password '${PASSWORD}'; create role watcher login; grant pg_monitor to watcher`,
  );
  const hba = await server.psql('show hba_file');
  const rules = await readFile(hba, 'utf8');
  await writeFile(hba, `host all plain 127.0.0.1/32 scram-sha-256\nhost all banned 127.0.0.1/32 reject\n${rules}`);
  await server.psql('select pg_reload_conf()');
});
afterAll(() => server.stop());

const OTHERS = 'from pg_stat_activity where datid is not null and pid <> pg_backend_pid()';

afterEach(async () => {
  await server.psql(`select pg_terminate_backend(pid) ${OTHERS}`);
  await until(async () => (await server.psql(`select count(*) ${OTHERS}`)) === '0');
});

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(postgres, postgres.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });
const urlAs = (user: string, database = 'postgres') => `postgres://${user}@127.0.0.1:${server.port}/${database}`;
const watcher = () => urlAs('watcher');

/** A session that stays open until the test ends. */
async function openSession(user = 'postgres'): Promise<pg.Client> {
  const session = new pg.Client({ connectionString: urlAs(user) });
  session.on('error', () => {});
  await session.connect();
  return session;
}

/** Runs a statement that the test does not wait for. */
function launch(session: pg.Client, sql: string): void {
  session.query(sql).catch(() => {});
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

const waiting = (event: string) => async () =>
  (await server.psql(`select count(*) from pg_stat_activity where wait_event = '${event}'`)) !== '0';

describe('the figures', () => {
  test('of a server with nobody else on it leave the probe itself out', async () => {
    const { reason, fields, error } = await ask({ url: watcher() });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      connections: 0,
      connections_max: 11,
      connections_percent: 0,
      active: 0,
      blocked: 0,
      longest_query_s: 0,
      longest_transaction_s: 0,
      idle_in_transaction: 0,
      longest_idle_in_transaction_s: 0,
      role: 'primary',
      connected_replicas: 0,
      replication_lag_s: null,
      deadlocks: 0,
      version: expect.stringMatching(/^15\.\d+$/),
      ip: '127.0.0.1',
    });
    for (const field of ['database_bytes', 'transaction_id_age', 'uptime_s', 'commits'])
      expect(fields[field]).toBeGreaterThan(0);
  });

  test('tell idle transactions, long queries and who waits for a lock', async () => {
    const idle = await openSession();
    await idle.query('create table queue (id int)');
    await idle.query('begin; lock table queue');
    launch(await openSession(), 'select pg_sleep(300)');
    launch(await openSession(), 'select * from queue');
    await until(waiting('relation'));
    await until(waiting('PgSleep'));
    await sleep(1_100);
    const { fields } = await ask({ url: watcher() });
    expect(fields).toMatchObject({ connections: 3, active: 2, blocked: 1, idle_in_transaction: 1 });
    for (const field of ['longest_query_s', 'longest_transaction_s', 'longest_idle_in_transaction_s']) {
      expect(fields[field]).toBeGreaterThan(1);
      expect(fields[field]).toBeLessThan(60);
    }
  });

  test('count deadlocks', async () => {
    const [first, second] = [await openSession(), await openSession()];
    await first.query('begin; select pg_advisory_xact_lock(1)');
    await second.query('begin; select pg_advisory_xact_lock(2)');
    const both = [first.query('select pg_advisory_xact_lock(2)'), second.query('select pg_advisory_xact_lock(1)')];
    await expect(Promise.all(both)).rejects.toMatchObject({ code: '40P01' });
    // Statistics are written down when a session ends.
    await first.end();
    await second.end();
    await until(async () => (await ask({ url: watcher() })).fields['deadlocks'] === 1);
  });

  test('of a full server say so while a reserved slot is left, and without one it is saturated', async () => {
    for (let count = 0; count < 11; count += 1) await openSession('watcher');
    const full = await ask({ url: server.url() });
    expect(full).toMatchObject({ reason: 'ok', fields: { connections: 11, connections_percent: 100 } });
    const refused = await ask({ url: watcher() });
    expect(refused).toMatchObject({ reason: 'saturated', error: expect.stringContaining('53300') });
  });

  test('that a role may not see are null, and when a condition reads one the missing grant is named', async () => {
    await openSession();
    const url = urlAs(`plain:${PASSWORD}`);
    const { reason, fields } = await ask({ url });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ connections: 1, active: null, idle_in_transaction: null, connected_replicas: null });
    expect(await ask({ url }, { reads: new Set(['connections']) })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url }, { reads: new Set(['longest_query_s']) })).toMatchObject({
      reason: 'auth',
      error: 'longest_query_s is hidden from plain; run: GRANT pg_monitor TO "plain"',
    });
  });

  test('leave out the size that no condition reads', async () => {
    const { fields } = await ask({ url: watcher() }, { reads: new Set(['connections']) });
    expect(fields['database_bytes']).toBeNull();
  });

  test('follow replication from both ends', async () => {
    const replica = await startPostgres(['wal_receiver_status_interval=1s'], { primary: server });
    onTestFinished(() => replica.stop());
    const both = async () => [await ask({ url: watcher() }), await ask({ url: replica.url() })] as const;
    await until(async () => (await both())[0].fields['connected_replicas'] === 1);
    await server.psql('create table replicated as select 1');
    await until(async () => (await both()).every(({ fields }) => Number(fields['replication_lag_s']) < 1));
    const [, seen] = await both();
    expect(seen).toMatchObject({ reason: 'ok', fields: { role: 'replica', connected_replicas: 0 } });

    await replica.psql('select pg_wal_replay_pause()');
    await until(async () => (await replica.psql('select pg_get_wal_replay_pause_state()')) === 'paused');
    await server.psql('insert into replicated values (2)');
    await until(async () => (await both()).every(({ fields }) => Number(fields['replication_lag_s']) > 2));

    await replica.psql('select pg_wal_replay_resume()');
    await until(async () => (await both()).every(({ fields }) => Number(fields['replication_lag_s']) < 1));
  });
});

describe('a query of your own', () => {
  test('gives rows by column, with plain values', async () => {
    const query = `select 1 as number, 2.5::numeric as part, 9000000000 as large, true as flag, null as nothing,
      'text' as word, '{"a":1}'::jsonb as document, 'NaN'::float8 as odd, 'x' as "__proto__";`;
    const { reason, fields } = await ask({ url: watcher(), query });
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ value: 1, row_count: 1, rows_truncated: false });
    const row = { number: 1, part: 2.5, large: 9e9, flag: true, nothing: null, word: 'text', document: '{"a": 1}' };
    const [first] = fields['rows'] as Record<string, unknown>[];
    expect(first).toMatchObject({ ...row, odd: 'NaN' });
    expect(Object.keys(first ?? {})).toContain('__proto__');
  });

  test('that finds nothing has no value', async () => {
    const { fields } = await ask({ url: watcher(), query: 'select 1 where false' });
    expect(fields).toMatchObject({ rows: [], row_count: 0, value: null });
  });

  test('of a million rows is cut at a hundred', async () => {
    const { fields } = await ask({ url: watcher(), query: 'select generate_series(1, 1000000)' });
    expect(fields).toMatchObject({ row_count: 100, rows_truncated: true });
  });

  test('for a huge value neither grows the daemon nor passes', async () => {
    const before = process.memoryUsage.rss();
    const output = await ask({ url: watcher(), query: `select repeat('x', 200000000)` });
    expect(output).toMatchObject({ reason: 'body', error: 'the answer is larger than 1 MiB' });
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 * 2 ** 20);
  });

  test.each([
    ['cannot write', 'select spoil()', 'body', '25006'],
    ['cannot begin to write', 'commit', 'body', '42601'],
    ['is one statement', 'select 1; drop table spoilt', 'body', '42601'],
    ['has a syntax', 'selct 1', 'body', '42601'],
    ['may fail', 'select 1/0', 'body', '22012'],
    ['asks for what there is', 'select * from absent', 'not_found', '42P01'],
    ['asks for what it may see', 'select * from spoilt', 'auth', '42501'],
  ])('%s', async (_name, query, reason, code) => {
    await server.psql(`create table if not exists spoilt (id int);
      create or replace function spoil() returns int language sql security definer
        as 'insert into spoilt values (1) returning id'`);
    expect(await ask({ url: watcher(), query })).toMatchObject({ reason, error: expect.stringContaining(code) });
    expect(await server.psql('select count(*) from spoilt')).toBe('0');
  });

  const ours = () => server.psql(`select count(*) from pg_stat_activity where application_name = 'brainstem-probe'`);

  test('does not outlive the deadline, here or on the server', async () => {
    const output = await ask({ url: watcher(), query: 'select pg_sleep(300)' }, { timeoutMs: 1_500 });
    expect(output.reason).toBe('timeout');
    expect(output.fields['connections']).toBe(0);
    await until(async () => (await ours()) === '0');
  });

  test('does not outlive it when the run was given up before', async () => {
    const signal = AbortSignal.timeout(700);
    const output = await ask({ url: watcher(), query: 'select pg_sleep(300)' }, { timeoutMs: 2_500, signal });
    expect(output.reason).toBe('timeout');
    await until(async () => (await ours()) === '0');
  });
});

describe('what goes wrong has a reason', () => {
  test.each<[string, () => string, string, RegExp]>([
    ['a wrong password', () => urlAs('plain:wrong'), 'auth', /28P01/],
    ['no password', () => urlAs('plain'), 'auth', /wants a password/],
    ['an unknown role', () => urlAs('nobody'), 'auth', /28000/],
    ['a role that is kept out', () => urlAs('banned'), 'auth', /28000/],
    ['an unknown database', () => urlAs('watcher', 'absent'), 'not_found', /3D000/],
    ['a server without TLS', () => `${watcher()}?sslmode=require`, 'tls', /does not offer TLS/],
    ['an unknown host', () => 'postgres://watcher@db.invalid/postgres', 'dns', /./],
  ])('%s', async (_name, url, reason, message) => {
    expect(await ask({ url: url() })).toMatchObject({ reason, error: expect.stringMatching(message) });
  });

  test('nobody there', async () => {
    const url = `postgres://watcher@127.0.0.1:${await closedPort()}/postgres`;
    expect(await ask({ url })).toMatchObject({ reason: 'connect_refused' });
  });

  test('a server that stands still, before and amid a session', async () => {
    const still = await startPostgres();
    onTestFinished(() => still.stop());
    still.pause();
    expect(await ask({ url: still.url() }, { timeoutMs: 500 })).toMatchObject({ reason: 'timeout' });
    still.resume();
    await until(async () => (await ask({ url: still.url() })).reason === 'ok');
  });

  test('a session that is ended from outside', async () => {
    const ended = ask({ url: watcher(), query: 'select pg_sleep(300)' });
    await until(waiting('PgSleep'));
    await server.psql(`select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'`);
    expect(await ended).toMatchObject({ reason: 'unhealthy', error: expect.stringContaining('57P01') });
  });
});

describe('hundreds of runs leave nothing behind', () => {
  /** What the server has complained so far about how clients left. */
  const complaints = async () => {
    const folder = join(await server.psql('show data_directory'), 'log');
    const logs = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
    return logs.join('').match(/could not (receive|send)|unexpected EOF/g)?.length ?? 0;
  };

  test('here, on the server and in its log', async () => {
    const spec = { url: watcher(), query: 'select 1' };
    const before = await complaints();
    await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 5);
    expect(await ask(spec)).toMatchObject({ reason: 'ok', fields: { connections: 0 } });
    expect(await complaints()).toBe(before);
  });

  test('when they fail', async () => {
    const spec = { url: watcher(), query: 'select 1/0' };
    await leavesNothing(async () => expect((await ask(spec)).reason).toBe('body'), 300, 5);
    await until(async () => (await ask({ url: watcher() })).fields['connections'] === 0);
  });
});

describe('definition', () => {
  test.each([
    ['x', /is not a URL/],
    ['http://u@h/', /is not a URL/],
    ['postgres:///shop', /is not a URL/],
    ['postgres://a,b/shop', /./],
    ['postgres://h/shop', /names no user/],
    ['postgres://u@h/shop?sslmode=verify-ca', /has an sslmode other than/],
  ])('%s is refused', (url, message) => {
    const [issue] = postgres.spec.safeParse({ url }).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    ['postgres://u:secret@DB.example/shop?sslmode=require', 'postgres://db.example:5432/shop', 'shop'],
    ['postgresql://u@[::1]:6432', 'postgres://[::1]:6432/u', 'u'],
  ])('the target of %s is without credentials', (url, target, name) => {
    const spec = postgres.spec.parse({ url }) as never;
    expect(postgres.target(spec)).toBe(target);
    expect(postgres.resource?.(spec, {})).toEqual({ kind: 'database', name, at: target.split('/')[2] });
  });

  test('the example is valid', () => {
    const [definition] = parse(postgres.example);
    expect(postgres.spec.safeParse(definition.postgres).error).toBeUndefined();
  });
});
