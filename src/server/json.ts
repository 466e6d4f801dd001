/** From the vocabulary to what the API answers: snake case, ISO times. */
import type { z } from 'zod';
import { formatProblem } from '../errors.ts';
import {
  type Attempt,
  type Condition,
  type Incident,
  type Notification,
  type Observation,
  type Plan,
  type Problem,
  type Remediation,
  type Result,
  type Schedule,
  type Silence,
  STATE_NAMES,
  type StateName,
  type TimelineEntry,
  type Transition,
} from '../model.ts';
import type { AuditEntry, Disarmed, Freeze, ProbeView, Views } from '../ports.ts';
import { hiding, redactAll } from '../redact.ts';
import { formatDuration } from '../units.ts';
import type * as schemas from './schemas.ts';

type Json<Name extends keyof typeof schemas> = z.input<(typeof schemas)[Name]>;

export function isoTime(at: number): string {
  return new Date(at).toISOString();
}

function optionalTime(at: number | undefined): string | undefined {
  return at === undefined ? undefined : isoTime(at);
}

/** `incidents`: the open ones by subject. */
export function probeSummaryJson(view: ProbeView, incidents: ReadonlyMap<string, Incident>): Json<'probeSummary'> {
  const { probe, state, last } = view;
  return {
    name: probe.name,
    title: probe.title,
    type: probe.type,
    target: probe.target,
    group: probe.group,
    severity: probe.severity,
    labels: { ...probe.labels },
    state: state.state,
    since: isoTime(state.since),
    verdict: last?.verdict.kind,
    reason: last?.verdict.reason,
    summary: last?.verdict.summary,
    latency_ms: last?.observation.latencyMs,
    last_run_at: optionalTime(last?.observation.startedAt),
    next_run_at: optionalTime(view.nextRunAt),
    stale: view.stale,
    unset: [...probe.unset],
    incident_id: incidents.get(probe.name)?.id,
    runbook: probe.runbook,
  };
}

export function probeDetailJson(view: ProbeView, incidents: ReadonlyMap<string, Incident>): Json<'probeDetail'> {
  const { probe, last } = view;
  return {
    ...probeSummaryJson(view, incidents),
    schedule: scheduleText(probe.schedule),
    every_ms: probe.schedule.kind === 'interval' ? probe.schedule.everyMs : undefined,
    retry_every_ms: probe.retryEveryMs,
    timeout_ms: probe.timeoutMs,
    fail_after: probe.failAfter,
    recover_after: probe.recoverAfter,
    expect: probe.expect.map(sourceOf),
    warn: probe.warn.map(sourceOf),
    depends_on: [...probe.dependsOn],
    remediate: probe.remediate.map(({ when, rungs }) => ({
      when: when?.source,
      try: rungs.map((rung) => rung.remediation),
    })),
    slo: probe.slo && { objective: probe.slo.objectivePercent, window_ms: probe.slo.windowMs },
    fields: last && fieldsOf(last.observation),
    error: last?.observation.error,
    decided_by: last?.verdict.decidedBy.map(({ source, result }) => ({ condition: source, ...result })),
    defined_at: placeOf(probe.location),
    revision: probe.revision,
  };
}

/** Without what the run alone knows; what the configuration calls a secret goes when the answer is written. */
function fieldsOf({ fields, hidden }: Observation): Record<string, unknown> {
  if (hidden === undefined) return { ...fields };
  return redactAll(
    fields,
    hiding((text) => text, { hidden }),
  ) as Record<string, unknown>;
}

const sourceOf = ({ source }: Condition) => source;

function scheduleText(schedule: Schedule): string {
  if (schedule.kind === 'interval') return `every ${formatDuration(schedule.everyMs)}`;
  return schedule.timezone === undefined ? schedule.expression : `${schedule.expression} (${schedule.timezone})`;
}

function placeOf({ file, line, column }: Problem['location']): string {
  return `${file}:${line}:${column}`;
}

export function resultJson({ at, latencyMs, reason, verdict, error, values }: Result): Json<'result'> {
  return { at: isoTime(at), latency_ms: latencyMs, reason, verdict, error, values: { ...values } };
}

export function incidentJson(incident: Incident, views: Pick<Views, 'silencedBy'>): Json<'incident'> {
  return {
    id: incident.id,
    source: incident.source,
    subject: incident.subject,
    title: incident.title,
    severity: incident.severity,
    reason: incident.reason,
    cause: incident.cause,
    opened_at: isoTime(incident.openedAt),
    active_at: isoTime(incident.activeAt),
    resolved_at: optionalTime(incident.resolvedAt),
    resolution: incident.resolution,
    parent_id: incident.parentId,
    acknowledged_at: optionalTime(incident.acknowledgedAt),
    acknowledged_by: incident.acknowledgedBy,
    hold_until: optionalTime(incident.holdUntil),
    paged: incident.paged,
    degraded: incident.degraded,
    reopened: incident.reopened,
    healed_by: incident.healedBy,
    exhausted: incident.exhausted,
    silenced_by: views.silencedBy(incident)?.id,
    withheld: incident.withheld,
    withheld_by: incident.withheldBy,
  };
}

type SilenceViews = Pick<Views, 'openIncidents' | 'silencedBy'>;

