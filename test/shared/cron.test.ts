import { getTasks } from 'node-cron';
import { describe, expect, it } from 'vitest';
import { createCalendar } from '../../src/shared/cron.ts';

function next(expression: string, timezone: string, after: string): string | undefined {
  const at = createCalendar(expression, timezone).next(Date.parse(after));
  return at === undefined ? undefined : new Date(at).toISOString().replace('.000Z', 'Z');
}

it.each([
  ['*/5 * * * *', 'UTC', '2026-03-01T00:04:59Z', '2026-03-01T00:05:00Z'],
  ['*/5 * * * *', 'UTC', '2026-03-01T00:05:00Z', '2026-03-01T00:10:00Z'],
  ['* * * * * *', 'UTC', '2026-03-01T23:59:59.500Z', '2026-03-02T00:00:00Z'],
  ['0 3 * * *', 'Europe/Berlin', '2026-01-15T02:00:00Z', '2026-01-16T02:00:00Z'],
  ['0 3 * * 1', 'UTC', '2026-01-15T00:00:00Z', '2026-01-19T03:00:00Z'],
  ['0 0 L * *', 'UTC', '2026-02-01T00:00:00Z', '2026-02-28T00:00:00Z'],
  ['0 0 29 2 *', 'UTC', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['15 10 1 1 *', 'Asia/Kathmandu', '2026-06-01T00:00:00Z', '2027-01-01T04:30:00Z'],
  ['0 12 * * *', 'Pacific/Kiritimati', '2026-06-01T00:00:00Z', '2026-06-01T22:00:00Z'],
])('%s in %s after %s is %s', (expression, timezone, after, expected) => {
  expect(next(expression, timezone, after)).toBe(expected);
});

describe('daylight saving', () => {
  it.each([
    ['Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
    ['America/New_York', '2026-03-07T12:00:00Z', '2026-03-09T06:30:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T00:00:00Z', '2026-10-03T15:30:00Z'],
  ])('a time that %s skips is not due that day', (timezone, after, expected) => {
    expect(next('30 2 * * *', timezone, after)).toBe(expected);
  });

  it.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z'],
    ['30 1 * * *', 'Europe/London', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
  ])('%s, which %s repeats, is due once', (expression, timezone, first, expected) => {
    expect(next(expression, timezone, new Date(Date.parse(first) - 1_000).toISOString())).toBe(first);
    expect(next(expression, timezone, first)).toBe(expected);
  });

  it('keeps a daily time in its zone over a whole year', () => {
    const calendar = createCalendar('0 3 * * *', 'Europe/Berlin');
    let at = Date.parse('2026-01-01T00:00:00Z');
    for (let day = 0; day < 365; day += 1) {
      at = calendar.next(at) ?? Number.NaN;
      const local = new Date(at).toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin' });
      expect(local).toBe('03:00:00');
    }
    expect(new Date(at).toISOString()).toBe('2026-12-31T02:00:00.000Z');
  });
});

it.each([
  ['61 * * * *', 'UTC'],
  ['not cron', 'UTC'],
  ['0 0 31 2 *', 'UTC'],
  ['* * * * *', 'Mars/Olympus'],
])('refuses %s in %s', (expression, timezone) => {
  expect(() => createCalendar(expression, timezone)).toThrow();
});

it('leaves no task behind', () => {
  const before = getTasks().size;
  createCalendar('* * * * *');
  expect(getTasks().size).toBe(before);
});
