/** The `postgres` action against a real server: which sessions end, and which never do. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { postgres } from '../../src/action-types/postgres.ts';
import type { Resource } from '../../src/model.ts';
import { aProbe } from '../engine/definitions.ts';
import { freePort, until } from '../estate/daemon.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { QUIET } from './input.ts';

/** A message of the server: type, length, body. */
function frame(type: string, body: string): Buffer {
  const head = Buffer.from(`${type}....`);
  head.writeUInt32BE(Buffer.byteLength(body, 'latin1') + 4, 1);
  return Buffer.concat([head, Buffer.from(body, 'latin1')]);
}

/** It lets in whoever comes, and waits for what they want. */
const WELCOME = Buffer.concat([frame('R', '\0\0\0\0'), frame('Z', 'I')]);

const SLOTS = 20;
let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres([`max_connections=${SLOTS}`, 'superuser_reserved_connections=3']);
  await server.psql('create role app login; create role weak login; create role fixer login');
  await server.psql('grant pg_read_all_stats, pg_signal_backend to fixer');
  await server.createDatabase('shop');
}, 60_000);
afterAll(() => server?.stop());

const open: Client[] = [];
afterEach(async () => {
  for (const client of open.splice(0)) await client.end().catch(() => undefined);
  // The next test begins without sessions of this one.
  await until(async () => (await sessions()) === 0, { what: 'all sessions to be gone' });
});

const sessions = async () =>
  Number(await server.psql("select count(*) from pg_stat_activity where backend_type = 'client backend'")) - 1;

const urlOf = (user: string, database = 'shop') => `postgres://${user}@127.0.0.1:${server.port}/${database}`;

interface App {
  readonly client: Client;
  readonly pid: number;
  isAlive(): boolean;
}

/** A session as an application has one. */
async function connect(user = 'app', application = 'web', database = 'shop'): Promise<App> {
  const client = new Client({ connectionString: urlOf(user, database), application_name: application });
  let alive = true;
  client
    .on('error', () => undefined)
    .on('end', () => {
      alive = false;
    });
  await client.connect();
  open.push(client);
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return { client, pid: rows[0].pid, isAlive: () => alive };
}

async function idleInTransaction(...session: Parameters<typeof connect>): Promise<App> {
  const app = await connect(...session);
  await app.client.query('begin');
  await app.client.query("select 'a text that is nobody’s business'");
  return app;
}

/** Resolves to the error, or to undefined when it ran to its end. */
const sleeping = (app: App, seconds = 60) =>
  app.client.query(`select pg_sleep(${seconds})`).then(
    () => undefined,
    (error: Error) => error.message,
  );

/** Until every session has been so for longer than the rule says. */
const aWhile = () => new Promise((resume) => setTimeout(resume, 400));

function run(written: object, { timeoutMs = 20_000, resource }: { timeoutMs?: number; resource?: Resource } = {}) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const input = { remediation: 'end', attemptId: 1, probe: aProbe(), folder: '/', onChild: async () => {}, ...QUIET };
  const spec = postgres.spec.parse({ url: urlOf('fixer'), ...written });
  const signal = AbortSignal.timeout(timeoutMs);
  return postgres.run(spec, { ...input, ...(resource && { resource }) }, { signal, timeoutMs, clock, log: quietLog });
}

const IDLE = { state: 'idle in transaction', longer_than: '200ms' };

