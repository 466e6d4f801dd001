/**
 * Turns what happened to an incident into outbox rows, within the transaction of the change itself: what is committed
 * is announced, and what is announced was committed.
 */
import { randomUUID } from 'node:crypto';
import { composeAlert } from '../engine/alert.ts';
import { CHANGES, MAY_WAIT, owedAfter, type Told } from '../engine/flap.ts';
import { route } from '../engine/route.ts';
import type { Alert, AlertKind, Configuration, Incident, NotifierDefinition, Probe, Silence } from '../model.ts';
import type { Clock, StoreQueries } from '../ports.ts';
import { fallbackOf } from './alerter-fallback.ts';
import type { Flapping } from './flapping.ts';
import { copyTo } from './outbox-commit.ts';
import { timelineEntry } from './timeline-entry.ts';

export interface Announcement {
  readonly kind: AlertKind;
  readonly incident: Incident;
  readonly note?: string;
  /** Only these notifiers, as a reminder that is due at one of them. Absent: all that the routes name. */
  readonly only?: ReadonlySet<string>;
  /** What kept this back is over. */
  readonly afterWithheld?: Incident['withheldBy'];
}

/** Returns the incident as it is then: the alert may have been kept back, and that is stored with it. */
export type Announcer = (queries: StoreQueries, announcement: Announcement) => Promise<Incident>;

export interface AnnouncerParts {
  readonly clock: Clock;
  configuration(): Configuration;
  openIncidents(): readonly Incident[];
  readonly flapping: Flapping;
  /** The silence that keeps an incident from people now. */
  silenceOf(incident: Incident): Silence | undefined;
  /** Targets and notes may hold secrets; what is told and kept does not. */
  redact(text: string): string;
}

/** Who heard of an incident hears how it goes on, though its severity or its definition would be routed elsewhere now. */
const FOLLOW_UPS: ReadonlySet<AlertKind> = new Set(['progress', 'resolved', 'closed']);
/** What a silence keeps back. That an incident is over is told to whoever heard of it, silence or not. */
const KEPT_BACK: ReadonlySet<AlertKind> = new Set([
  'opened',
  'reopened',
  'escalated',
  'progress',
  'reminder',
  'healed_itself',
]);
/** What people are owed when the silence ends; the rest is no news any more by then. */
const OWED: ReadonlySet<AlertKind> = new Set(['opened', 'reopened', 'escalated']);
/** What is no news for whoever did not hear that it began. */
const ENDS: ReadonlySet<AlertKind> = new Set(['resolved', 'closed']);
/** More alerts than any incident sends. */
const ALL_ALERTS = 1_000;

interface Audience {
  /** Who heard of the incident, or will when they can: also notifiers that are unconfigured now, whose alerts wait. */
  readonly notifiers: readonly string[];
  /** One of these, or its fallback, takes alerts. */
  readonly isReached: boolean;
  /** People believe that it is open, whoever told them and whether that is still there or not. */
  readonly isBelieved: boolean;
}

async function audienceOf(
  queries: StoreQueries,
  { id, activeAt }: Incident,
  configuration: Configuration,
): Promise<Audience> {
  const rows = await queries.notifications({ incidentId: id, limit: ALL_ALERTS });
  // Copies for a fallback follow their originals.
  const own = rows.filter(({ createdAt, fallbackFor }) => createdAt >= activeAt && fallbackFor === undefined);
  const defined = [...new Set(own.map(({ notifier }) => notifier))].flatMap(
    (name) => configuration.notifiers.get(name) ?? [],
  );
  const isReached = (each: NotifierDefinition | undefined) =>
    each !== undefined && (each.unset.length === 0 || fallbackOf(each, configuration) !== undefined);
  // What flaps was perhaps told before it was last opened, and not since.
  const told = rows.filter(
    ({ state, notifier }) => state === 'sent' || isReached(configuration.notifiers.get(notifier)),
  );
  const newest = told.find(({ alert }) => CHANGES.has(alert.kind));
  return {
    notifiers: defined.map(({ name }) => name),
    isReached: defined.some(isReached),
    isBelieved: newest !== undefined && newest.alert.kind !== 'resolved',
  };
}

/** What an unconfigured notifier still owes of the incident comes before what its fallback is told now. */
async function handOverFirst(
  queries: StoreQueries,
  incidentId: number,
  recipients: readonly string[],
  configuration: Configuration,
  now: number,
): Promise<void> {
  const unconfigured = [...configuration.notifiers.values()].filter(({ unset }) => unset.length > 0);
  const fallbacks = new Map(unconfigured.map((each) => [each.name, fallbackOf(each, configuration)]));
  if (![...fallbacks.values()].some((fallback) => fallback !== undefined && recipients.includes(fallback))) return;
  const rows = await queries.notifications({ incidentId, limit: ALL_ALERTS });
  for (const row of rows.toReversed()) {
    const fallback = fallbacks.get(row.notifier);
    if (row.state !== 'pending' || row.carriedBy !== undefined || fallback === undefined) continue;
    if (recipients.includes(fallback)) await copyTo(queries, row, fallback, now);
  }
}

