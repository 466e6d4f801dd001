/** The estate's own definitions on a real PostgreSQL: what they see, and that their fixes heal it and nothing else. */
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { untilStory } from '../estate/docker-scene.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { incidentsOf, pass, type SeenStory, untilState } from '../estate/scene.ts';

const SLOTS = 60;
const RESERVED = 3;

let server: PostgresServer;
let estate: OwnEstate | undefined;
const sessions: Client[] = [];

beforeAll(async () => {
  server = await startPostgres([`max_connections=${SLOTS}`, `superuser_reserved_connections=${RESERVED}`]);
  await server.psql('create role app login; create role fixer superuser login; create role watcher login');
  await server.psql('grant pg_monitor to watcher');
  await server.createDatabase('estate');
  for (const table of ['customers', 'jobs', 'estimates', 'invoices']) {
    const rows = 'select generate_series(1, 100) as id';
    await server.psql(`create table ${table} as ${rows}; grant select on ${table} to watcher`, 'estate');
  }
}, 120_000);

afterEach(async () => {
  await estate?.close();
  estate = undefined;
  await Promise.all(sessions.splice(0).map((session) => session.end().catch(() => undefined)));
  // A server does not notice that the client of a running query is gone.
  await server.psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'");
  await until(async () => (await sessionsLeft()) === 0, { what: 'every session to be gone' });
});

afterAll(() => server?.stop());

const urlOf = (user: string) => `postgres://${user}@127.0.0.1:${server.port}/estate`;

async function watch(more: Readonly<Record<string, string>> = {}) {
  estate = await startOwnEstate({
    POSTGRES_URL: urlOf('watcher'),
    POSTGRES_ADMIN_URL: urlOf('fixer'),
    POSTGRES_HOST: '127.0.0.1',
    POSTGRES_PORT: String(server.port),
    ...more,
  });
  const { daemon } = estate;
  for (const name of ['postgres-port', 'postgres-server', 'postgres-pool']) await untilState(daemon, name, 'up');
  return daemon;
}

async function connect(): Promise<Client> {
  const session = new Client({ connectionString: urlOf('app') });
  session.on('error', () => undefined);
  sessions.push(session);
  await session.connect();
  return session;
}

async function idleInTransaction(count: number): Promise<void> {
  for (let each = 0; each < count; each += 1) await (await connect()).query('begin');
}

/** A session that works until the end of the test. */
async function work(): Promise<void> {
  const session = await connect();
  session.query('select pg_sleep(600)').catch(() => undefined);
}

const countSessions = async (which: string) => Number(await server.psql(`${SESSIONS} and ${which}`));
const SESSIONS = "select count(*) from pg_stat_activity where usename = 'app'";
const sessionsLeft = () => countSessions('true');
const working = () => countSessions("state = 'active'");

const isHealedBy =
  (fix: string) =>
  ({ healed_by }: SeenStory) =>
    healed_by === fix;
const statesOf = ({ attempts }: SeenStory) => attempts.map(({ remediation, state }) => [remediation, state]);

describe('a PostgreSQL', { timeout: 180_000 }, () => {
  it('whose pool is used up is seen, and healed by ending half of it at most, whoever works is left alone', async () => {
    const daemon = await watch({ POSTGRES_FULL_IDLE_S: '1' });
    await work();
    await idleInTransaction(51);
    const story = await untilStory(daemon, 'postgres-pool', 'healed', isHealedBy('free-postgres-connections'));
    expect(story.cause).toContain('connections');
    expect(statesOf(story)).toEqual([['free-postgres-connections', 'healed']]);
    expect(await sessionsLeft()).toBe(52 - 25);
    expect(await working()).toBe(1);
    expect(await incidentsOf(daemon, 'postgres-idle-transactions')).toEqual([]);
  });

  it('that lets nobody in any more is healed through the connections that are reserved', async () => {
    const daemon = await watch({ POSTGRES_FULL_IDLE_S: '1', POSTGRES_POOL: '100' });
    await idleInTransaction(SLOTS - RESERVED);
    const story = await untilStory(daemon, 'postgres-server', 'healed', isHealedBy('free-postgres-connections'));
    expect(story).toMatchObject({ severity: 'critical' });
    expect(statesOf(story)).toEqual([['free-postgres-connections', 'healed']]);
    expect(await sessionsLeft()).toBe(SLOTS - RESERVED - 25);
  });

  it('with a forgotten transaction is healed by ending its session, and the one beside it goes on', async () => {
    const daemon = await watch({ POSTGRES_IDLE_LIMIT_S: '4' });
    const forgetful = await connect();
    const ended = new Promise<Error>((resolve) => forgetful.once('error', resolve));
    await work();
    await forgetful.query('begin');
    const story = await untilStory(daemon, 'postgres-idle-transactions', 'healed', isHealedBy('end-idle-transactions'));
    expect(statesOf(story)).toEqual([['end-idle-transactions', 'healed']]);
    expect(await ended).toMatchObject({ code: '57P01' });
    expect(await working()).toBe(1);
  });

  it('with a query that takes long is healed by cancelling it, and its session stays', async () => {
    const daemon = await watch({ POSTGRES_QUERY_LIMIT_S: '4' });
    const session = await connect();
    const cancelled = session.query('select pg_sleep(600)').catch((error: unknown) => error);
    const story = await untilStory(daemon, 'postgres-long-queries', 'healed', isHealedBy('cancel-long-queries'));
    expect(statesOf(story)).toEqual([['cancel-long-queries', 'healed']]);
    expect(await cancelled).toMatchObject({ code: '57014' });
    expect((await session.query('select 7 as done')).rows).toEqual([{ done: 7 }]);
  });

  it('whose core table shrinks is an incident at once, and nothing is done to it', async () => {
    const daemon = await watch({ CORE_TABLES_LOOK_BACK: '40s' });
    await untilState(daemon, 'postgres-customers', 'up');
    await pass(25_000); // a window has an opinion once half of it is covered
    await server.psql('delete from customers where id > 80', 'estate');
    const story = await untilStory(daemon, 'postgres-customers', 'open', () => true);
    expect(story).toMatchObject({ severity: 'critical', attempts: [] });
    expect(story.cause).toContain('max("value"');
    expect(await incidentsOf(daemon, 'postgres-jobs')).toEqual([]);
    await until(() => estate?.heard('postgres-customers').includes('opened'), { what: 'people to hear of it' });
  });
});