describe('ending', () => {
  it('frees a full pool of those that idle too long, and says whom it ended, never what they ran', async () => {
    const full: App[] = [];
    for (let left = SLOTS - 3; left > 1; left -= 1) full.push(await idleInTransaction());
    await aWhile();
    const output = await run({ end: { ...IDLE, at_most: 30 } });
    expect(output.done, output.error).toBe(true);
    await until(() => full.every(({ isAlive }) => !isAlive()), { what: 'all of them to be ended' });
    const lines = (output.output ?? '').split('\n');
    expect(lines[0]).toBe(`ended ${full.length}`);
    expect(lines[1]).toMatch(
      /^pid \d+, user app, application web, database shop, idle in transaction for \d+(ms|\.?\d*s)$/,
    );
    expect(output.output).not.toContain('business');
    expect((await connect()).isAlive()).toBe(true);
  });

  it('spares what does something else, is younger, of another user, application or database', async () => {
    const [target, working] = [await idleInTransaction(), await connect()];
    const slept = sleeping(working, 2);
    const others = [
      await connect(),
      await idleInTransaction('weak'),
      await idleInTransaction('app', 'other'),
      await idleInTransaction('app', 'web', 'postgres'),
    ];
    await aWhile();
    const young = await idleInTransaction();
    const rule = { ...IDLE, longer_than: '390ms', user: 'app', application: 'web' };
    expect((await run({ end: rule })).output).toMatch(/^ended 1\n/);
    await until(() => !target.isAlive(), { what: 'the one to be ended' });
    expect(await slept).toBeUndefined();
    expect([working, ...others, young].every(({ isAlive }) => isAlive())).toBe(true);
  });

  it('never ends sessions of Brainstem, of superusers or its own, though the rule would fit', async () => {
    const spared = [await idleInTransaction('app', 'brainstem-probe'), await idleInTransaction('postgres', 'psql')];
    await aWhile();
    const output = await run({ url: urlOf('postgres'), end: { ...IDLE, database: '*' } });
    expect(output).toEqual({ done: false, error: 'no session matches' });
    expect(spared.every(({ isAlive }) => isAlive())).toBe(true);
    const asked = await run({ url: urlOf('postgres'), end: { ...IDLE, include: ['superuser'] } });
    expect(asked.output).toContain('user postgres, application psql');
    await until(() => spared[1]?.isAlive() === false, { what: 'the superuser to be ended' });
    expect(spared[0]?.isAlive()).toBe(true);
  });

  it('ends so many at most, the longest first', async () => {
    const [first, second] = [await idleInTransaction(), await idleInTransaction()];
    await aWhile();
    expect((await run({ end: { ...IDLE, at_most: 1 } })).output).toMatch(
      new RegExp(`^ended 1\\npid ${first.pid},.*\\n1 more had matched$`),
    );
    await until(() => !first.isAlive(), { what: 'the longest to be ended' });
    expect(second.isAlive()).toBe(true);
  });

  it('finds sessions by what they ran', async () => {
    const [target, other] = [await connect(), await connect()];
    await target.client.query('select 1 /* report 42 */');
    await aWhile();
    const rule = { state: 'idle', longer_than: '200ms', query_matches: 'report \\d+' };
    expect((await run({ end: rule })).output).toMatch(/^ended 1\n/);
    await until(() => !target.isAlive(), { what: 'it to be ended' });
    expect(other.isAlive()).toBe(true);
  });

  it('ends one whose transaction has failed: it holds its locks as well', async () => {
    const app = await connect();
    await app.client.query('begin');
    await app.client.query('select 1 / 0').catch(() => undefined);
    await aWhile();
    expect((await run({ end: IDLE })).output).toContain('idle in transaction (aborted)');
  });
});

describe('cancelling', () => {
  it('stops what runs too long, and leaves the session connected', async () => {
    const app = await connect();
    const slept = sleeping(app);
    await aWhile();
    expect((await run({ cancel: { state: 'active', longer_than: '200ms' } })).output).toMatch(/^cancelled 1\npid/);
    expect(await slept).toContain('canceling statement due to user request');
    expect((await app.client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});

describe('a server that does not do it', () => {
  it('that hides its sessions is told of with the grants that are missing', async () => {
    await idleInTransaction();
    await aWhile();
    const output = await run({ url: urlOf('weak'), end: IDLE });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('GRANT pg_read_all_stats') });
  });

  it('that refuses to signal says so, with the grant', async () => {
    await server.psql('grant pg_read_all_stats to weak');
    const app = await idleInTransaction();
    await aWhile();
    const output = await run({ url: urlOf('weak'), end: IDLE });
    expect(output).toMatchObject({ done: false, error: expect.stringMatching(/\(42501\).*GRANT pg_signal_backend/) });
    expect(app.isAlive()).toBe(true);
    await server.psql('revoke pg_read_all_stats from weak');
  });

  it.each([
    ['is not there', async () => `postgres://fixer@127.0.0.1:${await freePort()}/shop`, 'ECONNREFUSED'],
    ['has no such database', async () => urlOf('fixer', 'absent'), '(3D000)'],
    ['has no TLS though the URL demands it', async () => `${urlOf('fixer')}?sslmode=require`, 'does not offer TLS'],
  ])('that %s is named', async (_what, url, words) => {
    const output = await run({ url: await url(), end: IDLE });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining(words) });
  });

  it('that is no PostgreSQL, or never answers, is left at the deadline at the latest', async () => {
    const foreign = createServer((socket) =>
      socket.on('error', () => {}).on('data', () => socket.write('HTTP/1.1 400')),
    );
    const silent = createServer((socket) => socket.on('error', () => {}).resume());
    const fakes = [foreign, silent];
    for (const fake of fakes) await once(fake.listen(0, '127.0.0.1'), 'listening');
    const url = (fake: typeof foreign) => `postgres://x@127.0.0.1:${(fake.address() as { port: number }).port}/x`;
    try {
      expect((await run({ url: url(foreign), end: IDLE }, { timeoutMs: 60_000 })).error).toContain(
        'does not speak PostgreSQL',
      );
      await until(async () => (await connections(foreign)) === 0, { what: 'the connection to be closed' });
      expect((await run({ url: url(silent), end: IDLE }, { timeoutMs: 300 })).error).toContain('the deadline passed');
      await until(async () => (await connections(silent)) === 0, { what: 'the connection to be closed' });
    } finally {
      for (const fake of fakes) fake.close();
    }
  });

  it.each<[string, Buffer]>([
    ['sends a row that nobody asked for', Buffer.concat([WELCOME, frame('D', '\xff\xff')])],
    ['sends a row with a bad count', Buffer.concat([WELCOME, frame('D', '')])],
    ['sends an unknown authentication', frame('R', '\0\0\0\x63')],
    ['sends an error without an end', frame('E', 'Mno')],
    ['sends more than anybody reads', Buffer.concat([WELCOME, Buffer.alloc(9 * 2 ** 20, frame('N', 'Mbusy\0\0'))])],
  ])('that %s ends the fix, not the daemon', async (_what, bytes) => {
    const hostile = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(bytes)));
    await once(hostile.listen(0, '127.0.0.1'), 'listening');
    const { port } = hostile.address() as { port: number };
    try {
      const output = await run({ url: `postgres://x@127.0.0.1:${port}/x?sslmode=disable`, end: IDLE });
      expect(output).toMatchObject({
        done: false,
        error: expect.stringMatching(/not valid|unexpected dataRow|larger than 8 MiB/),
      });
      await until(async () => (await connections(hostile)) === 0, { what: 'the connection to be closed' });
    } finally {
      hostile.close();
    }
  });

  const connections = (fake: ReturnType<typeof createServer>) =>
    new Promise<number>((resolve) => fake.getConnections((_error, count) => resolve(count)));

  it('that hangs is left at the deadline', async () => {
    server.pause();
    try {
      const output = await run({ end: IDLE }, { timeoutMs: 400 });
      expect(output).toMatchObject({ done: false, error: expect.stringContaining('the deadline passed') });
    } finally {
      server.resume();
    }
  });
});

