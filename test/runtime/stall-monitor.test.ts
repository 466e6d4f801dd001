import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Stall, type StallMonitor, startStallMonitor } from '../../src/runtime/stall-monitor.ts';

const BEAT_MS = 250;

/** Time as the machine counts it; the test says how it passes. */
const time = { wall: 0, monotonic: 0, cpu: 0, uptime: 0 };
let stalls: Stall[];
let lags: number[];
let monitor: StallMonitor;

beforeEach(() => {
  vi.useFakeTimers();
  Object.assign(time, { wall: 1e12, monotonic: 0, cpu: 0, uptime: 0 });
  [stalls, lags] = [[], []];
  monitor = startStallMonitor({
    clock: { now: () => time.wall, monotonic: () => time.monotonic },
    cpuMs: () => time.cpu,
    uptimeMs: () => time.uptime,
    onLag: (seconds) => lags.push(seconds),
    onStall: (stall) => stalls.push(stall),
  });
});
afterEach(() => {
  monitor.stop();
  vi.useRealTimers();
});

/** The loop was away for this long; `busyMs` of it on the processor, `suspendedMs` more with the machine asleep. */
function away(durationMs: number, { busyMs = 0, suspendedMs = 0 } = {}): void {
  time.monotonic += durationMs;
  time.wall += durationMs + suspendedMs;
  time.uptime += durationMs + suspendedMs;
  time.cpu += busyMs;
}

function beat(): void {
  vi.advanceTimersByTime(BEAT_MS);
}

/** Healthy beats. */
function pass(durationMs: number): void {
  for (let left = durationMs; left > 0; left -= BEAT_MS) {
    away(BEAT_MS);
    beat();
  }
}

describe('the stall monitor', () => {
  it('takes time on our own processor for lag', () => {
    away(3_000, { busyMs: 2_900 });
    beat();
    expect(stalls).toEqual([{ kind: 'lag', durationMs: 2_750, from: 0, until: 3_000 }]);
    expect(monitor.greatestLagMs()).toBe(2_750);
  });

  it('takes time that nobody used for a pause, also when the whole machine slept', () => {
    away(600_000);
    beat();
    pass(1_000);
    away(BEAT_MS, { suspendedMs: 600_000 });
    beat();
    expect(stalls.map(({ kind }) => kind)).toEqual(['pause', 'pause']);
    expect(stalls[1]?.durationMs).toBe(600_000);
  });

  it.each([2, -2])('is not moved by a wall clock that is set by %d hours', (hours) => {
    time.wall += hours * 3_600_000;
    pass(1_000);
    expect(stalls).toEqual([]);
    expect(monitor.greatestLagMs()).toBe(0);
  });

  it('lets delays of less than a second pass', () => {
    away(1_200, { busyMs: 1_200 });
    beat();
    expect(stalls).toEqual([]);
    expect(lags).toEqual([0.95]);
  });

  it('finds a stall when a run ends before the next beat, and tells it once', () => {
    away(5_000);
    expect(monitor.since(0)).toMatchObject({ kind: 'pause', until: 5_000 });
    beat();
    expect(stalls).toHaveLength(1);
  });

  it('concerns the runs it overlaps alone', () => {
    away(5_000);
    beat();
    expect(monitor.since(4_999)).toBeDefined();
    expect(monitor.since(5_000)).toBeUndefined();
  });

  it('that was asked as a run began does not count against that run', () => {
    away(5_000);
    expect(monitor.since(time.monotonic)).toBeUndefined();
    expect(stalls).toHaveLength(1);
    beat();
    expect(monitor.since(time.monotonic)).toBeUndefined();
  });

  it('forgets lags after a minute', () => {
    away(3_000, { busyMs: 3_000 });
    beat();
    pass(61_000);
    expect(monitor.greatestLagMs()).toBe(0);
  });
});
