/** Alerts and contexts for the tests of notifiers. */
import type { Alert, Incident } from '../../src/model.ts';
import type { Context, Log } from '../../src/ports.ts';

export const OPENED_AT = Date.UTC(2026, 10, 23, 4, 0, 0);

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quietLog,
};

export function contextOf(timeoutMs = 5_000): Context {
  return {
    signal: AbortSignal.timeout(timeoutMs),
    timeoutMs,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    log: quietLog,
  };
}

export function incidentOf(changes: Partial<Incident> = {}): Incident {
  return {
    id: 7,
    source: 'probe',
    subject: 'backend-api',
    title: 'Backend API',
    severity: 'critical',
    reason: 'http_status',
    cause: 'status = 503',
    openedAt: OPENED_AT,
    activeAt: OPENED_AT,
    paged: true,
    degraded: false,
    reopened: 0,
    exhausted: false,
    ...changes,
  };
}

export function alertOf(changes: Partial<Alert> = {}): Alert {
  const incident = changes.incident ?? incidentOf();
  return {
    eventId: `event-${incident.id}-${changes.kind ?? 'opened'}`,
    kind: 'opened',
    at: OPENED_AT,
    severity: incident.severity,
    title: incident.title,
    text: `${incident.title} is down: ${incident.cause}`,
    facts: [{ label: 'Reason', value: incident.reason }],
    incident,
    url: `http://127.0.0.1:9911/incidents/${incident.id}`,
    ...changes,
  };
}

export function digestOf(count: number, title = (index: number) => `probe-${index}`): Alert {
  const { incident: _incident, ...alert } = alertOf({
    eventId: 'digest-1',
    kind: 'digest',
    title: `${count} incidents`,
  });
  const entries = Array.from({ length: count }, (_, index) => index + 1);
  return {
    ...alert,
    digest: entries.map((id) => ({ incidentId: id, title: title(id), kind: id % 5 === 0 ? 'resolved' : 'opened' })),
  };
}