describe('the target', () => {
  const resourceOf = (rule: object, observed?: Resource) =>
    postgres.resource(postgres.spec.parse({ url: urlOf('fixer'), end: { ...IDLE, ...rule } }), 'fix', observed);
  const here = () => `127.0.0.1:${server.port}`;

  it('is the database of the URL unless the rule names another', () => {
    expect(resourceOf({})).toBe(`database:shop@${here()}`);
    expect(resourceOf({ database: 'stock' })).toBe(`database:stock@${here()}`);
    expect(resourceOf({ database: '*' })).toBe(`database:*@${here()}`);
  });

  it('is what the probe observed, on this server alone', () => {
    const rule = { database: { from: 'probe' } };
    expect(resourceOf(rule, { kind: 'database', name: 'stock', at: here() })).toBe(`database:stock@${here()}`);
    expect(resourceOf(rule, { kind: 'database', name: 'stock', at: '10.0.0.1:5432' })).toBeUndefined();
    expect(resourceOf(rule, { kind: 'container', name: 'stock' })).toBeUndefined();
    expect(resourceOf(rule)).toBeUndefined();
  });

  it('that the probe observed bounds the act', async () => {
    const [target, other] = [await idleInTransaction('app', 'web', 'postgres'), await idleInTransaction()];
    await aWhile();
    const resource = { kind: 'database', name: 'postgres', at: here() };
    expect((await run({ end: { ...IDLE, database: { from: 'probe' } } }, { resource })).output).toMatch(/^ended 1\n/);
    await until(() => !target.isAlive(), { what: 'the one in that database to be ended' });
    expect(other.isAlive()).toBe(true);
  });
});

describe('the spec', () => {
  it.each([
    [{}, 'exactly one of cancel and end'],
    [{ end: IDLE, cancel: IDLE }, 'exactly one of cancel and end'],
    [{ end: {} }, ''],
    [{ end: { state: 'idle' } }, ''],
    [{ end: { longer_than: '5m' } }, ''],
    [{ end: { ...IDLE, longer_than: '0s' } }, 'at least 100ms'],
    [{ cancel: IDLE }, 'must be active'],
    [{ end: { ...IDLE, at_most: 0 } }, ''],
    [{ end: { ...IDLE, user: '' } }, ''],
    [{ end: { ...IDLE, query_matches: '(' } }, 'is not a regular expression'],
    [{ url: 'http://x/y', end: IDLE }, 'is not a URL of one server'],
    [{ url: 'postgres://h/x', end: IDLE }, 'names no user'],
    [{ url: 'postgres://a@h/x?sslmode=maybe', end: IDLE }, 'has an sslmode other than'],
  ])('refuses %j: an empty rule never means all', (written, message) => {
    const issues = postgres.spec.safeParse({ url: 'postgres://a@h/x', ...written }).error?.issues;
    expect(issues?.map((issue) => issue.message).join()).toContain(message);
  });

  it('says what it would do, without the password', () => {
    const url = 'postgres://fixer:hush-hush@db.example.org/shop';
    const spec = postgres.spec.parse({ url, end: { ...IDLE, longer_than: '5m', user: 'app' } });
    expect(postgres.would(spec, undefined)).toBe(
      'end at most 10 sessions idle in transaction for longer than 5m in shop on db.example.org:5432 of user app',
    );
  });
});
