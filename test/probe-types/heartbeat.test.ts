import { describe, expect, it } from 'vitest';
import type { Heartbeat } from '../../src/model.ts';
import type { HeardHeartbeat, Log } from '../../src/ports.ts';
import { createHeartbeatProbeType } from '../../src/probe-types/heartbeat.ts';
import { type HeartbeatPromise, judgeHeartbeat } from '../../src/probe-types/heartbeat-deadline.ts';
import { hashKey } from '../../src/shared/heartbeat-key.ts';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** A job every 60 minutes with a grace of 10, first seen at 0, heard since long before. */
const hourly: HeartbeatPromise = {
  graceMs: 10 * MINUTE,
  dueAfter: (moment) => moment + 60 * MINUTE,
  maxRunMs: 30 * MINUTE,
};

interface Row {
  readonly known?: Partial<Heartbeat>;
  readonly now: number;
  readonly listeningSince?: number;
  readonly heardUntil?: number;
  readonly expected: string;
}

function judge({ known = {}, now, listeningSince = -1_000, heardUntil }: Row): string {
  const heartbeat = inMs(known);
  const heard: HeardHeartbeat = {
    heartbeat,
    listeningSince: listeningSince * MINUTE,
    ...(heardUntil !== undefined && { heardUntil: heardUntil * MINUTE }),
  };
  const { reason, error } = judgeHeartbeat(heard, hourly, now * MINUTE);
  return error === undefined ? reason : `${reason}: ${error}`;
}

/** Rows are written in minutes. */
function inMs({ lastPingAt, lastStartAt, lastSuccessAt, ...rest }: Partial<Heartbeat>): Heartbeat {
  return {
    keyHash: 'h',
    createdAt: 0,
    ...rest,
    ...(lastPingAt !== undefined && { lastPingAt: lastPingAt * MINUTE }),
    ...(lastStartAt !== undefined && { lastStartAt: lastStartAt * MINUTE }),
    ...(lastSuccessAt !== undefined && { lastSuccessAt: lastSuccessAt * MINUTE }),
  };
}

const success = (at: number): Partial<Heartbeat> => ({ lastKind: 'success', lastPingAt: at, lastSuccessAt: at });
const startAfter = (at: number, started: number): Partial<Heartbeat> => ({
  ...success(at),
  lastKind: 'start',
  lastStartAt: started,
  lastPingAt: started,
});

const NEVER = 'missed_heartbeat: the job has never reported; its first ping was due 10m ago, with a grace of 10m';
const LATE = 'missed_heartbeat: the last success was 1h10m ago; the next was due 10m ago, with a grace of 10m';

describe('an answer of ok turns by itself', () => {
  const turnsAt = (known: Partial<Heartbeat>, now: number, listeningSince = -1_000) => {
    const heard = { heartbeat: inMs(known), listeningSince: listeningSince * MINUTE };
    return (judgeHeartbeat(heard, hourly, now * MINUTE).turnsAt ?? Number.NaN) / MINUTE;
  };

  it('when the next success is overdue, and when a run takes too long', () => {
    expect(turnsAt({}, 5)).toBe(70);
    expect(turnsAt(success(100), 110)).toBe(170);
    expect(turnsAt(startAfter(100, 110), 111)).toBe(140);
  });

  it('a grace after the listener was back, when it was away', () => {
    expect(turnsAt(success(100), 172, 171)).toBe(181);
  });

  it('never, once it is missed: only a ping helps', () => {
    expect(turnsAt(success(100), 170)).toBeNaN();
  });
});

describe('a job', () => {
  it.each<[string, Row]>([
    ['never seen is due one period plus grace after its definition was loaded', { now: 69.99, expected: 'ok' }],
    ['never seen is missed then', { now: 70, expected: NEVER }],
    ['that reported is due one period plus grace later', { known: success(100), now: 169.99, expected: 'ok' }],
    ['that is silent longer is missed', { known: success(100), now: 170, expected: LATE }],
    [
      'that says it failed is down at once',
      {
        known: { lastKind: 'fail', lastPingAt: 100, lastSuccessAt: 90 },
        now: 100,
        expected: 'exit_code: the job reported that it failed',
      },
    ],
    [
      'that ended with another code than 0 is down at once',
      {
        known: { lastKind: 'fail', exitCode: 3, lastPingAt: 100, lastSuccessAt: 90 },
        now: 100,
        expected: 'exit_code: the job ended with exit code 3',
      },
    ],
    [
      'that failed is not well again because it starts anew',
      {
        known: { lastKind: 'start', exitCode: 3, lastStartAt: 101, lastSuccessAt: 90 },
        now: 102,
        expected: 'exit_code: the job ended with exit code 3',
      },
    ],
    ['that ended with 0 is well', { known: { ...success(100), exitCode: 0 }, now: 101, expected: 'ok' }],
    ['may run as long as it promised', { known: startAfter(100, 105), now: 134.99, expected: 'ok' }],
    [
      'that started and did not end is missed',
      {
        known: startAfter(100, 105),
        now: 135,
        expected: 'missed_heartbeat: the job started 30m ago and has not ended within 30m',
      },
    ],
    ['is not saved by a start alone', { known: startAfter(100, 165), now: 170, expected: LATE }],
  ])('%s', (_name, row) => {
    expect(judge(row)).toBe(row.expected);
  });
});

