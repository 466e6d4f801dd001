/**
 * What a change of a probe's state means for its incident. Pure: the runtime applies the answer in one transaction.
 */
import type { AlertKind, Incident, Probe, Reason, Severity, StateName } from '../model.ts';

export interface ChangeFacts {
  readonly probe: Pick<Probe, 'name' | 'title' | 'severity' | 'relapseMs'>;
  readonly to: StateName;
  readonly reason: Reason;
  readonly summary: string;
  readonly now: number;
  /** The open incident of this probe, if there is one. */
  readonly open: Incident | undefined;
  /** The newest closed one, if there is one. */
  readonly last: Incident | undefined;
  /** The open incident of a dependency that is DOWN: the root. */
  readonly root: Incident | undefined;
  /** Hold the page until then, because a fix is about to be tried. */
  readonly holdUntil: number | undefined;
  /** The remediation whose attempt this recovery verifies. */
  readonly healedBy: string | undefined;
  /** The state has ended since: nobody is paged for it. */
  readonly quiet: boolean;
}

/** What to write, and what people hear about it. `alert` absent: nobody is told now. */
export interface IncidentChange {
  readonly action: 'insert' | 'update';
  readonly incident: Omit<Incident, 'id'>;
  readonly event: 'opened' | 'reopened' | 'escalated' | 'lowered' | 'resolved';
  readonly alert?: AlertKind;
}

/** The incident change that a new state asks for; undefined when the state concerns no incident. */
export function incidentChange(facts: ChangeFacts): IncidentChange | undefined {
  const { to, open } = facts;
  if (to === 'up') return open && resolved(open, facts);
  if (to === 'down') return open ? worsened(open, facts) : opened(facts, facts.probe.severity, false);
  if (to === 'degraded') return open ? lowered(open, facts) : opened(facts, atMostWarning(facts.probe.severity), true);
  // A probe that cannot tell says nothing about its target: it warns, never heals, and never resolves what is open.
  // The reason says that it is not known; what kept it from us stands in the cause.
  if (to === 'unknown')
    return open ? undefined : opened({ ...facts, reason: 'internal' }, atMostWarning(facts.probe.severity), true);
  return undefined;
}

/** DEGRADED and *unknown* open at most a warning. */
function atMostWarning(severity: Severity): Severity {
  return severity === 'critical' ? 'warning' : severity;
}

function opened(facts: ChangeFacts, severity: Severity, degraded: boolean): IncidentChange {
  const { probe, now, last, root, holdUntil, quiet } = facts;
  const page = root === undefined && holdUntil === undefined && !quiet;
  const relapse =
    last?.resolvedAt !== undefined &&
    last.resolution !== 'definition_removed' &&
    now - last.resolvedAt <= probe.relapseMs;
  const incident: Omit<Incident, 'id'> = {
    source: 'probe',
    subject: probe.name,
    title: probe.title,
    severity,
    reason: facts.reason,
    cause: facts.summary,
    openedAt: relapse ? last.openedAt : now,
    activeAt: now,
    ...(root && { parentId: root.id }),
    ...(holdUntil !== undefined && root === undefined && { holdUntil }),
    paged: page,
    degraded,
    reopened: relapse ? last.reopened + 1 : 0,
    exhausted: false,
  };
  if (relapse) return { action: 'update', incident, event: 'reopened', ...(page && { alert: 'reopened' }) };
  return { action: 'insert', incident, event: 'opened', ...(page && { alert: 'opened' }) };
}

/** DEGRADED (or *unknown*) → DOWN raises the same incident; a root or a hold keeps it from paging, as at an opening. */
function worsened(open: Incident, facts: ChangeFacts): IncidentChange {
  // A probe that broke while it was down and now sees its target fail as before: nothing got worse.
  const same = !open.degraded;
  const held = facts.holdUntil !== undefined && !open.paged;
  const quiet = facts.quiet || facts.root !== undefined || held || (same && open.paged);
  const { parentId: _parent, holdUntil: _hold, ...rest } = open;
  const incident: Omit<Incident, 'id'> = {
    ...rest,
    severity: facts.probe.severity,
    reason: facts.reason,
    cause: facts.summary,
    degraded: false,
    exhausted: same && open.exhausted,
    ...(facts.root && { parentId: facts.root.id }),
    ...(!open.paged && facts.root === undefined && facts.holdUntil !== undefined && { holdUntil: facts.holdUntil }),
    paged: open.paged || !quiet,
  };
  return {
    action: 'update',
    incident,
    event: 'escalated',
    ...(!quiet && { alert: open.paged ? 'escalated' : 'opened' }),
  };
}

/** DOWN → DEGRADED keeps the incident open as a warning: only UP resolves. A held page has nothing left to wait for. */
function lowered(open: Incident, facts: ChangeFacts): IncidentChange {
  const { holdUntil: _hold, ...rest } = open;
  const page = !open.paged && open.parentId === undefined && !facts.quiet;
  const incident: Omit<Incident, 'id'> = {
    ...rest,
    severity: atMostWarning(facts.probe.severity),
    reason: facts.reason,
    cause: facts.summary,
    degraded: true,
    paged: open.paged || page,
    ...(facts.healedBy !== undefined && { healedBy: facts.healedBy }),
  };
  const alert: AlertKind | undefined = page ? 'opened' : open.paged && !facts.quiet ? 'progress' : undefined;
  return { action: 'update', incident, event: 'lowered', ...(alert && { alert }) };
}

function resolved(open: Incident, facts: ChangeFacts): IncidentChange {
  const { holdUntil: _hold, parentId: _parent, ...rest } = open;
  const incident: Omit<Incident, 'id'> = {
    ...rest,
    resolvedAt: facts.now,
    resolution: 'recovered',
    ...(facts.healedBy !== undefined && { healedBy: facts.healedBy }),
  };
  const alert = alertOfRecovery(open, facts.healedBy);
  return { action: 'update', incident, event: 'resolved', ...(alert && { alert }) };
}

/** Who was woken hears the end; a quiet success sends its one note; an unpaged blip sends nothing. */
function alertOfRecovery(open: Incident, healedBy: string | undefined): AlertKind | undefined {
  if (open.paged) return 'resolved';
  return healedBy === undefined ? undefined : 'healed_itself';
}
