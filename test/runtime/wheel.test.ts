import { describe, expect, it } from 'vitest';
import { TICK_MS, Wheel } from '../../src/runtime/wheel.ts';

const keys = (due: readonly { key: string }[]) => due.map(({ key }) => key);

describe('ring wheel', () => {
  it('gives out what is due, once, oldest bucket first', () => {
    const wheel = new Wheel<string>(0);
    wheel.set('late', 500);
    wheel.set('early', 100);
    expect(keys(wheel.collect(99))).toEqual([]);
    expect(keys(wheel.collect(1_000))).toEqual(['early', 'late']);
    expect(keys(wheel.collect(5_000))).toEqual([]);
  });

  it('gathers what falls into one bucket, and plans it for the end of the bucket', () => {
    const wheel = new Wheel<string>(0);
    wheel.set('a', TICK_MS + 1);
    wheel.set('b', 2 * TICK_MS);
    expect(wheel.nextAt()).toBe(2 * TICK_MS);
    expect(wheel.collect(2 * TICK_MS)).toEqual([
      { key: 'a', plannedAt: 2 * TICK_MS },
      { key: 'b', plannedAt: 2 * TICK_MS },
    ]);
  });

  it('keeps what is many turns ahead', () => {
    const wheel = new Wheel<string>(0);
    const day = 86_400_000;
    wheel.set('tomorrow', day);
    for (let now = 0; now < day; now += 3_600_000) expect(wheel.collect(now)).toEqual([]);
    expect(keys(wheel.collect(day))).toEqual(['tomorrow']);
  });

  it('gives out everything at once after a pause longer than a turn', () => {
    const wheel = new Wheel<string>(0);
    for (let index = 0; index < 5_000; index += 1) wheel.set(`p${index}`, index * 40);
    expect(wheel.collect(10_000_000)).toHaveLength(5_000);
  });

  it('replaces the due time of a key, and forgets a deleted one', () => {
    const wheel = new Wheel<string>(0);
    wheel.set('a', 100);
    wheel.set('a', 5_000);
    wheel.set('b', 100);
    wheel.delete('b');
    expect(wheel.collect(1_000)).toEqual([]);
    expect(wheel.dueAt('a')).toBe(5_000);
    expect(keys(wheel.collect(5_000))).toEqual(['a']);
  });

  it('gives what was due in the past at the next look', () => {
    const wheel = new Wheel<string>(0);
    wheel.collect(10_000);
    wheel.set('overdue', 500);
    expect(keys(wheel.collect(10_050))).toEqual(['overdue']);
  });
});
