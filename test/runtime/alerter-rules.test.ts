import { describe, expect, it } from 'vitest';
import type { Failed } from '../../src/runtime/alerter-delivery.ts';
import { createBudget } from '../../src/runtime/outbox-budget.ts';
import { backOff, type FailureFacts, planFailure } from '../../src/runtime/outbox-failure.ts';
import { withLateness } from '../../src/runtime/outbox-lateness.ts';
import { alertOf, incidentOf } from '../notifiers/alerts.ts';

const MINUTE = 60_000;

describe('what a failed delivery means', () => {
  function plan(failed: Partial<Failed>, facts: Partial<FailureFacts> = {}) {
    const whole: Failed = { kind: 'failed', retry: true, timedOut: false, error: 'HTTP 503', ...failed };
    return planFailure({ failed: whole, tries: 1, failures: 1, refused: 0, random: 0, ...facts });
  }

  it('backs off from one second to five minutes with full jitter', () => {
    expect(backOff(1, 0)).toBe(1_000);
    expect(backOff(1, 0.5)).toBe(1_500);
    expect(backOff(4, 0.999)).toBeCloseTo(15_985);
    expect(backOff(50, 0)).toBe(1_000);
    expect(backOff(5_000, 0.999)).toBeLessThanOrEqual(5 * MINUTE);
    expect(backOff(5_000, 0.999)).toBeGreaterThan(4.9 * MINUTE);
  });

  it('waits exactly as long as the channel asks, an hour at most', () => {
    expect(plan({ retryAfterMs: 7_000 }, { random: 0.7 })).toMatchObject({ alertWaitMs: 0, channelWaitMs: 7_000 });
    expect(plan({ retryAfterMs: 1e15 })).toMatchObject({ channelWaitMs: 60 * MINUTE });
  });

  it.each([
    ['the first failure', {}, {}, false],
    ['the third try', {}, { tries: 3 }, true],
    ['a deadline', { timedOut: true }, {}, true],
    ['a refusal', { retry: false }, {}, true],
    ['a long wait', { retryAfterMs: 61_000 }, {}, true],
    ['a short wait', { retryAfterMs: 59_000 }, {}, false],
    ['a channel that failed three times', {}, { failures: 3 }, true],
  ] as const)('after %s the fallback hears it: %#', (_what, failed, facts, handOver) => {
    expect(plan(failed, facts).handOver).toBe(handOver);
  });

  it('makes others wait for a refusal only when it is the third', () => {
    expect(plan({ retry: false }, { refused: 2 })).toMatchObject({
      alertWaitMs: 5 * MINUTE,
      channelWaitMs: 0,
      away: false,
    });
    expect(plan({ retry: false }, { refused: 3 })).toMatchObject({ channelWaitMs: 5 * MINUTE, away: true });
  });
});

describe('the burst budget', () => {
  it('keeps the last message of a minute for a digest', () => {
    const budget = createBudget([0, 1_000, 2_000]);
    expect(budget.mayStart(5, 3_000)).toBe(true);
    budget.spend(3_000);
    expect(budget.mayStart(5, 4_000)).toBe(false);
    expect(budget.digestWaitMs(5, 4_000)).toBe(0);
    budget.spend(4_000);
    expect(budget.digestWaitMs(5, 5_000)).toBe(55_000);
    expect(budget.digestWaitMs(5, 60_000)).toBe(0);
  });

  it('lets the first of a quiet minute through, whatever the cap', () => {
    const budget = createBudget();
    expect(budget.mayStart(1, 0)).toBe(true);
    budget.spend(0);
    expect(budget.mayStart(1, 59_999)).toBe(false);
    expect(budget.digestWaitMs(1, 59_999)).toBe(1);
    expect(budget.mayStart(1, 60_000)).toBe(true);
  });

  it('counts down after a cap that was lowered by a reload', () => {
    const budget = createBudget([0, 10_000, 20_000, 30_000]);
    expect(budget.digestWaitMs(2, 30_000)).toBe(50_000);
  });
});

describe('lateness', () => {
  const alert = alertOf({ at: 0, text: 'web is down' });

  it('is said after two minutes', () => {
    expect(withLateness(alert, undefined, 2 * MINUTE).text).toBe('web is down');
    expect(withLateness(alert, undefined, 10 * MINUTE).text).toBe('web is down (delayed, happened 10m ago)');
  });

  it('names a firing that is over as over, but not a relapse of one that was', () => {
    const over = incidentOf({ resolvedAt: 5_000 });
    expect(withLateness(alert, over, 20_000).text).toBe('web is down (resolved since, 15s ago)');
    expect(withLateness({ ...alert, at: 6_000 }, over, 20_000).text).toBe('web is down');
  });

  it('is not said when the clock was set back', () => {
    expect(withLateness(alert, undefined, -3_600_000)).toBe(alert);
  });
});
