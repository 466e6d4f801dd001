import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import type { ProbeOutput } from '../../src/ports.ts';
import { mysql } from '../../src/probe-types/mysql.ts';
import { isReading } from '../../src/probe-types/mysql-reading.ts';
import { loadDriver } from '../../src/probe-types/mysql-session.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { closedPort, deafPort, probe, type RunOptions, serveRaw, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { type MariadbServer, startMariadb } from '../estate/mariadb.ts';

const PASSWORD = ['correct', 'horse'].join('-');

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
  await server.sql(`
    create database shop;
    create table shop.orders (id int primary key, total decimal(10,2), note text, paid bit(1), at datetime);
    insert into shop.orders values (1, 9.50, 'grüß', 1, '2026-01-02 03:04:05'), (2, 12.25, null, 0, null);
    create user narrow@'127.0.0.1' identified by '${PASSWORD}';
    grant select on shop.orders to narrow@'127.0.0.1';
    create user none@'127.0.0.1' identified by '${PASSWORD}';
  `);
});
afterAll(() => server.stop());

const ask = (spec: Record<string, unknown>, options: RunOptions = {}): Promise<ProbeOutput> =>
  probe(mysql, mysql.spec.parse(spec) as never, { timeoutMs: 30_000, ...options });

/** A server of the test's own. */
async function serve(settings: readonly string[]): Promise<MariadbServer> {
  const own = await startMariadb(settings);
  onTestFinished(() => own.stop());
  return own;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50);
}

describe('the figures', () => {
  test('of a server with nobody else on it leave the probe itself out', async () => {
    await until(async () => (await server.sql("show status like 'Threads_connected'")).endsWith('\t1'));
    const { reason, fields, error } = await ask({ url: server.url('shop') });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      version: expect.stringMatching(/^10\.11\.\d+-MariaDB/),
      connections: 0,
      connections_max: 151,
      connections_percent: 0,
      slow_queries: 0,
      read_only: false,
      role: 'primary',
      ip: '127.0.0.1',
    });
    expect(fields['uptime_s']).toBeGreaterThanOrEqual(0);
    expect(fields['queries']).toBeGreaterThan(0);
    expect(fields).not.toHaveProperty('rows');
  });

  test('count sessions, and those that run', async () => {
    const waiting = Promise.all([server.sql('select sleep(30)'), server.sql('select sleep(30)')]).catch(
      () => undefined,
    );
    await until(async () => (await ask({ url: server.url() })).fields['connections'] === 2);
    await until(async () => Number((await ask({ url: server.url() })).fields['threads_running']) >= 2);
    const ids = await server.sql("select id from information_schema.processlist where info like 'select sleep%'");
    for (const id of ids.split('\n')) await server.sql(`kill ${id}`);
    await waiting;
  });

  test('count slow statements and failed logins', async () => {
    await server.sql('set global slow_query_log = 1, global long_query_time = 0.01');
    await server.sql('set session long_query_time = 0.01; select sleep(0.05)');
    await ask({ url: server.url('', `none:wrong`) });
    const { fields } = await ask({ url: server.url() });
    expect(fields['slow_queries']).toBeGreaterThan(0);
    expect(fields['aborted_connections']).toBeGreaterThan(0);
    await server.sql('set global slow_query_log = 0, global long_query_time = 10');
  });

  test('follow a replica that lags, stops and is broken', async () => {
    const primary = await serve(['--log-bin=log', '--server-id=1']);
    await primary.sql(
      "create user copy@'127.0.0.1' identified by 'copy-copy'; grant replication slave on *.* to copy@'127.0.0.1'",
    );
    const replica = await serve(['--server-id=2', '--read-only']);
    const source = `master_host='127.0.0.1', master_port=${primary.port}, master_user='copy', master_password='copy-copy'`;
    await replica.sql(`change master to ${source}, master_use_gtid=slave_pos; start slave`);
    const look = () => ask({ url: replica.url() }, { reads: new Set(['replication_lag_s']) });
    await until(async () => (await look()).fields['replication_lag_s'] === 0);
    expect(await look()).toMatchObject({
      reason: 'ok',
      fields: { role: 'replica', replication_running: true, read_only: true },
    });
    await replica.sql('stop slave');
    expect(await look()).toMatchObject({ reason: 'unhealthy', error: expect.stringContaining('does not run') });
    expect(await ask({ url: replica.url() }, { reads: new Set(['replication_running']) })).toMatchObject({
      reason: 'ok',
      fields: { replication_running: false, replication_lag_s: null },
    });
    await replica.sql('start slave');
    await primary.sql('create database shop; create table shop.t (id int primary key)');
    await until(async () => (await replica.sql('show tables from shop').catch(() => '')) === 't');
    await replica.sql('set sql_log_bin = 0; insert into shop.t values (7)');
    await primary.sql('insert into shop.t values (7)');
    await until(async () => /does not run: .*Duplicate entry/s.test((await look()).error ?? ''));
  });

  test('of replication want a privilege when a condition reads them, and only then', async () => {
    const url = server.url('', `none:${PASSWORD}`);
    expect(await ask({ url }, { reads: new Set(['connections']) })).toMatchObject({ reason: 'ok' });
    expect(await ask({ url }, { reads: new Set(['replication_lag_s']) })).toMatchObject({
      reason: 'auth',
      error: expect.stringContaining('GRANT SLAVE MONITOR'),
    });
    const open = await ask({ url });
    expect(open.reason).toBe('ok');
    expect(open.fields).not.toHaveProperty('role');
  });
});

