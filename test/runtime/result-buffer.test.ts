import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { Reason, Result } from '../../src/model.ts';
import type { Log, Meter, Store } from '../../src/ports.ts';
import { createResultBuffer } from '../../src/runtime/result-buffer.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { openRuntime } from './runtime-house.ts';

const START = Date.UTC(2026, 10, 23);

let opened: OpenedForTest;
beforeEach(async () => {
  opened = await openTemporary();
});
afterEach(() => opened.dispose());

function resultAt(at: number): Result {
  return {
    ...{ probe: 'web', at, latencyMs: 1, reason: 'ok', verdict: 'pass', revision: 'r1', error: false, values: {} },
  };
}

function meterOf(counts: { dropped: number }): Meter {
  return {
    resultsBuffered: () => undefined,
    resultsDropped: (count: number) => {
      counts.dropped += count;
    },
  } as Partial<Meter> as Meter;
}

const onRefused = () => undefined;
const ALL = { probe: 'web', from: 0, to: START * 2, limit: 1_000_000 };

it('writes everything that is left when it stops, in order', async () => {
  const counts = { dropped: 0 };
  const buffer = createResultBuffer({ store: opened.store, log: quietLog, meter: meterOf(counts), onRefused });
  for (let index = 0; index < 2_500; index += 1) buffer.add(resultAt(START + index));
  await buffer.stop();
  expect(buffer.count()).toBe(0);
  const stored = await opened.store.results(ALL);
  expect(stored.map(({ at }) => at)).toEqual(Array.from({ length: 2_500 }, (_, index) => START + index));
  expect(counts).toEqual({ dropped: 0 });
});

it('keeps what cannot be stored, bounded, drops the oldest and counts them', async () => {
  const counts = { dropped: 0 };
  const away: Store = Object.assign(Object.create(opened.store) as Store, {
    addResults: () => Promise.reject(new RetryableError('store_full', 'the disk is full')),
  });
  const buffer = createResultBuffer({ store: away, log: quietLog, meter: meterOf(counts), onRefused });
  for (let index = 0; index < 103_000; index += 1) buffer.add(resultAt(START + index));
  expect(buffer.count()).toBeLessThanOrEqual(100_000);
  expect(buffer.count() + counts.dropped).toBe(103_000);
  await buffer.stop();
  await expect(buffer.flush()).rejects.toMatchObject({ code: 'store_full' });
  expect(buffer.count() + counts.dropped).toBe(103_000);
});

it('goes on where it stopped when the store is back', async () => {
  const counts = { dropped: 0 };
  let broken = true;
  let refused = 0;
  const away = () => {
    refused += 1;
    return Promise.reject(new RetryableError('store_away', 'away'));
  };
  const flaky: Store = Object.assign(Object.create(opened.store) as Store, {
    addResults: (results: readonly Result[]) => (broken ? away() : opened.store.addResults(results)),
  });
  const buffer = createResultBuffer({ store: flaky, log: quietLog, meter: meterOf(counts), onRefused });
  for (let index = 0; index < 10; index += 1) buffer.add(resultAt(START + index));
  await expect.poll(() => refused).toBeGreaterThan(0);
  expect(buffer.count()).toBe(10);
  broken = false;
  await buffer.stop();
  expect(await opened.store.results(ALL)).toHaveLength(10);
});

it('drops a result that the store cannot take, says so once, and keeps all others', async () => {
  const counts = { dropped: 0 };
  const told: unknown[] = [];
  const logged: string[] = [];
  const log: Log = { ...quietLog, error: (event) => void logged.push(event) };
  const buffer = createResultBuffer({
    ...{ store: opened.store, log, meter: meterOf(counts) },
    onRefused: (why) => void told.push(why),
  });
  const bad = new Set([0, 700, 701, 2_499]);
  for (let index = 0; index < 2_500; index += 1) {
    buffer.add({ ...resultAt(START + index), ...(bad.has(index) && { reason: Object as unknown as Reason }) });
  }
  await buffer.flush();
  expect(buffer.count()).toBe(0);
  expect(counts).toEqual({ dropped: 4 });
  expect((await opened.store.results(ALL)).map(({ at }) => at)).toEqual(
    Array.from({ length: 2_500 }, (_, index) => START + index).filter((at) => !bad.has(at - START)),
  );
  expect(logged).toEqual(['results_not_stored']);
  expect(told).toEqual([expect.stringMatching(/^web: NOT NULL/)]);
  await buffer.stop();
});

it('waits with all of them when the store goes away while it looks for the one that cannot be taken', async () => {
  const counts = { dropped: 0 };
  let calls = 0;
  const flaky: Store = Object.assign(Object.create(opened.store) as Store, {
    addResults(results: readonly Result[]) {
      calls += 1;
      return calls > 2 && calls < 6
        ? Promise.reject(new RetryableError('store_away', 'away'))
        : opened.store.addResults(results);
    },
  });
  const buffer = createResultBuffer({ store: flaky, log: quietLog, meter: meterOf(counts), onRefused });
  for (let index = 0; index < 100; index += 1) {
    buffer.add({ ...resultAt(START + index), ...(index === 60 && { reason: Object as unknown as Reason }) });
  }
  await expect(buffer.flush()).rejects.toMatchObject({ code: 'store_away' });
  await expect.poll(() => buffer.count(), { timeout: 10_000 }).toBe(0);
  expect(counts).toEqual({ dropped: 1 });
  expect(await opened.store.results(ALL)).toHaveLength(99);
  await buffer.stop();
});

it('people hear of what could not be stored, and all else is in the history', async () => {
  const house = await openRuntime();
  try {
    const add = house.store.addResults.bind(house.store);
    vi.spyOn(house.store, 'addResults').mockImplementation((results) =>
      results.some(({ probe }) => probe === 'odd') ? Promise.reject(new Error('no such column')) : add(results),
    );
    await house.start({ probes: [{ name: 'odd' }, { name: 'web' }] });
    await house.until(() => house.heard.length > 0);
    expect(house.heard[0]?.alert).toMatchObject({
      kind: 'opened',
      text: expect.stringContaining('results are lost, because the store does not take them: odd: no such column'),
      incident: { source: 'self', subject: 'results' },
    });
    await house.until(async () => (await house.store.results(ALL)).length > 5);
    expect(house.runtime.views.self().results_buffered).toBeLessThan(50);
  } finally {
    await house.close();
  }
});
