/**
 * What people read about an incident: the words of an alert. Pure; channels only lay it out.
 */
import type { Alert, AlertKind, Attempt, Incident, Probe } from '../model.ts';
import { formatDuration } from '../units.ts';

export interface AlertFacts {
  readonly eventId: string;
  readonly kind: AlertKind;
  readonly incident: Incident;
  readonly probe: Pick<Probe, 'name' | 'target' | 'group' | 'runbook'> | undefined;
  /** Attempts of this incident, oldest first. */
  readonly attempts: readonly Attempt[];
  /** Titles of other incidents that are still open. */
  readonly othersOpen: readonly string[];
  /** What just happened, where the kind alone does not say it. */
  readonly note?: string;
  /** What kept it back until now. */
  readonly afterWithheld?: Incident['withheldBy'];
  /** It opens and ends so often that people hear no more of it before then. */
  readonly quietUntil?: number;
  readonly now: number;
  readonly publicUrl: string;
}

export function composeAlert(facts: AlertFacts): Alert {
  const { incident, kind, now } = facts;
  return {
    eventId: facts.eventId,
    kind,
    at: now,
    severity: kind === 'healed_itself' ? 'info' : incident.severity,
    title: incident.title,
    text: `${headline(facts)}${quiet(facts)}`,
    facts: [...factsOf(facts)],
    incident,
    url: `${facts.publicUrl}/incidents/${incident.id}`,
  };
}

export interface TestAlertFacts {
  readonly eventId: string;
  readonly notifier: string;
  readonly facts: Alert['facts'];
  readonly now: number;
  readonly publicUrl: string;
}

/** A message that says nothing but that its channel works. */
export function composeTestAlert({ eventId, notifier, facts, now, publicUrl }: TestAlertFacts): Alert {
  return {
    eventId,
    kind: 'test',
    at: now,
    severity: 'info',
    title: 'Test message',
    text: `This is a test: what ${notifier} has to say arrives here. Nothing is wrong, and nothing is to be done.`,
    facts: [{ label: 'Notifier', value: notifier }, ...facts],
    url: publicUrl,
  };
}

/** One line that stands alone, as a phone shows it. */
function headline(facts: AlertFacts): string {
  const { kind, incident, note, now } = facts;
  const lasted = formatDuration((incident.resolvedAt ?? now) - incident.activeAt);
  if (incident.source === 'self')
    return kind === 'resolved' ? `${incident.title}: over after ${lasted}` : ownTrouble(facts);
  const state = `${stateOf(incident)}${silentFor(facts)}`;
  switch (kind) {
    case 'opened':
      return `${incident.title} is ${state}: ${incident.cause}`;
    case 'reopened':
      return `${incident.title} is ${stateOf(incident)} again${silentFor(facts)}: ${incident.cause}`;
    case 'escalated':
      // What healing gives up on is as it was; a note that comes with the end of a silence says nothing of its own.
      return note === undefined || facts.afterWithheld !== undefined
        ? `${incident.title} got worse and is ${state}: ${incident.cause}`
        : `${incident.title} is still ${state}: ${incident.cause}; ${note}`;
    case 'reminder':
      return `${incident.title} is still ${state} after ${lasted}: ${incident.cause}`;
    case 'resolved':
      return incident.resolution === 'by_hand'
        ? `${incident.title} was closed by hand after ${lasted}: ${note ?? 'resolved'}`
        : `${incident.title} is up again after ${lasted}${healer(incident)}`;
    case 'healed_itself':
      return `${incident.title} was ${state} for ${lasted} and healed itself${healer(incident)}`;
    case 'closed':
      return `${incident.title} is no longer watched: ${note ?? 'its definition was removed'}`;
    default:
      return note ?? `${incident.title}: ${incident.cause}`;
  }
}

function ownTrouble(facts: AlertFacts): string {
  const { kind, incident, note } = facts;
  return `${incident.title}${silentFor(facts)}: ${kind === 'progress' && note !== undefined ? note : incident.cause}`;
}

/** ` for 42m, silenced until now`. */
function silentFor({ afterWithheld, incident, now }: AlertFacts): string {
  if (afterWithheld === undefined) return '';
  const why = afterWithheld === 'silence' ? ', silenced until now' : ', after changing often';
  return ` for ${formatDuration(now - incident.activeAt)}${why}`;
}

function quiet({ quietUntil }: AlertFacts): string {
  if (quietUntil === undefined) return '';
  return ` (it changes often: how it goes on is told from ${new Date(quietUntil).toISOString().slice(11, 16)} UTC on)`;
}

/** `internal` is the reason of a probe that cannot tell: what its target does is not known. */
function stateOf({ degraded, reason }: Incident): string {
  if (!degraded) return 'down';
  return reason === 'internal' ? 'not known' : 'degraded';
}

function healer({ healedBy }: Incident): string {
  return healedBy === undefined ? '' : `, healed by ${healedBy}`;
}

function* factsOf({ kind, incident, probe, attempts, othersOpen, note }: AlertFacts) {
  yield { label: 'Reason', value: incident.reason };
  yield { label: 'Cause', value: incident.cause };
  if (probe) yield { label: 'Target', value: probe.target };
  yield { label: 'Since', value: new Date(incident.activeAt).toISOString() };
  const tried = attempts
    .filter(({ startedAt, refusal }) => startedAt !== undefined || refusal !== undefined)
    .map(describe);
  if (tried.length > 0) yield { label: 'Tried', value: tried.slice(-10).join('; ') };
  if (note !== undefined && (kind === 'opened' || kind === 'escalated')) yield { label: 'Note', value: note };
  if (incident.acknowledgedBy !== undefined) yield { label: 'Acknowledged by', value: incident.acknowledgedBy };
  if (probe?.runbook) yield { label: 'Runbook', value: probe.runbook };
  if (isOver(kind)) yield { label: 'Still open', value: othersOpen.slice(0, 10).join(', ') || 'nothing else' };
}

function isOver(kind: AlertKind): boolean {
  return kind === 'resolved' || kind === 'healed_itself' || kind === 'closed';
}

/** `restart-backend failed: exit code 1`. */
function describe({ remediation, state, refusal, error, exitCode }: Attempt): string {
  if (state === 'refused') return `${remediation} refused (${refusal})`;
  const why = error ?? (exitCode !== undefined && exitCode !== 0 ? `exit code ${exitCode}` : undefined);
  return why === undefined ? `${remediation} ${state}` : `${remediation} ${state}: ${why}`;
}
