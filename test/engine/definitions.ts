/** Complete definitions for tests, to be changed where a test cares. */
import type { Attempt, Incident, Probe, Remediation } from '../../src/model.ts';

const LOCATION = { file: 'probes/test.yaml', line: 1, column: 1 };

export function aProbe(changes: Partial<Probe> = {}): Probe {
  return {
    ...{ name: 'web', title: 'Web', type: 'http', spec: {}, target: 'http://127.0.0.1/', timeoutMs: 1_000 },
    ...{ schedule: { kind: 'interval', everyMs: 10_000 }, expect: [], warn: [], failAfter: 3, recoverAfter: 2 },
    ...{
      severity: 'critical',
      dependsOn: [],
      remediate: [],
      pageAfterMs: 0,
      relapseMs: 900_000,
      group: 'apps',
      labels: {},
    },
    ...{ paused: false, exportFields: [], unset: [], revision: 'r1', targetRevision: 't1', location: LOCATION },
    ...changes,
  };
}

export function aRemediation(changes: Partial<Remediation> = {}): Remediation {
  return {
    ...{
      name: 'restart',
      title: 'Restart',
      type: 'exec',
      spec: {},
      timeoutMs: 60_000,
      settleMs: 0,
      verifyWithinMs: 120_000,
    },
    ...{ cooldownMs: 300_000, limit: { count: 3, windowMs: 3_600_000 }, mode: 'auto', idempotent: false, evidence: [] },
    ...{ unset: [], location: LOCATION },
    ...changes,
  };
}

export function anIncident(changes: Partial<Incident> = {}): Incident {
  return {
    ...{
      id: 1,
      source: 'probe',
      subject: 'web',
      title: 'Web',
      severity: 'critical',
      reason: 'timeout',
      cause: 'no answer',
    },
    ...{ openedAt: 1_000, activeAt: 1_000, paged: true, degraded: false, reopened: 0, exhausted: false },
    ...changes,
  };
}

export function anAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    ...{ id: 1, incidentId: 1, probe: 'web', remediation: 'restart', type: 'exec', resource: 'exec:restart' },
    ...{ requestedBy: 'healer', state: 'failed', intendedAt: 0, startedAt: 0, endedAt: 1_000, fence: 1 },
    ...changes,
  };
}
