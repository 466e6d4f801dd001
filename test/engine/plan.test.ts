import { describe, expect, it } from 'vitest';
import { cooldownMs, type PlanFacts, plan } from '../../src/engine/plan.ts';
import { anAttempt, anIncident, aRemediation } from './definitions.ts';

const NOW = 10_000_000;
const HEALING = { mode: 'auto', budget: { count: 10, windowMs: 600_000 }, freezeFile: '/none', vantage: [] } as const;

const GO: PlanFacts = {
  ...{
    remediation: aRemediation(),
    healing: HEALING,
    incident: anIncident(),
    state: 'down',
    newest: 'fail',
    judgedSinceStart: true,
  },
  ...{
    byHand: false,
    frozen: undefined,
    blind: undefined,
    disarmed: undefined,
    dependencyDown: undefined,
    intervention: undefined,
  },
  ...{ resource: 'exec:restart', recent: [], startedInLimit: 0, startedInBudget: 0, now: NOW },
};

function refusal(changes: Partial<PlanFacts>): string {
  const answer = plan({ ...GO, ...changes });
  return answer.go ? 'go' : answer.refusal;
}

describe('plan', () => {
  it('says yes when nothing stands against it', () => {
    expect(refusal({})).toBe('go');
  });

  it.each<[string, Partial<PlanFacts>, string]>([
    ['a variable is unset', { remediation: aRemediation({ unset: ['HOST'] }) }, 'unconfigured'],
    ['its mode is off', { remediation: aRemediation({ mode: 'off' }) }, 'off'],
    ['all healing is off', { healing: { ...HEALING, mode: 'off' } }, 'off'],
    ['healing is frozen', { frozen: { by: 'anna', why: 'deploy' } }, 'frozen'],
    ['no vantage probe answers', { blind: { why: 'ns: timeout' } }, 'blind'],
    ['the probe is degraded only', { state: 'degraded' }, 'not_confirmed'],
    ['the probe is unknown', { state: 'unknown' }, 'not_confirmed'],
    ['the state is from before a restart', { judgedSinceStart: false }, 'not_confirmed'],
    ['the newest run passed', { newest: 'pass' }, 'recovered'],
    [
      'somebody acknowledged it',
      { incident: anIncident({ acknowledgedAt: 1, acknowledgedBy: 'anna' }) },
      'acknowledged',
    ],
    ['a dependency is down', { dependencyDown: 'postgres' }, 'dependency_down'],
    [
      'a person stopped the target',
      { intervention: { certain: true, at: 1, what: 'docker stop of web' } },
      'stopped_by_person',
    ],
    [
      'a stop cannot be told apart',
      { intervention: { certain: false, at: 1, what: 'web ended unseen' } },
      'stopped_by_person',
    ],
    ['the target is not one thing', { resource: undefined }, 'target'],
    ['it is disarmed', { disarmed: { why: 'limit' } }, 'disarmed'],
    ['it wants approval', { remediation: aRemediation({ mode: 'approve' }) }, 'awaiting_approval'],
    ['the ceiling wants approval', { healing: { ...HEALING, mode: 'approve' } }, 'awaiting_approval'],
    ['its limit is spent', { startedInLimit: 3 }, 'limit'],
    ['the budget of all is spent', { startedInBudget: 10 }, 'budget'],
    ['it cools down', { recent: [anAttempt({ startedAt: NOW - 2_000, endedAt: NOW - 1_000 })] }, 'cooldown'],
    ['it only observes', { remediation: aRemediation({ mode: 'observe' }) }, 'observe'],
  ])('says no when %s', (_, changes, expected) => {
    expect(refusal(changes)).toBe(expected);
  });

  it('lets observe be the last no, so that it says what would have happened', () => {
    expect(refusal({ remediation: aRemediation({ mode: 'observe' }), startedInLimit: 3 })).toBe('limit');
  });

  it('says when a cooldown ends', () => {
    const recent = [anAttempt({ endedAt: NOW - 100_000 })];
    expect(plan({ ...GO, recent })).toMatchObject({ refusal: 'cooldown', retryAt: NOW + 200_000 });
    expect(refusal({ recent, now: NOW + 200_000 })).toBe('go');
  });

  it('doubles the cooldown for each unverified attempt since the last verified one, up to 64 times', () => {
    const failed = anAttempt();
    expect(cooldownMs(100, [failed])).toBe(100);
    expect(cooldownMs(100, [failed, failed, failed])).toBe(400);
    expect(cooldownMs(100, [failed, failed, anAttempt({ state: 'healed' }), failed])).toBe(200);
    expect(
      cooldownMs(
        100,
        Array.from({ length: 40 }, () => failed),
      ),
    ).toBe(6_400);
  });

  it('opens to a person the gates that protect against ourselves, but neither limits nor switches', () => {
    const byHand = true;
    expect(refusal({ byHand, state: 'up', newest: 'pass', remediation: aRemediation({ mode: 'approve' }) })).toBe('go');
    expect(refusal({ byHand, frozen: { by: 'anna', why: '' } })).toBe('frozen');
    expect(refusal({ byHand, startedInLimit: 3 })).toBe('limit');
    expect(refusal({ byHand, disarmed: { why: '' } })).toBe('disarmed');
  });
});