describe('a query of your own', () => {
  const query = (text: string, options: RunOptions = {}) => ask({ url: server.url('shop'), query: text }, options);

  test.each([
    ['select count(*) from orders', 2],
    ['select sum(total) from orders', 21.75],
    ['select note from orders order by id', 'grüß'],
    ['select note from orders where id = 2', null],
    ['select paid from orders order by id', 1],
    ['select at from orders order by id', '2026-01-02 03:04:05'],
    ['select 1 where false', null],
    ['show tables', 'orders'],
    ['with a as (select 7 as n) select n from a;', 7],
    ['select cast(9007199254740992 as unsigned)', 2 ** 53],
    [`select json_object('a', 1)`, '{"a": 1}'],
    ["select 'a?b'", 'a?b'],
  ])('%s gives %j', async (text, value) => {
    const { reason, fields, error } = await query(text);
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields['value']).toEqual(value);
  });

  test('shows its rows by column, the first hundred', async () => {
    const { fields } = await query('select id, total from orders order by id');
    expect(fields).toMatchObject({
      rows: [
        { id: 1, total: 9.5 },
        { id: 2, total: 12.25 },
      ],
      row_count: 2,
      rows_truncated: false,
    });
    const long = await query('select seq from seq_1_to_1000000');
    expect(long).toMatchObject({ reason: 'ok', fields: { row_count: 100, rows_truncated: true } });
    const limited = await query('select seq from seq_1_to_1000000 limit 500000');
    expect(limited).toMatchObject({ reason: 'ok', fields: { row_count: 100, rows_truncated: true } });
  });

  test.each([
    ['select nonsense(', 'body', /\(1064\)/],
    ['select * from gone', 'not_found', /\(1146\)/],
    ['select gone from orders', 'body', /\(1054\)/],
    ['with a as (select 1) delete from orders', 'body', /\(1064\)|\(1792\)/],
  ])('%s fails with %s', async (text, reason, message) => {
    expect(await query(text)).toMatchObject({
      reason,
      error: expect.stringMatching(message),
      fields: { connections_max: 151 },
    });
  });

  test('changes nothing, not even by a function', async () => {
    const body = 'begin insert into shop.orders (id) values (99); return 1; end';
    await server.sql(`delimiter //\ncreate function shop.sly() returns int modifies sql data ${body}//`);
    expect(await query('select sly()')).toMatchObject({ reason: 'body', error: expect.stringMatching(/1792/) });
    expect(await server.sql('select count(*) from shop.orders')).toBe('2');
  });

  test('that takes too long is ended by the server, before the deadline', async () => {
    const ended = async () =>
      Number((await server.sql("show global status like 'Max_statement_time_exceeded'")).split('\t')[1]);
    const before = await ended();
    const startedAt = performance.now();
    const output = await query('select sleep(20) from orders', { timeoutMs: 1_000 });
    expect(output.reason).toBe('timeout');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await until(async () => (await ended()) > before);
  });

  test('with a huge answer neither grows the daemon nor passes', async () => {
    const before = process.memoryUsage.rss();
    expect(await query("select repeat('x', 16000000)")).toMatchObject({
      reason: 'body',
      error: 'the answer is larger than 1 MiB',
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 * 2 ** 20);
  });
});

