import { describe, expect, test } from 'vitest';
import {
  createWindow,
  type RunWindow,
  refill,
  sampleOf,
  type WindowSpec,
  windowSpecOf,
} from '../../src/engine/window.ts';
import type { Result, WindowFunction, WindowUse } from '../../src/model.ts';
import { observation, probe } from './judging.ts';

const MINUTE = 60_000;
const SPEC: WindowSpec = { numericPaths: ['v'], spanMs: 5 * MINUTE, everyMs: 30_000 };

function use(name: WindowFunction, spanMs = 5 * MINUTE): WindowUse {
  return name === 'error_rate' ? { function: name, spanMs } : { function: name, field: 'v', spanMs };
}

/** One run every 30 s from 30 s on; undefined is a failed exchange. */
function filled(values: readonly (number | undefined)[], spec = SPEC): { window: RunWindow; now: number } {
  const window = createWindow(spec);
  values.forEach((value, index) => {
    window.push({
      at: 30_000 * (index + 1),
      error: value === undefined,
      values: value === undefined ? {} : { v: value },
    });
  });
  return { window, now: 30_000 * values.length };
}

function read(name: WindowFunction, values: readonly (number | undefined)[], spanMs?: number): number | undefined {
  const { window, now } = filled(values);
  return window.reader(now).read(use(name, spanMs));
}

describe('aggregates', () => {
  const TEN = [10, 1, 9, 2, 8, 3, 7, 4, 6, 5];

  test.each([
    ['avg', 5.5],
    ['min', 1],
    ['max', 10],
    ['count', 10],
    ['p50', 5.5],
    ['p95', 9.55],
    ['p99', 9.91],
    ['error_rate', 0],
  ] as const)('%s of one to ten is %d', (name, expected) => expect(read(name, TEN)).toBeCloseTo(expected, 10));

  test('rate is per second, and a fall is a restart at zero', () => {
    expect(read('rate', [0, 30, 60, 90, 120, 150])).toBeCloseTo(1);
    expect(read('rate', [100, 130, 160, 10, 40, 70])).toBeCloseTo((60 + 10 + 60) / 150);
    expect(read('rate', [5, 5, 5, 5, 5, 5])).toBe(0);
  });
});

