import { describe, expect, it } from 'vitest';
import { NO_WINDOW } from '../../src/engine/condition.ts';
import { chooseLadder, nextRung } from '../../src/engine/ladder.ts';
import { type RouteFacts, route } from '../../src/engine/route.ts';
import type { Condition, HealingMode, NotifierDefinition, Route } from '../../src/model.ts';
import { anAttempt, anIncident, aProbe, aRemediation } from './definitions.ts';

const LOCATION = { file: 'x', line: 1, column: 1 };

function when(reason: string): Condition {
  return {
    source: reason,
    location: LOCATION,
    paths: [],
    windows: [],
    evaluate: (bindings) => ({ outcome: bindings.reason === reason ? 'true' : 'false', detail: '' }),
  };
}

describe('ladder', () => {
  const ladder = {
    rungs: [
      { remediation: 'restart', tries: 2 },
      { remediation: 'redeploy', tries: 1 },
    ],
  };
  const remediations = new Map([
    ['restart', aRemediation()],
    ['redeploy', aRemediation({ name: 'redeploy' })],
  ]);

  it('is the first whose when holds for what was observed', () => {
    const ladders = [{ when: when('dns'), rungs: [] }, { when: when('timeout'), rungs: ladder.rungs }, { rungs: [] }];
    const seen = { ok: false, reason: 'timeout', latency_ms: 1, error: null } as const;
    expect(chooseLadder(ladders, seen, NO_WINDOW)).toBe(ladders[1]);
    expect(chooseLadder(ladders, { ...seen, reason: 'tls' }, NO_WINDOW)).toBe(ladders[2]);
  });

  it('goes on when a rung has no tries left, and ends', () => {
    expect(nextRung(ladder, [], remediations, 'auto')).toBe('restart');
    expect(nextRung(ladder, [anAttempt()], remediations, 'auto')).toBe('restart');
    expect(nextRung(ladder, [anAttempt(), anAttempt({ state: 'healed' })], remediations, 'auto')).toBe('redeploy');
    expect(
      nextRung(ladder, [anAttempt(), anAttempt(), anAttempt({ remediation: 'redeploy' })], remediations, 'auto'),
    ).toBeUndefined();
  });

  const remediationsWith = (mode: HealingMode) => new Map([...remediations, ['restart', aRemediation({ mode })]]);

  it('counts a rung that may not run for as long as its definition says so', () => {
    const { startedAt: _, ...refused } = anAttempt({ state: 'refused', refusal: 'observe' });
    const single = { rungs: [{ remediation: 'restart', tries: 1 }] };
    expect(nextRung(single, [refused], remediationsWith('observe'), 'auto')).toBeUndefined();
    expect(nextRung(single, [refused], remediationsWith('auto'), 'observe')).toBeUndefined();
    expect(nextRung(single, [refused], remediationsWith('auto'), 'auto')).toBe('restart');
    // Asked again it would say the same: all tries of the rung are used up at once.
    expect(nextRung(ladder, [refused], remediationsWith('observe'), 'auto')).toBe('redeploy');
    const unset = new Map([['restart', aRemediation({ unset: ['HOST'] })]]);
    expect(nextRung(single, [{ ...refused, refusal: 'unconfigured' }], unset, 'auto')).toBeUndefined();
    expect(nextRung(single, [{ ...refused, refusal: 'unconfigured' }], remediations, 'auto')).toBe('restart');
  });

  it('does not count what was refused for a passing reason, nor what a person ran', () => {
    const { startedAt: _, ...unstarted } = anAttempt({ state: 'refused', refusal: 'cooldown' });
    expect(nextRung(ladder, [unstarted, unstarted, anAttempt({ requestedBy: 'anna' })], remediations, 'auto')).toBe(
      'restart',
    );
    expect(
      nextRung(
        ladder,
        [
          { ...unstarted, refusal: 'off' },
          { ...unstarted, refusal: 'off' },
        ],
        remediationsWith('off'),
        'auto',
      ),
    ).toBe('redeploy');
  });

  it('passes over a rung without a target while another is left, and then waits for its target', () => {
    const { startedAt: _, ...unstarted } = anAttempt({ state: 'refused', refusal: 'target' });
    const redeployed = anAttempt({ remediation: 'redeploy' });
    expect(nextRung(ladder, [unstarted], remediations, 'auto')).toBe('redeploy');
    expect(nextRung(ladder, [redeployed, unstarted], remediations, 'auto')).toBe('restart');
    expect(nextRung(ladder, [anAttempt(), anAttempt(), redeployed, unstarted], remediations, 'auto')).toBeUndefined();
  });

  it('tries again what ended in an unknown outcome only when it is idempotent', () => {
    const single = { rungs: [{ remediation: 'restart', tries: 1 }] };
    const interrupted = anAttempt({ state: 'unknown' });
    expect(nextRung(single, [interrupted], remediations, 'auto')).toBeUndefined();
    expect(nextRung(single, [interrupted], new Map([['restart', aRemediation({ idempotent: true })]]), 'auto')).toBe(
      'restart',
    );
  });
});

describe('route', () => {
  const notifier = (name: string, changes: Partial<NotifierDefinition> = {}): [string, NotifierDefinition] => [
    name,
    { name, type: 'webhook', spec: {}, burst: 5, timeoutMs: 1_000, unset: [], location: LOCATION, ...changes },
  ];
  const notifiers = new Map([
    notifier('slack'),
    notifier('bus'),
    notifier('mail', { unset: ['SMTP'], fallback: 'bus' }),
  ]);
  const routes: Route[] = [
    { match: { severity: ['critical'] }, notify: ['slack', 'mail'], repeatMs: 60_000, continue: false },
    { match: { labels: { team: 'data' } }, notify: ['bus'], continue: true },
    { match: {}, notify: ['slack'], continue: false },
  ];
  const facts = (changes: Partial<RouteFacts> = {}): RouteFacts => ({
    incident: anIncident(),
    severity: 'warning',
    probe: aProbe(),
    ...changes,
  });

  it('takes the first match, and goes on only where the route continues', () => {
    expect(route(facts(), routes, notifiers)).toEqual([{ notifier: 'slack' }]);
    expect(route(facts({ probe: aProbe({ labels: { team: 'data' } }) }), routes, notifiers)).toEqual([
      { notifier: 'bus' },
      { notifier: 'slack' },
    ]);
  });

  it('passes an unconfigured notifier over for its fallback', () => {
    expect(route(facts({ severity: 'critical' }), routes, notifiers)).toEqual([
      { notifier: 'slack', repeatMs: 60_000 },
      { notifier: 'bus', repeatMs: 60_000 },
    ]);
  });

  it('lets a probe name its own notifiers, and tells everybody without routes', () => {
    expect(route(facts({ probe: aProbe({ notify: ['bus'] }) }), routes, notifiers)).toEqual([{ notifier: 'bus' }]);
    expect(route(facts(), [], notifiers)).toEqual([{ notifier: 'slack' }, { notifier: 'bus' }]);
  });

  it("does not match a probe's group against an incident of our own", () => {
    const groups: Route[] = [{ match: { group: ['apps'] }, notify: ['bus'], continue: false }];
    expect(route(facts({ probe: undefined }), groups, notifiers)).toEqual([]);
    expect(route(facts(), groups, notifiers)).toEqual([{ notifier: 'bus' }]);
  });
});
