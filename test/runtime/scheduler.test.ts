import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createScheduler, type Scheduler, stableHash, untilPhase } from '../../src/runtime/scheduler.ts';

/** The clock is the test's: timers and both clocks advance together, to the millisecond. */
const WALL = 1_700_000_000_000;

let scheduler: Scheduler;
let starts: { name: string; at: number }[];
let overruns: string[];
let confirming: boolean;
let turnsAt: number | undefined;
let runMs: number;
let monotonic: () => number;

beforeEach(() => {
  vi.useFakeTimers({
    now: WALL,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  const origin = performance.now();
  monotonic = () => performance.now() - origin;
  [starts, overruns, confirming, turnsAt, runMs] = [[], [], false, undefined, 10];
  scheduler = createScheduler({
    clock: { now: () => Date.now(), monotonic },
    log: { debug() {}, info() {}, warn() {}, error() {}, child: () => expect.fail('no child log is used') },
    meter: { scheduleDelay() {}, probeOverrun: (probe) => overruns.push(probe) },
    run(name) {
      starts.push({ name, at: monotonic() });
      return new Promise((resolve) =>
        setTimeout(() => resolve({ confirming, ...(turnsAt !== undefined && { turnsAt }) }), runMs),
      );
    },
  });
});

afterEach(async () => {
  await scheduler.stop();
  vi.useRealTimers();
});

const every = (name: string, everyMs: number, more: object = {}) => ({
  name,
  schedule: { kind: 'interval', everyMs } as const,
  revision: 'r1',
  ...more,
});
const startsOf = (name: string) => starts.filter((start) => start.name === name).map(({ at }) => at);

describe('scheduler', () => {
  it('runs a new probe at once, then on its phase at its interval', async () => {
    scheduler.set([every('web', 5_000)]);
    await vi.advanceTimersByTimeAsync(21_000);
    const [first, second, ...rest] = startsOf('web');
    expect(first).toBeLessThan(100);
    expect(rest).toHaveLength(3);
    const regular = [second as number, ...rest];
    for (let index = 1; index < regular.length; index += 1)
      expect((regular[index] as number) - (regular[index - 1] as number)).toBe(5_000);
    expect(Math.abs(((WALL + (second as number)) % 5_000) - (stableHash('web') % 5_000))).toBeLessThanOrEqual(50);
  });

  it('gives a probe the same phase after a restart, and neighbours different ones', () => {
    expect(untilPhase('web', 5_000, WALL)).toBe((untilPhase('web', 5_000, WALL + 1_234) + 1_234) % 5_000);
    const phases = new Set(
      Array.from({ length: 100 }, (_, index) => Math.floor(untilPhase(`web-${index}`, 60_000, WALL) / 1_000)),
    );
    expect(phases.size).toBeGreaterThan(40);
  });

  it('starts at most 50 new probes within 100 ms', async () => {
    scheduler.set(Array.from({ length: 400 }, (_, index) => every(`p${index}`, 3_600_000)));
    await vi.advanceTimersByTimeAsync(2_000);
    const first = [...new Map(starts.toReversed().map((start) => [start.name, start.at])).values()];
    expect(first).toHaveLength(400);
    for (const at of first) {
      expect(first.filter((other) => other >= at && other < at + 100).length).toBeLessThanOrEqual(50);
    }
  });

  it('never overlaps a run, and counts the overrun', async () => {
    runMs = 12_000;
    scheduler.set([every('slow', 5_000)]);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(startsOf('slow')).toHaveLength(1);
    expect(overruns.length).toBeGreaterThanOrEqual(2);
  });

  it('asks again after retry_every while a change is unconfirmed, without moving the phase', async () => {
    confirming = true;
    scheduler.set([every('web', 60_000, { retryEveryMs: 1_000, lastRunAt: WALL })]);
    await vi.advanceTimersByTimeAsync(untilPhase('web', 60_000, WALL) + 3_500);
    expect(startsOf('web')).toHaveLength(4);
    confirming = false;
    await vi.advanceTimersByTimeAsync(60_000);
    const last = startsOf('web').at(-1) as number;
    expect(Math.abs(last - untilPhase('web', 60_000, WALL) - 60_000)).toBeLessThanOrEqual(50);
  });

  it('asks again when an answer turns by the passing of time, without moving the phase', async () => {
    turnsAt = WALL + 31_000;
    scheduler.set([every('job', 3_600_000)]);
    await vi.advanceTimersByTimeAsync(30_990);
    expect(startsOf('job')).toHaveLength(1);
    turnsAt = undefined;
    await vi.advanceTimersByTimeAsync(110);
    expect(startsOf('job')).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(Math.abs((startsOf('job').at(-1) as number) - untilPhase('job', 3_600_000, WALL))).toBeLessThanOrEqual(50);
  });

  it('asks no more than once a tick when an answer has not turned at the time that was told', async () => {
    turnsAt = WALL - 1;
    scheduler.set([every('job', 3_600_000)]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(startsOf('job').length).toBeLessThanOrEqual(20);
  });

  it('runs a known probe soon after a restart when its last result is older than its interval', async () => {
    scheduler.set([
      every('old', 3_600_000, { lastRunAt: WALL - 4_000_000 }),
      every('fresh', 3_600_000, { lastRunAt: WALL - 1_000 }),
    ]);
    await vi.advanceTimersByTimeAsync(10_100);
    expect(startsOf('old')).toHaveLength(1);
    expect(startsOf('fresh')).toHaveLength(0);
  });

  it('wakes a probe at once, and once more when it was running', async () => {
    scheduler.set([every('web', 3_600_000, { lastRunAt: WALL })]);
    scheduler.wake('web');
    await vi.advanceTimersByTimeAsync(5);
    scheduler.wake('web');
    scheduler.wake('web');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(startsOf('web')).toHaveLength(2);
  });

  it('does not disturb what a reload leaves unchanged, runs what changed, and drops what is gone', async () => {
    scheduler.set([every('kept', 60_000), every('changed', 60_000), every('gone', 60_000)]);
    await vi.advanceTimersByTimeAsync(200);
    const planned = scheduler.nextRunAt('kept');
    scheduler.set([every('kept', 60_000), every('changed', 60_000, { revision: 'r2' })]);
    await vi.advanceTimersByTimeAsync(200);
    expect(scheduler.nextRunAt('kept')).toBe(planned);
    expect(startsOf('kept')).toHaveLength(1);
    expect(startsOf('changed')).toHaveLength(2);
    expect(scheduler.nextRunAt('gone')).toBeUndefined();
  });

  it('fires a cron expression in its time zone', async () => {
    const schedule = { kind: 'cron', expression: '*/10 * * * * *', timezone: 'Europe/Berlin' } as const;
    scheduler.set([{ name: 'report', schedule, revision: 'r1', lastRunAt: WALL }]);
    expect(scheduler.nextRunAt('report')).toBeGreaterThan(WALL);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(startsOf('report')).toHaveLength(3);
  });
});
