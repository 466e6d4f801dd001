/**
 * Turns what happened to an incident into outbox rows, within the transaction of the change itself: what is committed
 * is announced, and what is announced was committed.
 */
import { randomUUID } from 'node:crypto';
import { composeAlert } from '../engine/alert.ts';
import { route } from '../engine/route.ts';
import type { AlertKind, Configuration, Incident } from '../model.ts';
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
}

export function createAnnouncer({ clock, configuration, openIncidents }: AnnouncerParts): Announcer {
  return async function announce(queries, { kind, incident, note, only }) {
    const { probes, routes, notifiers, settings } = configuration();
    const probe = incident.source === 'probe' ? probes.get(incident.subject) : undefined;
    const now = clock.now();
    const alert = composeAlert({
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
    for (const { notifier } of route({ incident, severity: alert.severity, probe }, routes, notifiers)) {
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
