/** What must hold after any number of kills. Pure: evidence in, findings out. */
import type { Notification } from '../../src/model.ts';
import type { SlackCall } from '../estate/fake-slack.ts';
import type { OracleLine } from '../estate/service.ts';
import type { Evidence } from './evidence.ts';
import { ENDS } from './ordeal.ts';

export interface Finding {
  readonly invariant: string;
  /** How many cases were looked at. */
  readonly checked: number;
  readonly violations: readonly string[];
}

export function judge(evidence: Evidence): readonly Finding[] {
  return [
    finding('the daemon never ended by itself', evidence.kills, evidence.mishaps),
    everyBreakIsAnIncident(evidence),
    everyIncidentIsToldAndOver(evidence),
    everyAlertArrived(evidence, 'bus', heardOnBus(evidence)),
    everyAlertArrived(evidence, 'oncall', heardOnSlack(evidence)),
    nothingElseWasSaid(evidence),
    orderIsKept(evidence, 'bus', heardOnBus(evidence)),
    orderIsKept(evidence, 'oncall', heardOnSlack(evidence)),
    fewDuplicates(evidence),
    noAttemptRanTwice(evidence),
    everyRunIsOnRecord(evidence),
    oneFixAtATime(evidence),
    everyAttemptIsOver(evidence),
    finding('no lock is left', evidence.attempts.length, evidence.locked),
    finding('no process is left', evidence.attempts.length, evidence.strays),
    finding('every service is well', evidence.oracles.size, evidence.ill),
    ...takeovers(evidence),
  ];
}

const TAKEOVER_MS = 5_000;

function takeovers({ takeoversMs }: Evidence): readonly Finding[] {
  if (takeoversMs.length === 0) return [];
  const late = takeoversMs.filter((ms) => ms > TAKEOVER_MS);
  return [
    finding(
      'who stands by takes over within 5 s',
      takeoversMs.length,
      late.map((ms) => `after ${ms} ms`),
    ),
  ];
}

function finding(invariant: string, checked: number, violations: readonly string[]): Finding {
  return { invariant, checked, violations };
}

const OPENINGS: ReadonlySet<string> = new Set(['opened', 'reopened', 'healed_itself']);

interface Heard {
  readonly eventId: string;
  readonly kind: string;
  readonly at: number;
  readonly subject?: string;
}

function heardOnBus({ bus }: Evidence): readonly Heard[] {
  return bus.map(({ body }) => ({
    ...{ eventId: body.event_id, kind: body.kind, at: Date.parse(body.at) },
    ...(body.incident && { subject: body.incident.subject }),
  }));
}

/** Messages and replies; updates of a message repeat what the reply says. */
function heardOnSlack({ slack }: Evidence): readonly Heard[] {
  return slack.filter(({ method }) => method === 'chat.postMessage').flatMap(heardInCall);
}

function heardInCall({ at, arguments: { metadata } }: SlackCall): readonly Heard[] {
  const payload = metadata?.event_payload;
  return payload ? [{ eventId: payload.event_id, kind: payload.kind, at }] : [];
}

/** A break of a service that was well is heard of, as an incident that the store has too. */
function everyBreakIsAnIncident({ breaks, bus, incidents }: Evidence): Finding {
  const counted = breaks.filter(({ eager }) => !eager);
  const known = new Set(incidents.map(({ id }) => id));
  const lost = counted.filter(({ service, at }) => {
    const next = counted.find((later) => later.service === service && later.at > at)?.at ?? Number.POSITIVE_INFINITY;
    return !bus.some(({ body: { kind, incident, at: told } }) => {
      const time = Date.parse(told);
      return incident?.subject === service && known.has(incident.id) && OPENINGS.has(kind) && at <= time && time < next;
    });
  });
  return finding(
    'no incident is lost',
    counted.length,
    lost.map((each) => JSON.stringify(each)),
  );
}

function everyIncidentIsToldAndOver({ incidents, notifications }: Evidence): Finding {
  const ofProbes = incidents.filter(({ source }) => source === 'probe');
  const violations = ofProbes.flatMap(({ id, subject, resolvedAt, paged }) => {
    const kinds = notifications.filter((row) => row.incidentId === id).map(({ alert }) => alert.kind);
    const opened = kinds.some((kind) => OPENINGS.has(kind));
    const last = kinds.findLast((kind) => ENDS.has(kind) || OPENINGS.has(kind));
    const wrong = [
      resolvedAt === undefined && 'is open',
      paged && !opened && 'was never told',
      opened && !(last !== undefined && ENDS.has(last)) && 'has an opening without an end',
    ].filter((each) => each !== false);
    return wrong.map((what) => `incident ${id} of ${subject} ${what}`);
  });
  return finding('every incident is told, and over', ofProbes.length, violations);
}

/** Every outbox row was sent, and its channel has it: by itself, or in the digest that carried it. */
function everyAlertArrived({ notifications }: Evidence, notifier: string, heard: readonly Heard[]): Finding {
  const arrived = new Set(heard.map(({ eventId }) => eventId));
  const byId = new Map(notifications.map((row) => [row.id, row]));
  const carrier = (row: Notification) => (row.carriedBy === undefined ? row : (byId.get(row.carriedBy) ?? row));
  const rows = notifications.filter((row) => row.notifier === notifier);
  const lost = rows.filter((row) => row.state !== 'sent' || !arrived.has(carrier(row).alert.eventId));
  return finding(`no alert to ${notifier} is lost`, rows.length, lost.map(nameOf));
}

