/** How each record of the vocabulary stands in its table. */
import type {
  Attempt,
  Heartbeat,
  Incident,
  Notification,
  ProbeState,
  Silence,
  TimelineEntry,
  Transition,
} from '../model.ts';
import type { AuditEntry, Disarmed, Freeze } from '../ports.ts';
import { codec } from './codec.ts';

export const probeStates = codec<ProbeState>({
  probe: 'plain',
  state: 'plain',
  since: 'plain',
  streaks: 'json',
  targetRevision: 'plain',
});

export const transitions = codec<Transition>({
  id: 'plain',
  probe: 'plain',
  from: 'plain',
  to: 'plain',
  at: 'plain',
  reason: 'plain',
  summary: 'plain',
  incidentId: 'plain',
});

export const incidents = codec<Incident>({
  id: 'plain',
  source: 'plain',
  subject: 'plain',
  title: 'plain',
  severity: 'plain',
  reason: 'plain',
  cause: 'plain',
  openedAt: 'plain',
  activeAt: 'plain',
  resolvedAt: 'plain',
  resolution: 'plain',
  parentId: 'plain',
  acknowledgedAt: 'plain',
  acknowledgedBy: 'plain',
  holdUntil: 'plain',
  paged: 'flag',
  degraded: 'flag',
  reopened: 'plain',
  healedBy: 'plain',
  exhausted: 'flag',
  withheld: 'plain',
  withheldBy: 'plain',
});

export const timeline = codec<TimelineEntry>({
  id: 'plain',
  incidentId: 'plain',
  at: 'plain',
  kind: 'plain',
  text: 'plain',
  actor: 'plain',
});

export const attempts = codec<Attempt>({
  id: 'plain',
  incidentId: 'plain',
  probe: 'plain',
  remediation: 'plain',
  type: 'plain',
  resource: 'plain',
  requestedBy: 'plain',
  state: 'plain',
  refusal: 'plain',
  intendedAt: 'plain',
  startedAt: 'plain',
  actedAt: 'plain',
  settleUntil: 'plain',
  verifyUntil: 'plain',
  endedAt: 'plain',
  exitCode: 'plain',
  output: 'plain',
  error: 'plain',
  fence: 'plain',
  child: 'json',
});

export const disarmed = codec<Disarmed>({ remediation: 'plain', at: 'plain', why: 'plain' });

export const freezes = codec<Freeze>({ at: 'plain', by: 'plain', why: 'plain' });

export const notifications = codec<Notification>({
  id: 'plain',
  notifier: 'plain',
  incidentId: 'plain',
  alert: 'json',
  state: 'plain',
  createdAt: 'plain',
  dueAt: 'plain',
  tries: 'plain',
  lastError: 'plain',
  sentAt: 'plain',
  fallbackFor: 'plain',
  carriedBy: 'plain',
});

export const heartbeats = codec<Heartbeat>({
  keyHash: 'plain',
  createdAt: 'plain',
  lastPingAt: 'plain',
  lastKind: 'plain',
  lastStartAt: 'plain',
  lastSuccessAt: 'plain',
  durationMs: 'plain',
  exitCode: 'plain',
  body: 'plain',
});

export const auditEntries = codec<AuditEntry>({
  id: 'plain',
  at: 'plain',
  actor: 'plain',
  action: 'plain',
  subject: 'plain',
  detail: 'plain',
});

export const silences = codec<Silence>({
  id: 'plain',
  matchers: 'json',
  startsAt: 'plain',
  endsAt: 'plain',
  author: 'plain',
  comment: 'plain',
  createdAt: 'plain',
  expiredAt: 'plain',
});
