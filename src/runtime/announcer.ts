/**
 * Turns what happened to an incident into outbox rows, within the transaction of the change itself: what is committed
 * is announced, and what is announced was committed.
 */
import { randomUUID } from 'node:crypto';
import { composeAlert } from '../engine/alert.ts';
import { route } from '../engine/route.ts';
import type { Alert, AlertKind, Configuration, Incident } from '../model.ts';
import type { Clock, StoreQueries } from '../ports.ts';

export interface Announcement {
  readonly kind: AlertKind;
  readonly incident: Incident;
  readonly note?: string;
  /** Only these notifiers, as a reminder that is due at one of them. Absent: all that the routes name. */
  readonly only?: ReadonlySet<string>;
}

export type Announcer = (queries: StoreQueries, announcement: Announcement) => Promise<void>;

export interface AnnouncerParts {
  readonly clock: Clock;
  configuration(): Configuration;
  openIncidents(): readonly Incident[];
  /** Targets and notes may hold secrets; what is told and kept does not. */
  redact(text: string): string;
}

/** Who heard of an incident hears how it goes on, though its severity or its definition would be routed elsewhere now. */
const FOLLOW_UPS: ReadonlySet<AlertKind> = new Set(['progress', 'resolved', 'closed']);
/** More alerts than any incident sends. */
const ALL_ALERTS = 1_000;

async function whoHeard(
  queries: StoreQueries,
  { id, activeAt }: Incident,
  notifiers: Configuration['notifiers'],
): Promise<readonly string[]> {
  const rows = await queries.notifications({ incidentId: id, limit: ALL_ALERTS });
  // Copies for a fallback follow their originals.
  const heard = rows.filter(({ createdAt, fallbackFor }) => createdAt >= activeAt && fallbackFor === undefined);
  return [...new Set(heard.map(({ notifier }) => notifier))].filter((name) => notifiers.get(name)?.unset.length === 0);
}

export function createAnnouncer({ clock, configuration, openIncidents, redact }: AnnouncerParts): Announcer {
  return async function announce(queries, { kind, incident, note, only }) {
    const { probes, routes, notifiers, settings } = configuration();
    const probe = incident.source === 'probe' ? probes.get(incident.subject) : undefined;
    const now = clock.now();
    const composed = composeAlert({
      eventId: randomUUID(),
      kind,
      incident,
      probe,
      attempts: [...(await queries.attempts({ incidentId: incident.id, limit: 50 }))].reverse(),
      othersOpen: openIncidents()
        .filter(({ id }) => id !== incident.id)
        .map(({ title }) => title),
      ...(note !== undefined && { note }),
      now,
      publicUrl: settings.http.publicUrl,
    });
    const facts = composed.facts.map(({ label, value }) => ({ label, value: redact(value) }));
    const alert: Alert = { ...composed, text: redact(composed.text), facts };
    const routed = route({ incident, severity: alert.severity, probe }, routes, notifiers).map(
      ({ notifier }) => notifier,
    );
    const told = FOLLOW_UPS.has(kind) ? await whoHeard(queries, incident, notifiers) : [];
    for (const notifier of told.length > 0 ? told : routed) {
      if (only && !only.has(notifier)) continue;
      await queries.insertNotification({
        notifier,
        incidentId: incident.id,
        alert,
        state: 'pending',
        createdAt: now,
        dueAt: now,
        tries: 0,
      });
    }
  };
}
