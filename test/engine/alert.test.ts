import { describe, expect, it } from 'vitest';
import { type AlertFacts, composeAlert } from '../../src/engine/alert.ts';
import { anAttempt, anIncident } from './definitions.ts';

const FACTS: AlertFacts = {
  ...{ eventId: 'e1', kind: 'opened', incident: anIncident(), probe: undefined, attempts: [], othersOpen: [] },
  ...{ now: 61_000, publicUrl: 'http://127.0.0.1:9911' },
};

function textOf(changes: Partial<AlertFacts>): string {
  return composeAlert({ ...FACTS, ...changes }).text;
}

function factsOf(changes: Partial<AlertFacts>): Record<string, string> {
  const { facts } = composeAlert({ ...FACTS, ...changes });
  return Object.fromEntries(facts.map(({ label, value }) => [label, value]));
}

describe('the line that stands alone', () => {
  it('says what is wrong, or is wrong no more, and for how long', () => {
    expect(textOf({})).toBe('Web is down: no answer');
    expect(textOf({ kind: 'reopened', incident: anIncident({ degraded: true }) })).toBe(
      'Web is degraded again: no answer',
    );
    expect(textOf({ kind: 'reminder' })).toBe('Web is still down after 1m: no answer');
    const over = anIncident({ resolvedAt: 61_000, resolution: 'recovered', healedBy: 'restart' });
    expect(textOf({ kind: 'resolved', incident: over })).toBe('Web is up again after 1m, healed by restart');
  });

  it('does not call worse what no fix is left for', () => {
    expect(textOf({ kind: 'escalated' })).toBe('Web got worse and is down: no answer');
    expect(textOf({ kind: 'escalated', note: 'everything on its ladder was tried' })).toBe(
      'Web is still down: no answer; everything on its ladder was tried',
    );
    const silent = { kind: 'escalated', note: 'the silence is over', afterWithheld: 'silence' } as const;
    expect(textOf(silent)).toContain('Web got worse and is down for 1m');
  });

  it('says since when it could not be told for a silence', () => {
    const told = (changes: Partial<AlertFacts>) => textOf({ afterWithheld: 'silence', ...changes });
    expect(told({})).toBe('Web is down for 1m, silenced until now: no answer');
    expect(told({ kind: 'reopened' })).toBe('Web is down again for 1m, silenced until now: no answer');
    expect(told({ kind: 'escalated' })).toBe('Web got worse and is down for 1m, silenced until now: no answer');
    expect(told({ kind: 'reopened', afterWithheld: 'flapping' })).toBe(
      'Web is down again for 1m, after changing often: no answer',
    );
    const own = anIncident({ source: 'self', title: 'Notifier bus' });
    expect(told({ incident: own })).toBe('Notifier bus for 1m, silenced until now: no answer');
  });

  it('does not call up what a person closed', () => {
    const closed = anIncident({ resolvedAt: 61_000, resolution: 'by_hand' });
    expect(textOf({ kind: 'resolved', incident: closed, note: 'resolved by ada' })).toBe(
      'Web was closed by hand after 1m: resolved by ada',
    );
  });

  it('does not call degraded what cannot be known', () => {
    const broken = anIncident({ degraded: true, reason: 'internal', cause: 'exit code 3' });
    expect(textOf({ incident: broken })).toBe('Web is not known: exit code 3');
  });

  it('tells our own trouble as it is', () => {
    const own = anIncident({ source: 'self', title: 'Brainstem stood still', cause: 'paused for 10m', degraded: true });
    expect(textOf({ incident: own })).toBe('Brainstem stood still: paused for 10m');
    expect(textOf({ kind: 'resolved', incident: { ...own, resolvedAt: 61_000 } })).toBe(
      'Brainstem stood still: over after 1m',
    );
  });
});

describe('the facts', () => {
  it('say what was tried, and at the end what is still open', () => {
    const attempts = [
      anAttempt({ state: 'failed', exitCode: 1 }),
      anAttempt({ state: 'refused', refusal: 'cooldown', remediation: 'redeploy' }),
    ];
    expect(factsOf({ kind: 'escalated', attempts })['Tried']).toBe(
      'restart failed: exit code 1; redeploy refused (cooldown)',
    );
    expect(factsOf({ kind: 'resolved', othersOpen: ['Database'] })['Still open']).toBe('Database');
    expect(factsOf({ kind: 'resolved' })['Still open']).toBe('nothing else');
  });
});