describe('which runs count', () => {
  test('numeric functions leave out failed exchanges and absent values', () => {
    expect(read('avg', [10, undefined, 20, undefined, 30, 40])).toBe(25);
    expect(read('count', [10, undefined, 20, undefined, 30, 40])).toBe(4);
  });

  test('error_rate is the share of all runs', () => {
    expect(read('error_rate', [10, undefined, 20, undefined, 30, 40, 50, 60])).toBe(0.25);
    expect(read('error_rate', Array(10).fill(undefined))).toBe(1);
  });

  test('a run older than the span is out, the one at now is in', () => {
    const { window, now } = filled([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100]);
    expect(window.reader(now).read(use('max'))).toBe(100);
    expect(window.reader(now).read(use('count'))).toBe(10);
    expect(window.reader(now - 1).read(use('max'))).toBe(1);
  });

  test('shorter spans read the same ring', () => {
    expect(read('avg', [0, 0, 0, 0, 0, 0, 0, 0, 6, 8], 60_000)).toBe(7);
  });

  test('a path that is not kept has no opinion', () => {
    const { window, now } = filled([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(window.reader(now).read({ function: 'avg', field: 'other', spanMs: 300_000 })).toBeUndefined();
  });
});

describe('no opinion', () => {
  test('until half of the span is covered', () => {
    const opinions = [1, 2, 3, 4, 5, 6, 7].map((runs) => read('avg', Array(runs).fill(1)) !== undefined);
    expect(opinions).toEqual([false, false, false, false, false, true, true]);
  });

  test('a window of two runs speaks at the second, a little early or late', () => {
    for (const jitterMs of [-900, 0, 900]) {
      const window = createWindow(SPEC);
      window.push({ at: 0, error: false, values: { v: 1 } });
      expect(window.reader(0).read(use('avg', 60_000))).toBeUndefined();
      window.push({ at: 30_000 + jitterMs, error: false, values: { v: 3 } });
      expect(window.reader(30_000 + jitterMs).read(use('avg', 60_000))).toBe(2);
    }
  });

  test('when successes cover too little, while error_rate and count know', () => {
    const mostlyDown = [...Array(8).fill(undefined), 5, 6];
    expect(read('avg', mostlyDown)).toBeUndefined();
    expect(read('error_rate', mostlyDown)).toBe(0.8);
    expect(read('count', mostlyDown)).toBe(2);
    expect(read('count', Array(10).fill(undefined))).toBe(0);
  });

  test('after a gap in which nothing ran', () => {
    const { window, now } = filled(Array(10).fill(1));
    window.push({ at: now + 60 * MINUTE, error: false, values: { v: 2 } });
    expect(window.reader(now + 60 * MINUTE).read(use('avg'))).toBeUndefined();
  });

  test('after clear', () => {
    const { window, now } = filled(Array(10).fill(1));
    window.clear();
    expect(window.reader(now).read(use('avg'))).toBeUndefined();
    expect(window.reader(now).read(use('error_rate'))).toBeUndefined();
  });
});

describe('the ring', () => {
  test('agrees with a plain list over thousands of runs, as their distance changes', () => {
    const window = createWindow(SPEC);
    const plain: { at: number; v: number }[] = [];
    let now = 0;
    for (let index = 0; index < 5_000; index++) {
      now += [30_000, 1_000, 7_000, 200, 30_000][Math.floor(index / 1_000)] ?? 0;
      const v = (index * 7919) % 1_000;
      plain.push({ at: now, v });
      window.push({ at: now, error: v < 100, values: { v } });
      if (index < 100 || index % 37 !== 0) continue;
      const seen = plain.filter(({ at }) => at > now - SPEC.spanMs && at <= now);
      expect(window.reader(now).read(use('count'))).toBe(seen.length);
      expect(window.reader(now).read(use('max'))).toBe(Math.max(...seen.map((run) => run.v)));
      expect(window.reader(now).read(use('avg'))).toBeCloseTo(
        seen.reduce((sum, run) => sum + run.v, 0) / seen.length,
        8,
      );
      const errors = seen.filter((run) => run.v < 100).length;
      expect(window.reader(now).read(use('error_rate'))).toBeCloseTo(errors / seen.length, 10);
    }
  });

  test('is bounded: the oldest of too many runs make room', () => {
    const window = createWindow({ ...SPEC, spanMs: 1e9 });
    for (let index = 0; index < 70_000; index++) window.push({ at: index, error: false, values: { v: index } });
    expect(window.reader(69_999).read({ function: 'count', field: 'v', spanMs: 20_000 })).toBe(20_000);
    expect(window.reader(69_999).read({ function: 'min', field: 'v', spanMs: 60_000 })).toBe(40_000);
  });

  test('a clock that is set back does not bring old runs up again', () => {
    const { window, now } = filled(Array(10).fill(1));
    const back = now - 60 * MINUTE;
    for (let index = 0; index < 10; index++) {
      window.push({ at: back + index * 30_000, error: false, values: { v: 5 } });
    }
    expect(window.reader(back + 270_000).read(use('avg'))).toBe(5);
    expect(window.reader(now).read(use('count'))).toBeUndefined();
  });
});

describe('samples', () => {
  test('of a run: latency and fields, by path', () => {
    const seen = observation({ startedAt: 7, latencyMs: 42, fields: { json: { load: 3, text: 'x' }, status: 200 } });
    expect(sampleOf(seen, true, ['latency_ms', 'json.load', 'json.text', 'json.none'])).toEqual({
      at: 7,
      error: true,
      values: { latency_ms: 42, 'json.load': 3 },
    });
  });

  test('of a failed exchange: no values; of an unknown run: none at all', () => {
    const failed = observation({ reason: 'timeout', fields: { status: 200 } });
    expect(sampleOf(failed, true, ['latency_ms', 'status'])).toEqual({ at: 0, error: true, values: {} });
    expect(sampleOf(observation({ reason: 'internal' }), true, [])).toBeUndefined();
    expect(sampleOf(observation({ unknown: 'suspect' }), false, [])).toBeUndefined();
  });

  test('stored results fill a window as the runs did', () => {
    const spec: WindowSpec = { numericPaths: ['latency_ms', 'json.load'], spanMs: 5 * MINUTE, everyMs: 30_000 };
    const stored = (index: number, changed: Partial<Result>): Result => ({
      probe: 'web',
      at: index * 30_000,
      latencyMs: 10,
      reason: 'ok',
      verdict: 'pass',
      revision: 'r',
      error: false,
      values: { 'json.load': index },
      ...changed,
    });
    const results = [
      stored(1, {}),
      stored(2, { reason: 'http_status', verdict: 'fail', error: true, latencyMs: 40 }),
      stored(3, { reason: 'timeout', verdict: 'fail', error: true, latencyMs: 10_000, values: {} }),
      stored(4, { verdict: 'unknown', latencyMs: 99_999 }),
      ...[5, 6, 7, 8, 9, 10].map((index) => stored(index, {})),
    ];
    const window = createWindow(spec);
    refill(window, spec, results);
    const reader = window.reader(300_000);
    expect(reader.read({ function: 'max', field: 'latency_ms', spanMs: 300_000 })).toBe(40);
    expect(reader.read({ function: 'count', field: 'json.load', spanMs: 300_000 })).toBe(8);
    expect(reader.read({ function: 'error_rate', spanMs: 300_000 })).toBeCloseTo(2 / 9);
  });
});

describe('what a probe needs', () => {
  test('nothing, when no condition looks back', () => {
    expect(windowSpecOf(probe({ expect: ['status == 200'] }))).toBeUndefined();
  });

  test('its fields, once, over the longest span', () => {
    const looking = probe({
      expect: ['avg("latency_ms", "5m") < 1 && max("latency_ms", "10m") < 2'],
      warn: ['p95("json.load", "1h") < 3', 'error_rate("2m") < 0.1'],
    });
    expect(windowSpecOf(looking)).toEqual({
      numericPaths: ['latency_ms', 'json.load'],
      spanMs: 3_600_000,
      everyMs: 30_000,
    });
  });
});
