import { afterEach, beforeEach, expect, it } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { Result } from '../../src/model.ts';
import type { Meter, Store } from '../../src/ports.ts';
import { createResultBuffer } from '../../src/runtime/result-buffer.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';

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

const ALL = { probe: 'web', from: 0, to: START * 2, limit: 1_000_000 };

it('writes everything that is left when it stops, in order', async () => {
  const counts = { dropped: 0 };
  const buffer = createResultBuffer({ store: opened.store, log: quietLog, meter: meterOf(counts) });
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
  const buffer = createResultBuffer({ store: away, log: quietLog, meter: meterOf(counts) });
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
  const buffer = createResultBuffer({ store: flaky, log: quietLog, meter: meterOf(counts) });
  for (let index = 0; index < 10; index += 1) buffer.add(resultAt(START + index));
  await expect.poll(() => refused).toBeGreaterThan(0);
  expect(buffer.count()).toBe(10);
  broken = false;
  await buffer.stop();
  expect(await opened.store.results(ALL)).toHaveLength(10);
});
