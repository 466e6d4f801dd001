/** What every store must do with the history of results. */
import { expect, it } from 'vitest';
import type { Result } from '../../src/model.ts';
import type { Store } from '../../src/ports.ts';
import { DAY, ODD, result } from './records.ts';
import type { OpenedForTest } from './sqlite.ts';

const HOUR = 3_600_000;
const EVERYTHING = { from: 0, to: Number.POSITIVE_INFINITY, limit: 1e9 };
const KEEP_ALL = { resultsMs: 1e15, maxBytes: 1e15 };

export function describeResults(name: string, open: () => Promise<OpenedForTest>): void {
  /** Each test has a history of its own. */
  function withStore(behaviour: string, test: (store: Store) => Promise<void>): void {
    it(`${name} ${behaviour}`, async () => {
      const { store, dispose } = await open();
      try {
        await test(store);
      } finally {
        await dispose();
      }
    });
  }

  withStore('come back as they went in, values of every kind and number included', async (store) => {
    const kinds: Result['values'][] = [
      {},
      { status: 200 },
      { status: 200.5, cpu: -1e-9 },
      { a: 1, b: 2, c: 3.25, d: 4 },
      { up: true, down: false },
      { text: ODD, empty: '', nul: '\0', n: 5 },
      { huge: 1.7976931348623157e308, infinite: Number.POSITIVE_INFINITY, none: Number.NaN },
      { status: 'unknown' },
    ];
    const stored = kinds.map((values, index) =>
      result({ values, at: DAY + index, reason: 'timeout', verdict: 'fail', error: true, revision: `r${index % 2}` }),
    );
    await store.addResults(stored);
    expect(await store.results({ probe: 'web', ...EVERYTHING })).toStrictEqual(stored);
  });

  withStore('span midnight, with the newest kept by the limit, from inclusive and to exclusive', async (store) => {
    const times = [-2 * HOUR, -1, 0, 59_999, 60_000, 25 * HOUR].map((offset) => DAY + offset);
    await store.addResults(times.map((at) => result({ at })));
    await store.addResults(times.map((at) => result({ at, probe: 'other' })));
    const read = async (filter: object) =>
      (await store.results({ probe: 'web', ...EVERYTHING, ...filter })).map(({ at }) => at);
    expect(await read({})).toStrictEqual(times);
    expect(await read({ limit: 2 })).toStrictEqual(times.slice(-2));
    expect(await read({ limit: 5 })).toStrictEqual(times.slice(-5));
    expect(await read({ limit: 0 })).toStrictEqual([]);
    expect(await read({ from: DAY - 1, to: DAY + 60_000 })).toStrictEqual(times.slice(1, 4));
    expect(await read({ from: DAY, to: DAY + 1 })).toStrictEqual([DAY]);
    expect(await read({ from: DAY + 1, to: DAY + 1 })).toStrictEqual([]);
    expect(await read({ probe: 'nobody' })).toStrictEqual([]);
  });

  withStore('know the newest time of every probe, however long ago', async (store) => {
    expect(await store.lastResultTimes()).toStrictEqual(new Map());
    await store.addResults([
      result({ at: DAY - 3 * HOUR, probe: 'yesterday' }),
      result({ at: DAY + 1, probe: 'early' }),
    ]);
    await store.addResults([
      result({ at: DAY + 9 * HOUR }),
      result({ at: DAY + 8 * HOUR }),
      result({ revision: 'r0' }),
    ]);
    const expected = { web: DAY + 9 * HOUR, early: DAY + 1, yesterday: DAY - 3 * HOUR };
    expect(Object.fromEntries(await store.lastResultTimes())).toStrictEqual(expected);
  });

  withStore('take the same result twice as one', async (store) => {
    await store.addResults([result(), result()]);
    await store.addResults([result()]);
    expect(await store.results({ probe: 'web', ...EVERYTHING })).toHaveLength(1);
  });

  withStore('are pruned by age in whole days, and written again afterwards', async (store) => {
    const days = [0, 1, 2, 3].map((day) => DAY + day * 24 * HOUR + HOUR);
    await store.addResults(days.map((at) => result({ at, revision: `r${at}` })));
    expect(await store.prune(KEEP_ALL, DAY + 90 * HOUR)).toMatchObject({ oldestAt: days[0] });
    // The second day ends exactly 24 h before.
    const kept = await store.prune({ resultsMs: 24 * HOUR, maxBytes: 1e15 }, DAY + 72 * HOUR);
    expect(kept.oldestAt).toBe(days[2]);
    expect((await store.results({ probe: 'web', ...EVERYTHING })).map(({ at }) => at)).toStrictEqual(days.slice(2));
    await store.addResults(days.map((at) => result({ at, revision: `r${at}` })));
    expect(await store.results({ probe: 'web', ...EVERYTHING })).toHaveLength(4);
  });

  withStore('are pruned by size, oldest day first, and never the newest', async (store) => {
    const { oldestAt, bytes: empty } = await store.prune(KEEP_ALL, DAY);
    expect(oldestAt).toBeUndefined();
    for (const day of [0, 1, 2]) {
      const ofDay = Array.from({ length: 2_000 }, (_, index) => result({ at: DAY + day * 24 * HOUR + index * 1_000 }));
      await store.addResults(ofDay);
    }
    const full = await store.prune(KEEP_ALL, DAY);
    const oneDay = (full.bytes - empty) / 3;
    const kept = await store.prune({ resultsMs: 1e15, maxBytes: full.bytes - oneDay / 2 }, DAY);
    expect(kept.oldestAt).toBe(DAY + 24 * HOUR);
    expect(kept.bytes).toBeLessThan(full.bytes - oneDay / 2);
    expect((await store.prune({ resultsMs: 0, maxBytes: 0 }, DAY + 1e12)).oldestAt).toBe(DAY + 48 * HOUR);
  });

  withStore('take at most 70 bytes with two values, in a large batch of many probes', async (store) => {
    const { bytes: empty } = await store.prune(KEEP_ALL, DAY);
    const count = 20_000;
    const batch = Array.from({ length: count }, (_, index) =>
      result({
        probe: `probe-${index % 100}`,
        at: DAY + Math.floor(index / 100) * 5_000 + (index % 100) * 50,
        values: { latency_ms: Math.sqrt(index + 2), load: Math.cbrt(index + 2) },
      }),
    );
    await store.addResults(batch);
    const { bytes } = await store.prune(KEEP_ALL, DAY);
    expect((bytes - empty) / count).toBeLessThan(70);
    expect(await store.results({ probe: 'probe-7', ...EVERYTHING })).toHaveLength(count / 100);
    expect(await store.lastResultTimes()).toHaveProperty('size', 100);
  });
}
