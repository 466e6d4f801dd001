import { expect, it } from 'vitest';
import { anAttempt, anIncident } from '../../engine/definitions.ts';
import { alertOf } from '../../notifiers/alerts.ts';
import { MOODY } from './arena.ts';
import type { Evidence } from './evidence.ts';
import { judge } from './judgement.ts';

const START = Date.UTC(2026, 0, 1);
const at = (seconds: number) => START + seconds * 1_000;
const target = MOODY[0] as string;

const transition = (
  id: number,
  from: 'unknown' | 'up' | 'down',
  to: 'up' | 'down',
  seconds: number,
  probe = target,
) => ({
  ...{ id, probe, from, to, at: at(seconds), reason: 'http_status' as const, summary: '' },
});
const entry = (id: number, kind: string, seconds: number) => ({
  ...{ id, incidentId: 1, at: at(seconds), kind, text: '', actor: 'brainstem' },
});
const delivery = (event: string) => ({
  ...{ at: at(25), headers: {} },
  body: { ...{ event_id: event, kind: 'opened', at: '', title: '', text: event }, incident: null, digest: [] },
});
const alert = (event: string) => ({ ...alertOf(), eventId: event });
const notification = (event: string) => ({
  ...{ id: 1, notifier: 'bus', alert: alert(event), state: 'sent' as const, createdAt: 0, dueAt: 0, tries: 1 },
});
const attempt = {
  ...anAttempt({ state: 'healed' }),
  probe: target,
  startedAt: at(26),
  actedAt: at(28),
  endedAt: at(29),
};
const everySecond = Array.from({ length: 60 }, (_, second) => at(second));

/** An account without a fault: a break during an outage, mended after it by a fix. */
const right: Evidence = {
  ...{ seed: 's', mishaps: [], locked: [], incidents: [], attempts: [attempt] },
  outages: [[{ from: at(10), until: at(20) }]],
  breaks: [{ target, from: at(12), until: at(27) }],
  fixes: [{ target, at: at(27) }],
  pieces: [{ from: at(0), until: at(60) }],
  lags: [{ starts: 100, late: 0, droppedResults: 0 }],
  bus: [delivery('one')],
  notifications: [notification('one')],
  transitions: [transition(1, 'unknown', 'up', 0), transition(2, 'up', 'down', 13), transition(3, 'down', 'up', 28)],
  ownStory: [entry(1, 'opened', 10), entry(2, 'resolved', 21)],
  results: new Map([[target, everySecond]]),
};

const violated = (changes: Partial<Evidence>) =>
  judge({ ...right, ...changes }).flatMap(({ invariant, violations }) => (violations.length > 0 ? [invariant] : []));

it('finds no fault where there is none', () => {
  expect(violated({})).toEqual([]);
});

it.each<[string, Partial<Evidence>]>([
  ['the daemon lives through all of it', { mishaps: ['it ended with 1'] }],
  [
    'no target is DOWN that was well',
    {
      transitions: [
        ...right.transitions,
        ...[transition(4, 'unknown', 'up', 0, 'steady-1'), transition(5, 'up', 'down', 15, 'steady-1')],
      ],
    },
  ],
  [
    'every break is DOWN on record, with its time',
    { transitions: right.transitions.map((each) => (each.id === 2 ? { ...each, at: at(21) } : each)) },
  ],
  [
    'every mending is UP on record, with its time',
    { transitions: right.transitions.map((each) => (each.id === 3 ? { ...each, at: at(40) } : each)) },
  ],
  [
    'each state follows from the one before',
    { transitions: [transition(0, 'unknown', 'up', 0), ...right.transitions] },
  ],
  ['each outage is one incident of our own', { ownStory: [] }],
  ['each outage is one incident of our own', { ownStory: [...right.ownStory, ...right.ownStory] }],
  ['each outage is one incident of our own', { ownStory: [entry(1, 'opened', 10)] }],
  [
    'each outage is one incident of our own',
    { ownStory: [...right.ownStory, entry(3, 'reopened', 40), entry(4, 'resolved', 41)] },
  ],
  [
    'probing never stops, and every result is kept',
    { results: new Map([[target, everySecond.filter((time) => time < at(10) || time > at(20))]]) },
  ],
  [
    'no fix begins while the store is away',
    { fixes: [{ target, at: at(15) }], attempts: [{ ...attempt, startedAt: at(14), actedAt: at(16) }] },
  ],
  ['every run of a fix is an attempt on record', { attempts: [] }],
  [
    'every run of a fix is an attempt on record',
    { attempts: [attempt, { ...attempt, startedAt: at(40), endedAt: at(41) }] },
  ],
  ['no attempt, incident or lock is left', { incidents: [anIncident()] }],
  ['no attempt, incident or lock is left', { locked: ['healed-0'] }],
  ['every alert on record was heard', { bus: [] }],
  ['every alert that was heard is on record', { bus: [...right.bus, delivery('two')] }],
  ['no result is dropped', { lags: [{ starts: 100, late: 0, droppedResults: 3 }] }],
])('finds that it is not so: %s', (invariant, changes) => {
  expect(violated(changes)).toEqual([invariant]);
});
