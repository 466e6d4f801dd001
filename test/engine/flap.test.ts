import { expect, it } from 'vitest';
import { flappingUntil, owedAfter, type Told } from '../../src/engine/flap.ts';

const MINUTE = 60_000;
const LIMIT = { count: 3, windowMs: 10 * MINUTE };
const toldAt = (...minutes: number[]): Told[] =>
  minutes.toSorted((a, b) => b - a).map((minute) => ({ kind: 'reopened', at: minute * MINUTE }));

it('flaps from the third change within ten minutes until the first of them is ten minutes old', () => {
  expect(flappingUntil(toldAt(0, 1), LIMIT, 2 * MINUTE)).toBeUndefined();
  expect(flappingUntil(toldAt(0, 1, 2), LIMIT, 2 * MINUTE)).toBe(10 * MINUTE);
  expect(flappingUntil(toldAt(0, 1, 2), LIMIT, 10 * MINUTE - 1)).toBe(10 * MINUTE);
  expect(flappingUntil(toldAt(0, 1, 2), LIMIT, 10 * MINUTE)).toBeUndefined();
  expect(flappingUntil(toldAt(0, 1, 2, 10), LIMIT, 10 * MINUTE)).toBe(11 * MINUTE);
});

it('counts only what says whether it is open, and nothing from before the clock was set back', () => {
  const progress: Told[] = [1, 2, 3].map((at) => ({ kind: 'progress', at }));
  expect(flappingUntil(progress, LIMIT, MINUTE)).toBeUndefined();
  expect(flappingUntil(toldAt(100, 101, 102), LIMIT, MINUTE)).toBeUndefined();
});

it('owes what people do not believe already', () => {
  const heard = (kind: Told['kind']): Told[] => [
    { kind: 'progress', at: 9 },
    { kind, at: 1 },
  ];
  expect(owedAfter('resolved', heard('reopened'))).toBe('resolved');
  expect(owedAfter('reopened', heard('opened'))).toBeUndefined();
  expect(owedAfter('resolved', heard('resolved'))).toBeUndefined();
  expect(owedAfter('reopened', heard('resolved'))).toBe('reopened');
});
