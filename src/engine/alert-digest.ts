/**
 * One alert in the place of many: what a burst becomes. Pure.
 */
import { type Alert, type AlertKind, SEVERITIES, type Severity } from '../model.ts';

export interface DigestFacts {
  readonly eventId: string;
  /** Oldest first, at least one, each of an incident; an incident that stands here twice is named once, by its last. */
  readonly alerts: readonly Alert[];
  readonly publicUrl: string;
}

type DigestEntry = NonNullable<Alert['digest']>[number];

const OVER: ReadonlySet<AlertKind> = new Set(['resolved', 'healed_itself', 'closed']);
const NAMES_IN_TEXT = 5;

/** Its time is that of the oldest alert, so that a late digest is labelled as late. */
export function composeDigest({ eventId, alerts, publicUrl }: DigestFacts): Alert {
  const latest = latestByIncident(alerts);
  const entries = [...latest].map(([incidentId, { title, kind }]) => ({ incidentId, title, kind }));
  const failing = [...latest.values()].filter(({ kind }) => !OVER.has(kind));
  return {
    eventId,
    kind: 'digest',
    at: Math.min(...alerts.map(({ at }) => at)),
    severity: highest(failing.map(({ severity }) => severity)),
    title: entries.length === 1 ? (entries[0]?.title ?? '') : `${entries.length} incidents at once`,
    text: summary(entries),
    facts: [],
    digest: entries,
    url: publicUrl,
  };
}

function latestByIncident(alerts: readonly Alert[]): ReadonlyMap<number, Alert> {
  const latest = new Map<number, Alert>();
  for (const alert of alerts) {
    if (alert.incident) latest.set(alert.incident.id, alert);
  }
  return latest;
}

/** `info` when nothing fails any more. */
function highest(severities: readonly Severity[]): Severity {
  return SEVERITIES.findLast((severity) => severities.includes(severity)) ?? 'info';
}

/** `12 failing: a, b, c, d, e and 7 more; 2 over: f, g`. */
function summary(entries: readonly DigestEntry[]): string {
  const failing = entries.filter(({ kind }) => !OVER.has(kind));
  const over = entries.filter(({ kind }) => OVER.has(kind));
  const parts = [failing.length > 0 && named('failing', failing), over.length > 0 && named('over', over)];
  return parts.filter((part) => part !== false).join('; ');
}

function named(what: string, entries: readonly DigestEntry[]): string {
  const names = entries.slice(0, NAMES_IN_TEXT).map(({ title }) => title);
  const more = entries.length - names.length;
  return `${entries.length} ${what}: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
