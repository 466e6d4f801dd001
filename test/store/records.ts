/** Records for tests, each with nothing optional and a name of its own. */
import type { Attempt, Incident, Notification, ProbeState, Result } from '../../src/model.ts';

/** Quotes, other scripts, a surrogate pair, controls: what must come back as it went in. */
export const ODD = `"it's" \\ %_? ; -- ü ✓ \u{1F9E0} \n\t\u0001`;

export const DAY = Date.UTC(2026, 10, 23);
let serial = 0;
/** A name that no other test uses. */
export const fresh = (what: string) => `${what}-${++serial}`;

export function state(changes: Partial<ProbeState> = {}): ProbeState {
  return {
    probe: fresh('probe'),
    state: 'up',
    since: DAY,
    streaks: { passing: 1, notFailing: 2, failing: 3, notPassing: 4, internal: 5 },
    targetRevision: 'r1',
    ...changes,
  };
}

type NewIncident = Omit<Incident, 'id'>;
export function incident(changes: Partial<NewIncident> = {}): NewIncident {
  return {
    source: 'probe',
    subject: fresh('subject'),
    title: ODD,
    severity: 'critical',
    reason: 'http_status',
    cause: 'status = 503',
    openedAt: DAY,
    activeAt: DAY + 1,
    paged: false,
    degraded: true,
    reopened: 0,
    exhausted: false,
    ...changes,
  };
}

type NewAttempt = Omit<Attempt, 'id'>;
export function attempt(changes: Partial<NewAttempt> = {}): NewAttempt {
  return {
    probe: fresh('probe'),
    remediation: fresh('remediation'),
    type: 'docker',
    resource: fresh('container'),
    requestedBy: 'healer',
    state: 'intended',
    intendedAt: DAY,
    fence: 7,
    ...changes,
  };
}

type NewNotification = Omit<Notification, 'id'>;
export function notification(changes: Partial<NewNotification> = {}): NewNotification {
  return {
    notifier: fresh('slack'),
    alert: {
      eventId: fresh('event'),
      kind: 'opened',
      at: DAY,
      severity: 'critical',
      title: `${ODD}\0`,
      text: 'down',
      facts: [{ label: 'reason', value: 'dns' }],
      url: 'http://127.0.0.1:9911/',
    },
    state: 'pending',
    createdAt: DAY,
    dueAt: DAY + 1,
    tries: 0,
    ...changes,
  };
}

export function result(changes: Partial<Result> = {}): Result {
  return {
    probe: 'web',
    at: DAY,
    latencyMs: 12.345,
    reason: 'ok',
    verdict: 'pass',
    revision: 'r1',
    error: false,
    values: {},
    ...changes,
  };
}