describe('while our listener was away', () => {
  it.each<[string, Row]>([
    [
      'a deadline that passed gets one full grace',
      { known: success(100), listeningSince: 300, now: 309.99, expected: 'ok' },
    ],
    [
      'and no more than that',
      {
        known: success(100),
        listeningSince: 300,
        now: 310,
        expected: 'missed_heartbeat: the last success was 3h30m ago; the next was due 2h30m ago, with a grace of 10m',
      },
    ],
    [
      'a ping that was due may have been lost',
      { known: success(100), listeningSince: 165, now: 174.99, expected: 'ok' },
    ],
    ['a later deadline is not moved', { known: success(100), listeningSince: 160, now: 170, expected: LATE }],
    [
      'the end of a run may have been lost',
      { known: startAfter(100, 105), listeningSince: 134, now: 143.99, expected: 'ok' },
    ],
    [
      'what was missed before stays missed',
      { known: success(100), heardUntil: 170, listeningSince: 169, now: 170, expected: LATE },
    ],
    [
      'what was not yet missed is extended',
      { known: success(100), heardUntil: 169, listeningSince: 200, now: 205, expected: 'ok' },
    ],
  ])('%s', (_name, row) => {
    expect(judge(row)).toBe(row.expected);
  });
});

describe('the probe', () => {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const key = ['job', 'key'].join('-');
  const type = createHeartbeatProbeType();

  async function run(written: object, known: Partial<Heartbeat>, now: number) {
    const asked: string[] = [];
    const heartbeat = async (keyHash: string) => {
      asked.push(keyHash);
      return { heartbeat: { keyHash, createdAt: 0, ...known }, listeningSince: -DAY };
    };
    const clock = { now: () => now, monotonic: () => now };
    const spec = type.spec.parse({ key, ...written });
    const context = { signal: AbortSignal.timeout(10_000), timeoutMs: 10_000, clock, log };
    const output = await type.run(spec, { probe: 'p', heartbeat }, context);
    expect(asked).toEqual([hashKey(key)]);
    return output;
  }

  it('shows age, duration and exit code', async () => {
    const known = {
      lastPingAt: 1_000,
      lastSuccessAt: 1_000,
      lastKind: 'success',
      durationMs: 250,
      exitCode: 0,
    } as const;
    expect(await run({ period: '1h' }, known, 4_000)).toEqual({
      reason: 'ok',
      fields: { last_ping_s: 3, duration_ms: 250, exit_code: 0 },
      turnsAt: 1_000 + 65 * MINUTE,
    });
    expect(await run({ period: '1h' }, {}, 4_000)).toEqual({ reason: 'ok', fields: {}, turnsAt: 65 * MINUTE });
  });

  it('follows a calendar in its time zone, also over a change of the clocks', async () => {
    const calendar = { cron: '0 3 * * *', timezone: 'Europe/Berlin', grace: '30m' };
    // 3 o'clock is 02:00 UTC on Saturday and 01:00 UTC on the Sunday on which summer time begins.
    const known = { lastSuccessAt: Date.parse('2026-03-28T02:05:00Z'), lastKind: 'success' } as const;
    const reasonAt = async (time: string) => (await run(calendar, known, Date.parse(time))).reason;
    expect(await reasonAt('2026-03-29T01:29:59Z')).toBe('ok');
    expect(await reasonAt('2026-03-29T01:30:00Z')).toBe('missed_heartbeat');
  });

  it('keeps its key out of its target', () => {
    expect(type.target(type.spec.parse({ key, period: '1h' }))).toBe('heartbeat');
  });

  it.each([
    ['neither period nor cron', {}, 'either period or cron'],
    ['both', { period: '1h', cron: '* * * * *' }, 'either period or cron'],
    ['a bad expression', { cron: '99 * * * *' }, 'not valid'],
    ['a bad zone', { cron: '* * * * *', timezone: 'Mars/Olympus' }, 'not valid'],
    ['a zone without cron', { period: '1h', timezone: 'UTC' }, 'goes with cron'],
    ['a period of nothing', { period: '0' }, 'more than 0'],
    ['no key', { key: '', period: '1h' }, ''],
  ])('refuses %s', (_what, written, message) => {
    const parsed = type.spec.safeParse({ key, ...written });
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(message);
  });
});
