import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/ports.ts';
import { PostgresConnection } from '../../src/store/postgres/connection.ts';
import type { Standing } from '../../src/store/postgres/election.ts';
import { startTcpProxy } from '../estate/tcp-proxy.ts';
import { openDatabase, usePostgres } from './postgres.ts';
import { state } from './records.ts';

const postgres = usePostgres();

/** A daemon of a cluster that asks for the database. */
function candidate(url: string, clock?: Clock) {
  const waiting = new AbortController();
  const heard: Standing[] = [];
  const losses: Error[] = [];
  const election = {
    signal: waiting.signal,
    async onStandby(standing: Standing) {
      heard.push(standing);
    },
  };
  const store = openDatabase(url, (error) => losses.push(error), { election, ...(clock && { clock }) });
  return { store, heard, losses, withdraw: () => waiting.abort(new Error('withdrawn')) };
}

const untilHeard = (heard: readonly Standing[], reached: boolean) =>
  expect.poll(() => heard.at(-1)?.reached, { timeout: 20_000 }).toBe(reached);

it('waits for the database that another one holds, says who, and has it within a moment of its end', async () => {
  const url = await postgres.createDatabase();
  const brain = await candidate(url).store;
  const next = candidate(url);
  await untilHeard(next.heard, true);
  expect(next.heard[0]?.why).toMatch(/^another daemon is the brain \(from 127\.0\.0\.1, server process \d+, since /);
  await brain.saveProbeState(state({ probe: 'before' }));
  expect(brain.isHeld()).toBe(true);
  await brain.close();
  const store = await next.store;
  expect((await store.probeStates()).map(({ probe }) => probe)).toStrictEqual(['before']);
  await store.close();
});

it('lets exactly one of several have it, and the others after it, one by one', async () => {
  const url = await postgres.createDatabase();
  const candidates = [1, 2, 3].map(() => candidate(url));
  const order: number[] = [];
  await Promise.all(
    candidates.map(async ({ store }, index) => {
      const won = await store;
      expect(order.length).toBe(await count(won));
      order.push(index);
      await won.saveProbeState(state({ probe: `term-${order.length}` }));
      await sleep(700);
      await won.close();
    }),
  );
  expect(order.toSorted()).toStrictEqual([0, 1, 2]);
});

async function count(store: Awaited<ReturnType<typeof openDatabase>>): Promise<number> {
  return (await store.probeStates()).length;
}

it('leaves the waiting when it is told to, and holds nothing then', async () => {
  const url = await postgres.createDatabase();
  const brain = await candidate(url).store;
  const next = candidate(url);
  await untilHeard(next.heard, true);
  next.withdraw();
  await expect(next.store).rejects.toThrow('withdrawn');
  await brain.close();
  await (await openDatabase(url)).close();
});

it('refuses a daemon that is not of the cluster', async () => {
  const url = await postgres.createDatabase();
  const brain = await candidate(url).store;
  await expect(openDatabase(url)).rejects.toMatchObject({ code: 'store_locked' });
  await brain.close();
});

it('knows that it is superseded, also when the other one has gone again', async () => {
  const url = new URL(await postgres.createDatabase());
  const proxy = await startTcpProxy(postgres.server().port);
  const direct = url.href;
  url.port = String(proxy.port);
  try {
    const { store: opening, losses } = candidate(url.href);
    const store = await opening;
    proxy.cut();
    await expect.poll(() => losses, { timeout: 20_000 }).toHaveLength(1);
    expect(store.isHeld()).toBe(false);
    const next = await candidate(direct).store;
    await expect(store.saveProbeState(state())).rejects.toMatchObject({ code: 'store_superseded' });
    await next.close();
    await expect(store.saveProbeState(state())).rejects.toMatchObject({ code: 'store_superseded' });
    await store.close();
  } finally {
    await proxy.stop();
  }
});

it('is sure of nothing any more before the server gives the database of one that was cut off to the next', async () => {
  const url = new URL(await postgres.createDatabase());
  const proxy = await startTcpProxy(postgres.server().port);
  const direct = url.href;
  url.port = String(proxy.port);
  try {
    const { store: opening, losses } = candidate(url.href);
    const store = await opening;
    // Nobody asks anything of it: it keeps its hold up by itself, past the lease.
    await sleep(17_000);
    expect(store.isHeld()).toBe(true);
    const next = candidate(direct);
    await untilHeard(next.heard, true);
    proxy.swallow();
    let sureUntil = performance.now();
    const watching = setInterval(() => {
      if (store.isHeld()) sureUntil = performance.now();
    }, 50);
    const swallowedAt = performance.now();
    const taken = await next.store;
    const takenAt = performance.now();
    clearInterval(watching);
    expect(losses).toHaveLength(1);
    expect(takenAt - sureUntil).toBeGreaterThan(2_000);
    expect(takenAt - swallowedAt).toBeLessThan(25_000);
    await taken.close();
    await store.close();
  } finally {
    await proxy.stop();
  }
}, 90_000);

describe.each(['now', 'monotonic'] as const)('a pause that the %s clock tells of', (paused) => {
  const times = { now: Date.now(), monotonic: 0 };
  const clock = { now: () => times.now, monotonic: () => times.monotonic };

  it('leaves it unsure until it has asked again', async () => {
    const store = await candidate(await postgres.createDatabase(), clock).store;
    expect(store.isHeld()).toBe(true);
    times[paused] += 14_000;
    expect(store.isHeld()).toBe(false);
    await store.probeStates();
    expect(store.isHeld()).toBe(true);
    await store.close();
  });

  it('counts from the question, not from its answer', async () => {
    const connection = await PostgresConnection.open({ url: await postgres.createDatabase(), clock });
    const answer = connection.query({ text: 'SELECT' });
    times[paused] += 14_000;
    await answer;
    expect(connection.unprovenMs).toBe(14_000);
    await connection.close();
  });
});

it('waits on while the server is away, and lets the former brain come first', async () => {
  const url = await postgres.createDatabase();
  const brain = await candidate(url).store;
  const next = candidate(url);
  await untilHeard(next.heard, true);
  await postgres.server().kill();
  await untilHeard(next.heard, false);
  await postgres.server().start();
  // Long enough for who waits to have connected again.
  await sleep(700);
  await expect
    .poll(() => brain.saveProbeState(state()).then(() => 'stored', String), { timeout: 30_000, interval: 100 })
    .toBe('stored');
  await untilHeard(next.heard, true);
  await brain.close();
  await (await next.store).close();
}, 90_000);
