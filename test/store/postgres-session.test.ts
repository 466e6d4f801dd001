import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Store } from '../../src/ports.ts';
import { startTcpProxy, type TcpProxy } from '../estate/tcp-proxy.ts';
import { openDatabase, usePostgres } from './postgres.ts';
import { fresh, incident, result, state } from './records.ts';

const postgres = usePostgres();

const AWAY = { name: 'RetryableError', code: 'store_away' };

async function withStore(work: (store: Store, url: string, losses: readonly Error[]) => Promise<void>): Promise<void> {
  const url = await postgres.createDatabase();
  const losses: Error[] = [];
  const store = await openDatabase(url, (error) => losses.push(error));
  await work(store, url, losses).finally(() => store.close());
}

async function withProxy(work: (proxy: TcpProxy, url: string) => Promise<void>): Promise<void> {
  const url = new URL(await postgres.createDatabase());
  const proxy = await startTcpProxy(postgres.server().port);
  url.port = String(proxy.port);
  await work(proxy, url.href).finally(() => proxy.stop());
}

const databaseOf = (url: string) => new URL(url).pathname.slice(1);

/** Ends the server's side of the store, as an administrator would. */
const endBackends = (url: string) =>
  postgres.server().psql(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = '${databaseOf(url)}' AND application_name = 'brainstem'`);

it('refuses a second daemon on the same database, says who holds it, and lets it in after the first', async () => {
  await withStore(async (store, url) => {
    await expect(openDatabase(url)).rejects.toMatchObject({
      name: 'PermanentError',
      code: 'store_locked',
      message: expect.stringMatching(
        /another daemon holds the database 127\.0\.0\.1:\d+\/store\d+ \(from 127\.0\.0\.1,/,
      ),
    });
    await (await openDatabase(await postgres.createDatabase())).close();
    const next = openDatabase(url);
    await sleep(500);
    await store.close();
    await (await next).close();
  });
});

it('lets exactly one of several that start on an empty database at once have it', async () => {
  const url = await postgres.createDatabase();
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => openDatabase(url)));
  const opened = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  expect(opened).toHaveLength(1);
  for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'store_locked' });
  await opened[0]?.saveProbeState(state());
  await opened[0]?.close();
});

it('tells of a lost connection once, undoes what was under way, and goes on by itself', async () => {
  await withStore(async (store, url, losses) => {
    await store.saveProbeState(state({ probe: 'before' }));
    const half = store.transaction(async (queries) => {
      await queries.saveProbeState(state({ probe: 'half' }));
      await endBackends(url);
      await queries.saveProbeState(state());
    });
    await expect(half).rejects.toMatchObject(AWAY);
    await store.saveProbeState(state({ probe: 'after' }));
    await store.addResults([result()]);
    expect((await store.probeStates()).map(({ probe }) => probe)).toStrictEqual(['after', 'before']);
    expect(losses).toMatchObject([{ name: 'RetryableError' }]);
  });
});

it('never takes a transaction for committed in which a statement failed', async () => {
  await withStore(async (store) => {
    const opening = incident();
    const work = store.transaction(async (queries) => {
      await queries.insertIncident(opening);
      await queries.insertIncident(opening).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'store_transaction_failed' });
    expect(await store.openIncidents()).toStrictEqual([]);
  });
});

it('says that it cannot know when the connection is lost while a transaction is committed', async () => {
  await withProxy(async (proxy, url) => {
    const store = await openDatabase(url);
    try {
      const work = store.transaction(async (queries) => {
        await queries.saveProbeState(state());
        proxy.cut();
      });
      await expect(work).rejects.toMatchObject({ name: 'RetryableError', code: 'store_commit_unknown' });
      await store.probeStates();
    } finally {
      await store.close();
    }
  });
});

it('is told of the loss while nobody asks anything', async () => {
  await withStore(async (_store, url, losses) => {
    await endBackends(url);
    await expect.poll(() => losses, { timeout: 20_000 }).toMatchObject([AWAY]);
  });
});

it('cannot write after another daemon took the database in the meantime', async () => {
  await withProxy(async (proxy, url) => {
    const store = await openDatabase(url);
    try {
      await store.saveProbeState(state({ probe: 'first' }));
      proxy.cut();
      const other = await openDatabase(url);
      await expect(store.saveProbeState(state())).rejects.toMatchObject({ code: 'store_locked' });
      await other.close();
      await store.saveProbeState(state({ probe: 'first-again' }));
    } finally {
      await store.close();
    }
  });
});

it('notices a half-open connection within its deadline, and takes the database back from its own old session', async () => {
  await withProxy(async (proxy, url) => {
    const losses: Error[] = [];
    const store = await openDatabase(url, (error) => losses.push(error));
    try {
      proxy.swallow();
      const before = performance.now();
      const writes = Array.from({ length: 20 }, () => store.saveProbeState(state()));
      const outcomes = await Promise.allSettled(writes);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: AWAY });
      // One deadline for the statement, and one to connect for all the others together.
      expect(performance.now() - before).toBeLessThan(45_000);
      expect(losses).toHaveLength(1);
      proxy.restore();
      await store.saveProbeState(state({ probe: 'after' }));
      expect((await store.probeStates()).map(({ probe }) => probe)).toStrictEqual(['after']);
    } finally {
      await store.close();
    }
  });
}, 120_000);

it('waits for a slow database, and gives up on a locked table without losing the connection', async () => {
  await withProxy(async (proxy, url) => {
    const losses: Error[] = [];
    const store = await openDatabase(url, (error) => losses.push(error));
    try {
      proxy.delay(2_500);
      await store.saveProbeState(state({ probe: fresh('slow') }));
      proxy.delay(0);
      const blocker = postgres
        .server()
        .psql(
          `BEGIN; LOCK TABLE brainstem.probe_states IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(12)`,
          databaseOf(url),
        );
      await sleep(1_000);
      await expect(store.saveProbeState(state())).rejects.toMatchObject({ name: 'RetryableError', code: 'store_slow' });
      await blocker;
      await store.saveProbeState(state({ probe: 'after' }));
      expect(losses).toStrictEqual([]);
    } finally {
      await store.close();
    }
  });
}, 120_000);

it('goes on after the server was killed and started again', async () => {
  await withStore(async (store, _url, losses) => {
    await store.saveProbeState(state({ probe: 'before' }));
    await postgres.server().kill();
    await expect(store.saveProbeState(state())).rejects.toMatchObject(AWAY);
    await expect(store.transaction(async () => 1)).rejects.toMatchObject(AWAY);
    await postgres.server().start();
    await expect
      .poll(() => store.saveProbeState(state({ probe: 'after' })).then(() => 'stored'), { timeout: 30_000 })
      .toBe('stored');
    expect((await store.probeStates()).map(({ probe }) => probe)).toStrictEqual(['after', 'before']);
    expect(losses).toHaveLength(1);
  });
});

it('names what is wrong with the address, and never shows the password', async () => {
  const { port } = postgres.server();
  const open = (url: string) => openDatabase(url).catch((error: Error) => error);
  const password = ['hunter', 'two'].join('-');
  expect(await open(`postgres://postgres:${password}@127.0.0.1:${port}/absent`)).toMatchObject({
    name: 'PermanentError',
    code: 'store_refused',
    message: expect.stringMatching(/127\.0\.0\.1:\d+\/absent says: database "absent" does not exist.*store\.url/),
  });
  const unreachable = await open(`postgres://postgres:${password}@127.0.0.1:1/absent`);
  expect(unreachable).toMatchObject({ ...AWAY, message: expect.stringContaining('127.0.0.1:1/absent') });
  expect(String(unreachable)).not.toContain(password);
});

it('needs no more than its own schema, and says which right is missing', async () => {
  const url = new URL(await postgres.createDatabase());
  await postgres.server().psql('CREATE ROLE plain LOGIN');
  url.username = 'plain';
  await expect(openDatabase(url.href)).rejects.toMatchObject({
    name: 'PermanentError',
    code: 'store_unwritable',
    message: expect.stringContaining('CREATE on the database'),
  });
  await postgres.server().psql('CREATE SCHEMA brainstem AUTHORIZATION plain', databaseOf(url.href));
  await (await openDatabase(url.href)).close();
});
