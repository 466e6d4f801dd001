/** The judge of the torture must find what it looks for: an account that is right, and one that is wrong for each invariant. */
import { expect, it } from 'vitest';
import type { Attempt, Incident, Notification } from '../../src/model.ts';
import type { SlackCall } from '../estate/fake-slack.ts';
import type { Delivery } from '../estate/receiver.ts';
import type { OracleLine } from '../estate/service.ts';
import type { Evidence } from './evidence.ts';
import { judge } from './judgement.ts';

const INCIDENT: Incident = {
  ...{
    id: 1,
    source: 'probe',
    subject: 'plain',
    title: 'plain',
    severity: 'critical',
    reason: 'timeout',
    cause: 'hung',
  },
  ...{ openedAt: 200, activeAt: 200, resolvedAt: 800, resolution: 'recovered', healedBy: 'restart-plain' },
  ...{ paged: true, degraded: false, reopened: 0, exhausted: false },
};

const ATTEMPT: Attempt = {
  ...{
    id: 7,
    incidentId: 1,
    probe: 'plain',
    remediation: 'restart-plain',
    type: 'exec',
    resource: 'exec:restart-plain',
  },
  ...{ requestedBy: 'healer', state: 'healed', intendedAt: 250, startedAt: 300, endedAt: 800, fence: 1 },
  child: { pid: 4711, startTicks: 1 },
};

const FIX: readonly OracleLine[] = [
  { at: 310, what: 'fix', pid: 4711, attempt: 7 },
  { at: 400, what: 'fix_ended', pid: 4711, attempt: 7 },
];

const ANOTHER_FIX: OracleLine = { at: 350, what: 'fix', pid: 4712, attempt: 8 };

function row(id: number, notifier: string, kind: Notification['alert']['kind'], at: number): Notification {
  const alert = {
    ...{ kind, at, eventId: `event-${id}`, severity: 'critical' as const },
    title: '',
    text: '',
    facts: [],
    url: '',
  };
  return { ...{ id, notifier, alert, incidentId: 1, state: 'sent', createdAt: at, dueAt: at }, tries: 1, sentAt: at };
}

const ROWS = [
  row(1, 'bus', 'opened', 200),
  row(2, 'oncall', 'opened', 200),
  row(3, 'bus', 'resolved', 800),
  row(4, 'oncall', 'resolved', 800),
];

function delivery({ alert, incidentId = 0 }: Notification): Delivery {
  const incident = { id: incidentId, state: 'open', subject: 'plain' };
  const { eventId, kind, at } = alert;
  const body = { event_id: eventId, kind, at: new Date(at).toISOString(), title: '', text: '', incident, digest: [] };
  return { at, headers: {}, body };
}

function call({ alert: { eventId, kind, at } }: Notification): SlackCall {
  const metadata = { event_type: 'brainstem_alert', event_payload: { event_id: eventId, kind } };
  return { at, method: 'chat.postMessage', arguments: { metadata }, ts: eventId };
}

const BUS = ROWS.filter(({ notifier }) => notifier === 'bus').map(delivery);
const SLACK = ROWS.filter(({ notifier }) => notifier === 'oncall').map(call);

const RIGHT: Evidence = {
  ...{ kills: 1, mishaps: [], takeoversMs: [900], ill: [], locked: [], strays: [] },
  breaks: [{ service: 'plain', how: 'hang', at: 100, eager: false }],
  oracles: new Map([['plain', FIX]]),
  ...{ bus: BUS, slack: SLACK, incidents: [INCIDENT], attempts: [ATTEMPT], notifications: ROWS },
};

function violated(evidence: Evidence): readonly string[] {
  return judge(evidence)
    .filter(({ violations }) => violations.length > 0)
    .map(({ invariant }) => invariant);
}

it('finds nothing wrong with a right account', () => {
  expect(violated(RIGHT)).toEqual([]);
});

it('takes what a digest carried for told', () => {
  const digest = { ...row(5, 'oncall', 'digest', 300) };
  const carried = ROWS.map((each) => (each.id === 2 ? { ...each, carriedBy: 5 } : each));
  const slack = [call(digest), ...SLACK.slice(1)];
  expect(violated({ ...RIGHT, notifications: [...carried, digest], slack })).toEqual([]);
});

const { resolvedAt: _resolved, ...OPEN } = INCIDENT;

it.each<[string, string, Partial<Evidence>]>([
  ['a daemon that ended by itself', 'the daemon never ended by itself', { mishaps: ['it ended with 1'] }],
  [
    'a break that nobody heard of',
    'no incident is lost',
    { breaks: [...RIGHT.breaks, { service: 'plain', how: 'kill', at: 900, eager: false }] },
  ],
  ['an incident that stays open', 'every incident is told, and over', { incidents: [OPEN] }],
  ['an incident that was never told', 'every incident is told, and over', { notifications: [] }],
  ['an alert that never reached the bus', 'no alert to bus is lost', { bus: BUS.slice(1) }],
  ['an alert that never reached Slack', 'no alert to oncall is lost', { slack: SLACK.slice(1) }],
  [
    'an alert that waits',
    'no alert to bus is lost',
    { notifications: ROWS.map((each) => (each.id === 3 ? { ...each, state: 'pending' as const } : each)) },
  ],
  ['an alert that nobody wrote', 'nothing was said that is not on record', { notifications: ROWS.slice(1) }],
  ['an end before its beginning on the bus', 'alerts to bus are in order', { bus: [...BUS].reverse() }],
  ['an end before its beginning in Slack', 'alerts to oncall are in order', { slack: [...SLACK].reverse() }],
  [
    'more repetitions than kills',
    'a kill repeats at most one alert a channel',
    { bus: [...BUS, ...BUS.slice(0, 1), ...BUS.slice(0, 1)] },
  ],
  ['a takeover that took long', 'who stands by takes over within 5 s', { takeoversMs: [5_001] }],
  ['an attempt that ran twice', 'no fix runs twice', { oracles: new Map([['plain', [...FIX, ...FIX]]]) }],
  ['a run without an attempt', 'every run is an attempt on record', { attempts: [] }],
  [
    'a run in another process than the stored one',
    'every run is an attempt on record',
    { oracles: new Map([['plain', FIX.map((line) => ({ ...line, pid: 4712 }))]]) },
  ],
  [
    'two runs at a time',
    'one fix at a time on a resource',
    { oracles: new Map([['plain', [...FIX.slice(0, 1), ANOTHER_FIX, ...FIX.slice(1)]]]) },
  ],
  [
    'two attempts at a time',
    'one fix at a time on a resource',
    { attempts: [ATTEMPT, { ...ATTEMPT, id: 8, startedAt: 700, endedAt: 900 }] },
  ],
  ['an attempt that is left', 'no attempt is left open', { attempts: [{ ...ATTEMPT, state: 'verifying' }] }],
  ['a lock that is left', 'no lock is left', { locked: ['exec:restart-plain'] }],
  ['a process that is left', 'no process is left', { strays: ['node restart.cjs'] }],
  ['a service that is ill', 'every service is well', { ill: ['plain'] }],
])('finds %s', (_what, invariant, change) => {
  expect(violated({ ...RIGHT, ...change })).toContain(invariant);
});