describe('what goes wrong has a reason', () => {
  test('passwords and permissions', async () => {
    expect(await ask({ url: server.url('', 'narrow:wrong') })).toMatchObject({
      reason: 'auth',
      error: expect.stringMatching(/1045/),
    });
    expect(await ask({ url: server.url('', 'nobody:x-x-x') })).toMatchObject({ reason: 'auth' });
    const narrow = server.url('shop', `narrow:${PASSWORD}`);
    expect(await ask({ url: narrow, query: 'select count(*) from orders' })).toMatchObject({
      reason: 'ok',
      fields: { value: 2 },
    });
    expect(await ask({ url: narrow, query: 'select user from mysql.user' })).toMatchObject({ reason: 'auth' });
    expect(await ask({ url: server.url('mysql', `narrow:${PASSWORD}`) })).toMatchObject({ reason: 'auth' });
  });

  test('a database that is not there', async () => {
    expect(await ask({ url: server.url('gone') })).toMatchObject({
      reason: 'not_found',
      error: expect.stringMatching(/1049/),
    });
  });

  test('an unknown host, a closed port, one that does not answer, an address that leads nowhere', async () => {
    const deaf = { url: `mysql://u@127.0.0.1:${await deafPort()}` };
    expect(await ask(deaf, { timeoutMs: 300 })).toMatchObject({ reason: 'connect_timeout' });
    expect(await ask({ url: 'mysql://u@224.0.0.1' })).toMatchObject({ reason: 'unreachable' });
    expect(await ask({ url: 'mysql://u@db.invalid' })).toMatchObject({ reason: 'dns' });
    expect(await ask({ url: `mysql://u@127.0.0.1:${await closedPort()}` })).toMatchObject({
      reason: 'connect_refused',
    });
  });

  test('a driver that is not installed says what to install', () => {
    const absent = () => {
      throw Object.assign(new Error('no'), { code: 'MODULE_NOT_FOUND' });
    };
    expect(() => loadDriver(absent)).toThrow(
      expect.objectContaining({ code: 'driver_missing', message: expect.stringContaining('npm install mysql2') }),
    );
  });
});

test('an answer in single bytes is whole', async () => {
  const { port } = await serveRaw((socket) => {
    const front = connect(server.port, '127.0.0.1');
    socket.pipe(front);
    socket.on('close', () => front.destroy());
    front.on('data', (data) => {
      for (const byte of data) socket.write(Buffer.from([byte]));
    });
  });
  const output = await ask({ url: `mysql://root@127.0.0.1:${port}/shop`, query: 'select note from orders' });
  expect(output).toMatchObject({ reason: 'ok', fields: { value: 'grüß', row_count: 2 } });
});

describe('a server with TLS and room for ten', () => {
  let authority: Authority;
  let own: MariadbServer;
  beforeAll(async () => {
    authority = await createAuthority();
    const { cert, key } = await authority.issue('db', { names: 'IP:127.0.0.1', days: 30 });
    const files = { cert: join(authority.folder, 'db.crt'), key: join(authority.folder, 'db-key.pem') };
    await writeFile(files.cert, cert);
    await writeFile(files.key, key);
    own = await startMariadb([`--ssl-cert=${files.cert}`, `--ssl-key=${files.key}`, '--max-connections=10']);
  });
  afterAll(async () => {
    await own.stop();
    await authority.remove();
  });

  test('shows its certificate, judged', async () => {
    await own.sql(`create user safe@'127.0.0.1' identified by '${PASSWORD}' require ssl`);
    const url = own.url('', `safe:${PASSWORD}`);
    const fields = { tls: { version: 'TLS 1.3' }, certificate: { subject: 'CN=db,O=Test' } };
    const query = 'select 1';
    expect(await ask({ url, query })).toMatchObject({ reason: 'ok', fields: { ...fields, value: 1 } });
    expect(await ask({ url: `${url}?ssl-mode=REQUIRED` })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url, tls: { ca: authority.cert } })).toMatchObject({ reason: 'ok', fields });
    expect(await ask({ url: `${url}?ssl-mode=VERIFY_IDENTITY` })).toMatchObject({ reason: 'tls', fields });
    expect(await ask({ url: `${url}?ssl-mode=disabled` })).toMatchObject({ reason: 'auth' });
    expect(await ask({ url: `${server.url()}?ssl-mode=REQUIRED` })).toMatchObject({
      reason: 'tls',
      error: 'the server does not offer TLS',
    });
  });

  test('is saturated when it is full', async () => {
    const clients = Array.from({ length: 12 }, () => connect(own.port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      for (const client of clients) client.destroy();
    });
    await until(async () => (await ask({ url: own.url() })).reason === 'saturated');
    expect((await ask({ url: own.url() })).error).toMatch(/1040/);
    for (const client of clients.splice(0)) client.destroy();
    await until(async () => (await ask({ url: own.url() })).reason === 'ok');
  });

  test('stands still, is killed, and comes back', async () => {
    own.pause();
    expect(await ask({ url: own.url() }, { timeoutMs: 400 })).toMatchObject({ reason: 'timeout' });
    own.resume();
    await until(async () => (await ask({ url: own.url() })).reason === 'ok');
    await own.kill();
    expect(await ask({ url: own.url() })).toMatchObject({ reason: 'connect_refused' });
    await own.start();
    expect(await ask({ url: own.url() })).toMatchObject({ reason: 'ok' });
  });
});

