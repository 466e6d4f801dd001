/** One alert of every kind, as the engine words them: what a night on call may bring. */

import { composeAlert, composeTestAlert } from '../../src/engine/alert.ts';
import { composeDigest } from '../../src/engine/alert-digest.ts';
import { ALERT_KINDS, type Alert, type AlertKind, type Attempt, type Incident } from '../../src/model.ts';
import { withLateness } from '../../src/runtime/outbox-lateness.ts';
import { incidentOf, OPENED_AT } from './alerts.ts';

const PUBLIC_URL = 'https://brainstem.example.com';
const MINUTE = 60_000;
const PROBE = {
  name: 'backend-api',
  target: 'https://api.example.com/api/v1/health/',
  group: 'applications',
  runbook: 'docs/runbooks/backend.md',
};

interface Sample {
  readonly afterMs: number;
  readonly incident?: Partial<Incident>;
  readonly note?: string;
  readonly othersOpen?: readonly string[];
  readonly attempts?: readonly Attempt[];
}

const HEALED_AT = OPENED_AT + 12 * MINUTE;
const OVER = { resolvedAt: HEALED_AT, resolution: 'recovered' as const };

const FAILED = attemptOf('restart-backend', { state: 'failed', exitCode: 1 });
const HEALED = attemptOf('redeploy-backend', { state: 'healed' });

const SAMPLES: Readonly<Record<Exclude<AlertKind, 'digest' | 'test'>, Sample>> = {
  opened: { afterMs: 0 },
  reopened: { afterMs: 20 * MINUTE, incident: { activeAt: OPENED_AT + 20 * MINUTE, reopened: 1 } },
  escalated: { afterMs: 3 * MINUTE, attempts: [FAILED], note: 'every fix was tried, nothing more happens by itself' },
  progress: { afterMs: MINUTE, note: 'trying restart-backend on container:backend' },
  reminder: {
    afterMs: 240 * MINUTE,
    attempts: [FAILED],
    incident: {
      severity: 'warning',
      degraded: true,
      reason: 'condition',
      cause: 'avg("latency_ms", "5m") < 200 (412)',
    },
  },
  resolved: {
    afterMs: 12 * MINUTE,
    incident: { ...OVER, healedBy: 'redeploy-backend' },
    attempts: [FAILED, HEALED],
    othersOpen: ['Redis'],
  },
  healed_itself: { afterMs: 12 * MINUTE, incident: { ...OVER, healedBy: 'redeploy-backend' }, attempts: [HEALED] },
  closed: { afterMs: 30 * MINUTE, incident: { resolvedAt: OPENED_AT + 30 * MINUTE, resolution: 'definition_removed' } },
};

/** In the order of an incident's life; they are one conversation, apart from digest and test. */
export function samples(): readonly Alert[] {
  return ALERT_KINDS.map(sampleOf);
}

export function sampleOf(kind: AlertKind): Alert {
  if (kind === 'digest') return digest();
  if (kind === 'test') {
    const facts = [{ label: 'Sent from', value: 'monitor-1' }];
    return composeTestAlert({ ...eventOf(kind), notifier: 'oncall-email', facts, now: OPENED_AT });
  }
  const { afterMs, incident, note, othersOpen = [], attempts = [] } = SAMPLES[kind];
  return composeAlert({
    ...eventOf(kind),
    kind,
    incident: incidentOf({ cause: 'status == 200 (status = 503)', ...incident }),
    probe: PROBE,
    attempts,
    othersOpen,
    ...(note !== undefined && { note }),
    now: OPENED_AT + afterMs,
  });
}

/** The mail server was away for an hour, and the incident is over. */
export function lateSample(): Alert {
  const alert = sampleOf('opened');
  return withLateness(alert, incidentOf(OVER), OPENED_AT + 60 * MINUTE);
}

function eventOf(kind: string) {
  return { eventId: `6f1c2d34-0000-4000-8000-${kind}`, publicUrl: PUBLIC_URL };
}

const TITLES = ['Backend API', 'PostgreSQL', 'Redis', 'MyRoofGenius', 'WeatherCraft ERP', 'Task OS', 'Grafana'];

function digest(): Alert {
  const alerts = TITLES.map((title, index) => {
    const over = index > 4;
    const incident = incidentOf({ id: 31 + index, title, severity: index < 2 ? 'critical' : 'warning' });
    return { ...sampleOf(over ? 'resolved' : 'opened'), title, incident, severity: incident.severity };
  });
  return composeDigest({ ...eventOf('digest'), alerts });
}

function attemptOf(remediation: string, changes: Partial<Attempt>): Attempt {
  return {
    ...{ id: 1, incidentId: 7, probe: PROBE.name, remediation, type: 'docker', resource: 'container:backend' },
    ...{ requestedBy: 'healer', state: 'running', intendedAt: OPENED_AT, startedAt: OPENED_AT, fence: 1 },
    ...changes,
  };
}