export function silenceJson(silence: Silence, views: SilenceViews, now: number): Json<'silence'> {
  const silenced = views.openIncidents().filter((incident) => views.silencedBy(incident)?.id === silence.id);
  return {
    id: silence.id,
    state: silenceState(silence, now),
    matchers: [...silence.matchers],
    starts_at: isoTime(silence.startsAt),
    ends_at: isoTime(silence.endsAt),
    author: silence.author,
    comment: silence.comment,
    created_at: isoTime(silence.createdAt),
    expired_at: optionalTime(silence.expiredAt),
    incidents: silenced.map(({ id }) => id),
  };
}

function silenceState({ startsAt, endsAt, expiredAt }: Silence, now: number): Json<'silence'>['state'] {
  if (expiredAt !== undefined || endsAt <= now) return 'expired';
  return startsAt <= now ? 'active' : 'pending';
}

export function attemptJson(attempt: Attempt): Json<'attempt'> {
  return {
    id: attempt.id,
    incident_id: attempt.incidentId,
    probe: attempt.probe,
    remediation: attempt.remediation,
    type: attempt.type,
    resource: attempt.resource,
    requested_by: attempt.requestedBy,
    state: attempt.state,
    refusal: attempt.refusal,
    intended_at: isoTime(attempt.intendedAt),
    started_at: optionalTime(attempt.startedAt),
    acted_at: optionalTime(attempt.actedAt),
    ended_at: optionalTime(attempt.endedAt),
    exit_code: attempt.exitCode,
    output: attempt.output,
    error: attempt.error,
  };
}

export function timelineJson({ at, kind, text, actor }: TimelineEntry): Json<'incidentDetail'>['timeline'][number] {
  return { at: isoTime(at), kind, text, actor };
}

export function notificationJson(notification: Notification): Json<'incidentDetail'>['notifications'][number] {
  return {
    id: notification.id,
    notifier: notification.notifier,
    kind: notification.alert.kind,
    state: notification.state,
    event_id: notification.alert.eventId,
    title: notification.alert.title,
    created_at: isoTime(notification.createdAt),
    due_at: isoTime(notification.dueAt),
    tries: notification.tries,
    last_error: notification.lastError,
    sent_at: optionalTime(notification.sentAt),
    fallback_for: notification.fallbackFor,
    carried_by: notification.carriedBy,
  };
}

export function transitionJson({ at, probe, from, to, reason, summary, incidentId }: Transition): Json<'event'> {
  const text = `${from} → ${to}: ${reason}${summary === '' ? '' : `, ${summary}`}`;
  return { at: isoTime(at), kind: 'transition', subject: probe, text, actor: 'brainstem', incident_id: incidentId };
}

export function auditJson({ at, actor, action, subject, detail }: AuditEntry): Json<'event'> {
  return { at: isoTime(at), kind: action, subject, text: detail, actor };
}

export function remediationJson(remediation: Remediation, disarmed: Disarmed | undefined): Json<'remediation'> {
  return {
    name: remediation.name,
    title: remediation.title,
    type: remediation.type,
    mode: remediation.mode,
    resource: remediation.resource,
    timeout_ms: remediation.timeoutMs,
    settle_ms: remediation.settleMs,
    verify_within_ms: remediation.verifyWithinMs,
    cooldown_ms: remediation.cooldownMs,
    limit: `${remediation.limit.count} in ${formatDuration(remediation.limit.windowMs)}`,
    idempotent: remediation.idempotent,
    disarmed: disarmed && { at: isoTime(disarmed.at), why: disarmed.why },
    unset: [...remediation.unset],
    defined_at: placeOf(remediation.location),
  };
}

export function freezeJson({ at, by, why }: Freeze): Json<'freeze'> {
  return { at: isoTime(at), by, why };
}

export function planJson(plan: Plan): Json<'remediateOutcome'>['plan'] {
  if (plan.go) return { go: true };
  return { go: false, refusal: plan.refusal, detail: plan.detail, retry_at: optionalTime(plan.retryAt) };
}

export function configurationJson(views: Views): Json<'configuration'> {
  const { revision, warnings, probes, remediations, notifiers, settings } = views.configuration();
  const problems = views.reloadProblems();
  return {
    revision,
    ok: problems.length === 0,
    problems: problems.map(problemJson),
    warnings: warnings.map(problemJson),
    probes: probes.size,
    remediations: remediations.size,
    notifiers: notifiers.size,
    healing_mode: settings.healing.mode,
  };
}

function problemJson({ location, message }: Problem): Json<'configuration'>['problems'][number] {
  return { file: location.file, line: location.line, column: location.column, message };
}

/** Every problem on a line of its own, as editors and people read it. */
export function problemLines(problems: readonly Problem[]): string {
  return problems.map((problem) => `${formatProblem(problem)}\n`).join('');
}

export function countStates(views: readonly ProbeView[]): Record<StateName, number> {
  // Every name is filled in; the cast says so to the compiler.
  const counts = Object.fromEntries(STATE_NAMES.map((name) => [name, 0])) as Record<StateName, number>;
  for (const { state } of views) counts[state.state] += 1;
  return counts;
}

/** Open incidents of probes by the probe's name. */
export function incidentsByProbe(incidents: readonly Incident[]): ReadonlyMap<string, Incident> {
  return new Map(incidents.filter(({ source }) => source === 'probe').map((incident) => [incident.subject, incident]));
}