test('hundreds of runs leave nothing behind, here and in the counters of the server', async () => {
  const before = await server.sql("show global status like 'Aborted_clients'");
  const spec = { url: server.url('shop'), query: 'select count(*) from orders' };
  await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 200, 25);
  expect(await server.sql("show global status like 'Aborted_clients'")).toBe(before);
  const wrong = { url: server.url('shop'), query: 'select * from gone' };
  await leavesNothing(async () => expect((await ask(wrong)).reason).toBe('not_found'), 200, 25);
  const { port } = await serveRaw(() => {});
  const silent = { url: `mysql://u@127.0.0.1:${port}` };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ url: 'x' }, /is not a URL/],
    [{ url: 'postgres://u@h/' }, /is not a URL/],
    [{ url: 'mysql://h' }, /names no user/],
    [{ url: 'mysql://u@h?ssl-mode=maybe' }, /ssl-mode/],
    [{ url: 'mysql://u@h', query: 'drop table x' }, /only reads/],
  ])('%j is refused', (spec, message) => {
    const [issue] = mysql.spec.safeParse(spec).error?.issues ?? [];
    expect(issue?.message).toMatch(message);
  });

  test.each([
    'select 1',
    '  (select 1) union (select 2)',
    'SELECT `into` from t',
    "select 'insert into; for update'",
    'select "into" -- into\n from t # for update',
    'select 1 /* into */;',
    "select 'it''s', 'a\\'into'",
    'table t',
    'values row(1)',
    'show status',
    "select count(*) from t where info like '%get_lock(%'",
    'select load_file, is_free_lock(name) from t',
  ])('%s only reads', (statement) => expect(isReading(statement)).toBe(true));

  test.each([
    'insert into t values (1)',
    'select 1; drop table t',
    'select * into outfile "/tmp/x" from t',
    'select 1 into @a',
    'select * from t for update',
    'select * from t lock in share mode',
    'select 1 /*! into outfile "x" */',
    'select 1 /*M! into outfile "x" */',
    'set global x = 1',
    'kill 1',
    'call p()',
    'flush tables',
    'lock tables t read',
    "select get_lock('deploy', 60)",
    "select 1 from t where GET_LOCK /* now */ ('deploy', 60)",
    "select release_lock('deploy')",
    'select release_all_locks()',
    "select load_file('/etc/passwd')",
    'explain analyze select 1',
    '-- select',
    '',
  ])('%s does more', (statement) => expect(isReading(statement)).toBe(false));

  test('the target is without credentials', () => {
    const spec = mysql.spec.parse({ url: 'mysql://u:secret@Db.example/shop?ssl-mode=REQUIRED' }) as never;
    expect(mysql.target(spec)).toBe('mysql://db.example:3306/shop');
  });

  test('the example is valid', () => {
    const [definition] = parse(mysql.example);
    expect(mysql.spec.safeParse(definition.mysql).error).toBeUndefined();
  });
});
