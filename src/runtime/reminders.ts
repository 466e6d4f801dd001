/**
 * Reminds of incidents that stay open: per notifier, as its route says. What was last sent is read from the outbox, so a
 * restart neither repeats nor forgets a reminder.
 */
import { route } from '../engine/route.ts';
import type { Configuration, Incident, Silence } from '../model.ts';
import type { Clock, Log, Store } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createRecurring } from './recurring.ts';

export interface RemindersParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly desk: IncidentDesk;
  configuration(): Configuration;
  /** The silence that keeps an incident from people now. */
  silenceOf(incident: Incident): Silence | undefined;
  /** While it is away nobody is reminded: what was sent last is in it. */
  storeUp(): boolean;
}

const LOOK_MS = 5_000;
const ROWS = 500;

export function startReminders(parts: RemindersParts): { stop(): Promise<void> } {
  const { store, clock, log, desk, configuration, silenceOf, storeUp } = parts;
  const recurring = createRecurring(log);
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).then(recurring.over, (error: unknown) => recurring.failed('reminders_failed', error));
  }, LOOK_MS);
  timer.unref();

  async function look(): Promise<void> {
    if (!storeUp()) return;
    for (const incident of desk.open()) {
      const due = await dueAt(incident);
      if (due.size > 0) await desk.remind(incident.id, due);
    }
  }

  async function dueAt(incident: Incident): Promise<ReadonlySet<string>> {
    if (!incident.paged || incident.parentId !== undefined || incident.acknowledgedAt !== undefined) return new Set();
    if (incident.withheld !== undefined || silenceOf(incident) !== undefined) return new Set();
    const { probes, routes, notifiers } = configuration();
    const probe = incident.source === 'probe' ? probes.get(incident.subject) : undefined;
    const recipients = route({ incident, severity: incident.severity, probe }, routes, notifiers);
    const repeating = recipients.flatMap(({ notifier, repeatMs }) =>
      repeatMs === undefined ? [] : [{ notifier, repeatMs }],
    );
    if (repeating.length === 0) return new Set();
    const now = clock.now();
    const rows = await store.notifications({ incidentId: incident.id, limit: ROWS });
    const last = (notifier: string) => rows.find((row) => row.notifier === notifier)?.createdAt ?? incident.activeAt;
    return new Set(
      repeating.filter(({ notifier, repeatMs }) => now - last(notifier) >= repeatMs).map(({ notifier }) => notifier),
    );
  }

  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