/** The first alert that is owed stands for all that follow: it is told with what is so by then. */
async function withhold(
  queries: StoreQueries,
  { incident, kind }: Announcement,
  silence: Silence | undefined,
  now: number,
): Promise<Incident> {
  if (incident.withheld !== undefined || silence === undefined || !OWED.has(kind)) return incident;
  const withheld: Incident = { ...incident, withheld: kind, withheldBy: 'silence' };
  const until = new Date(silence.endsAt).toISOString();
  const text = `silence ${silence.id} of ${silence.author} keeps this from people until ${until}: ${silence.comment}`;
  await queries.updateIncident(withheld);
  await queries.addTimeline(timelineEntry(withheld, now, 'silenced', text));
  return withheld;
}

/** Not told, because enough was told of late; what people do not know by then they are owed. */
async function dampen(
  queries: StoreQueries,
  { incident, kind }: Announcement,
  told: readonly Told[],
): Promise<Incident> {
  const { withheld: _before, withheldBy: _by, ...rest } = incident;
  const owed = owedAfter(kind, told);
  const dampened: Incident = owed === undefined ? rest : { ...rest, withheld: owed, withheldBy: 'flapping' };
  await queries.updateIncident(dampened);
  return dampened;
}

export function createAnnouncer(parts: AnnouncerParts): Announcer {
  const { clock, configuration, openIncidents, flapping, silenceOf, redact } = parts;

  function probeOf({ source, subject }: Incident): Probe | undefined {
    return source === 'probe' ? configuration().probes.get(subject) : undefined;
  }

  async function compose(
    queries: StoreQueries,
    announcement: Announcement & { readonly quietUntil?: number },
    now: number,
  ): Promise<Alert> {
    const { incident } = announcement;
    const composed = composeAlert({
      ...announcement,
      eventId: randomUUID(),
      probe: probeOf(incident),
      attempts: [...(await queries.attempts({ incidentId: incident.id, limit: 50 }))].reverse(),
      othersOpen: openIncidents()
        .filter(({ id }) => id !== incident.id)
        .map(({ title }) => title),
      now,
      publicUrl: configuration().settings.http.publicUrl,
    });
    const facts = composed.facts.map(({ label, value }) => ({ label, value: redact(value) }));
    return { ...composed, text: redact(composed.text), facts };
  }

  async function recipients(
    queries: StoreQueries,
    { kind, incident, only }: Announcement,
    severity: Alert['severity'],
  ): Promise<readonly string[]> {
    const { routes, notifiers } = configuration();
    const routed = route({ incident, severity, probe: probeOf(incident) }, routes, notifiers)
      .map(({ notifier }) => notifier)
      .filter((notifier) => only === undefined || only.has(notifier));
    if (!FOLLOW_UPS.has(kind)) return routed;
    const audience = await audienceOf(queries, incident, configuration());
    // Of what was kept back nobody heard, and nobody is told how it goes on.
    if (audience.isReached || incident.withheld !== undefined) return audience.notifiers;
    // It began untold, or in a queue that nobody empties: only there it may end.
    if (ENDS.has(kind) && !audience.isBelieved) return audience.notifiers;
    return [...new Set([...audience.notifiers, ...routed])];
  }

  /** People believe that it is over, because it flaps; that it is worse than they ever heard may not wait. */
  async function gotWorse(queries: StoreQueries, { incident, ...rest }: Announcement): Promise<Announcement> {
    const { withheld: _owed, withheldBy: _by, ...open } = incident;
    await queries.updateIncident(open);
    return { ...rest, kind: 'reopened', incident: open };
  }

  return async function announce(queries, given) {
    const urgent =
      given.kind === 'escalated' && given.incident.withheldBy === 'flapping' && silenceOf(given.incident) === undefined;
    const announcement = urgent ? await gotWorse(queries, given) : given;
    const { kind, incident } = announcement;
    const now = clock.now();
    const silence = KEPT_BACK.has(kind) ? silenceOf(incident) : undefined;
    // What was kept back once is told by whoever sees the silence end, and not in pieces before.
    if (silence || (KEPT_BACK.has(kind) && incident.withheld !== undefined))
      return withhold(queries, announcement, silence, now);
    const told = CHANGES.has(kind) ? await flapping.told(queries, incident.id) : [];
    if (!urgent && MAY_WAIT.has(kind) && flapping.until(told) !== undefined) return dampen(queries, announcement, told);
    const quietUntil = CHANGES.has(kind) ? flapping.until([{ kind, at: now }, ...told]) : undefined;
    const alert = await compose(queries, { ...announcement, ...(quietUntil !== undefined && { quietUntil }) }, now);
    const hearers = await recipients(queries, announcement, alert.severity);
    await handOverFirst(queries, incident.id, hearers, configuration(), now);
    for (const notifier of hearers) {
      await queries.insertNotification({
        ...{ notifier, incidentId: incident.id, alert, state: 'pending', createdAt: now, dueAt: now, tries: 0 },
      });
    }
    return incident;
  };
}
