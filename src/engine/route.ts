/**
 * Who hears of an incident. Pure.
 */
import type { Incident, NotifierDefinition, Probe, Route, Severity } from '../model.ts';

export interface RouteFacts {
  readonly incident: Pick<Incident, 'source' | 'subject'>;
  /** Of the alert: a *healed itself* note is `info`, whatever the incident was. */
  readonly severity: Severity;
  /** Absent for incidents of our own. */
  readonly probe: Pick<Probe, 'name' | 'group' | 'labels' | 'notify'> | undefined;
}

export interface Recipient {
  readonly notifier: string;
  /** Remind after this long. Absent: no reminders. */
  readonly repeatMs?: number;
}

/** The notifiers that hear it, each once. Without routes every notifier hears everything. */
export function route(
  facts: RouteFacts,
  routes: readonly Route[],
  notifiers: ReadonlyMap<string, NotifierDefinition>,
): readonly Recipient[] {
  const named = facts.probe?.notify?.map((notifier) => ({ notifier })) ?? matched(facts, routes, notifiers);
  const recipients = new Map<string, Recipient>();
  for (const recipient of named) {
    const notifier = configured(recipient.notifier, notifiers);
    if (notifier !== undefined && !recipients.has(notifier)) recipients.set(notifier, { ...recipient, notifier });
  }
  return [...recipients.values()];
}

function matched(
  facts: RouteFacts,
  routes: readonly Route[],
  notifiers: ReadonlyMap<string, NotifierDefinition>,
): readonly Recipient[] {
  if (routes.length === 0) return [...notifiers.keys()].map((notifier) => ({ notifier }));
  const recipients: Recipient[] = [];
  for (const entry of routes) {
    if (!matches(facts, entry.match)) continue;
    recipients.push(
      ...entry.notify.map((notifier) => ({
        notifier,
        ...(entry.repeatMs !== undefined && { repeatMs: entry.repeatMs }),
      })),
    );
    if (!entry.continue) break;
  }
  return recipients;
}

function matches({ incident, severity, probe }: RouteFacts, match: Route['match']): boolean {
  return (
    includes(match.severity, severity) &&
    includes(match.source, incident.source) &&
    includes(match.probe, probe?.name) &&
    includes(match.group, probe?.group) &&
    Object.entries(match.labels ?? {}).every(([name, value]) => probe?.labels[name] === value)
  );
}

function includes<T>(allowed: readonly T[] | undefined, value: T | undefined): boolean {
  return allowed === undefined || (value !== undefined && allowed.includes(value));
}

/** An unconfigured notifier is passed over for its fallback, so that its alerts are not lost on a missing variable. */
function configured(name: string, notifiers: ReadonlyMap<string, NotifierDefinition>): string | undefined {
  const seen = new Set<string>();
  for (
    let next: string | undefined = name;
    next !== undefined && !seen.has(next);
    next = notifiers.get(next)?.fallback
  ) {
    seen.add(next);
    if (notifiers.get(next)?.unset.length === 0) return next;
  }
  return undefined;
}