function nothingElseWasSaid(evidence: Evidence): Finding {
  const known = new Set(evidence.notifications.map(({ alert }) => alert.eventId));
  const heard = [...heardOnBus(evidence), ...heardOnSlack(evidence)];
  const strange = heard.filter(({ eventId }) => !known.has(eventId));
  return finding(
    'nothing was said that is not on record',
    heard.length,
    strange.map((each) => JSON.stringify(each)),
  );
}

/** The alerts of an incident are first heard in the order in which they were written. */
function orderIsKept({ notifications }: Evidence, notifier: string, heard: readonly Heard[]): Finding {
  const first = new Map<string, number>();
  for (const [index, { eventId }] of heard.entries()) if (!first.has(eventId)) first.set(eventId, index);
  const alone = notifications.filter((row) => row.notifier === notifier && row.carriedBy === undefined);
  const lastHeard = new Map<number, number>();
  const late = alone.filter(({ incidentId = 0, alert }) => {
    const place = first.get(alert.eventId) ?? Number.POSITIVE_INFINITY;
    const before = lastHeard.get(incidentId) ?? -1;
    lastHeard.set(incidentId, Math.max(before, place));
    return alert.kind !== 'digest' && place < before;
  });
  return finding(`alerts to ${notifier} are in order`, alone.length, late.map(nameOf));
}

/** Each kill may repeat the one alert that each channel was just taking. */
function fewDuplicates(evidence: Evidence): Finding {
  const channels = { bus: heardOnBus(evidence), oncall: heardOnSlack(evidence) };
  const counts = Object.entries(channels).map(([name, heard]) => ({ name, count: duplicates(heard) }));
  const excess = counts.filter(({ count }) => count > evidence.kills).map(({ name, count }) => `${count} to ${name}`);
  return finding('a kill repeats at most one alert a channel', evidence.kills, excess);
}

/** A digest may take several messages. */
function duplicates(heard: readonly Heard[]): number {
  const single = heard.filter(({ kind }) => kind !== 'digest');
  return single.length - new Set(single.map(({ eventId }) => eventId)).size;
}

export function repeatedAlerts(evidence: Evidence): number {
  return duplicates(heardOnBus(evidence)) + duplicates(heardOnSlack(evidence));
}

function fixesOf({ oracles }: Evidence): readonly OracleLine[] {
  return [...oracles.values()].flat().filter(({ what }) => what === 'fix');
}

function noAttemptRanTwice(evidence: Evidence): Finding {
  const runs = fixesOf(evidence);
  const ids = runs.map(({ attempt }) => attempt);
  const twice = runs.filter(({ attempt }, index) => ids.indexOf(attempt) !== index);
  return finding(
    'no fix runs twice',
    runs.length,
    twice.map((line) => JSON.stringify(line)),
  );
}

/** Each run names an attempt that started, under the very process id that was stored before it was let go. */
function everyRunIsOnRecord(evidence: Evidence): Finding {
  const attempts = new Map(evidence.attempts.map((attempt) => [attempt.id, attempt]));
  const runs = fixesOf(evidence);
  const unknown = runs.filter(({ attempt, pid }) => {
    const row = attempt === undefined ? undefined : attempts.get(attempt);
    return row?.startedAt === undefined || row.child?.pid !== pid;
  });
  return finding(
    'every run is an attempt on record',
    runs.length,
    unknown.map((line) => JSON.stringify(line)),
  );
}

/** As the store says, and as the fixes themselves wrote it down. */
function oneFixAtATime({ attempts, oracles }: Evidence): Finding {
  const started = attempts.filter(({ startedAt }) => startedAt !== undefined);
  const overlapping = started.filter(({ id, resource, startedAt = 0 }) =>
    started.some(
      (earlier) => earlier.id < id && earlier.resource === resource && (earlier.endedAt ?? Infinity) > startedAt,
    ),
  );
  const met = [...oracles.values()].flatMap(meetings);
  return finding('one fix at a time on a resource', started.length, [
    ...overlapping.map(({ id }) => `attempt ${id}`),
    ...met.map((line) => JSON.stringify(line)),
  ]);
}

/** Runs that began between the beginning and the end of another. */
function meetings(lines: readonly OracleLine[]): readonly OracleLine[] {
  return lines.flatMap(({ what, pid }, start) => {
    const end = lines.findIndex((line, index) => index > start && line.what === 'fix_ended' && line.pid === pid);
    if (what !== 'fix' || end === -1) return [];
    return lines.slice(start + 1, end).filter((line) => line.what === 'fix');
  });
}

const OVER: ReadonlySet<string> = new Set(['healed', 'failed', 'unknown', 'refused']);

function everyAttemptIsOver({ attempts }: Evidence): Finding {
  const open = attempts.filter(({ state }) => !OVER.has(state));
  return finding(
    'no attempt is left open',
    attempts.length,
    open.map(({ id, state }) => `attempt ${id} is ${state}`),
  );
}

function nameOf({ id, notifier, alert, state, incidentId }: Notification): string {
  return `${notifier} ${id}: ${alert.kind} of incident ${incidentId} (${state})`;
}
