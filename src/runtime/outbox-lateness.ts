/**
 * A late alert says so: its text is a snapshot of its time, and whoever reads it must not take it for the present. Pure.
 */
import type { Alert, AlertKind, Incident } from '../model.ts';
import { formatDuration } from '../units.ts';

/** From this age on an alert is called delayed. */
const LATE_MS = 2 * 60_000;

const FIRING: ReadonlySet<AlertKind> = new Set(['opened', 'reopened', 'escalated', 'progress', 'reminder']);

/** True for alerts whose incident must be looked at before they go out. */
export function mayBeStale({ kind }: Alert): boolean {
  return FIRING.has(kind);
}

/** `incident` is its state now; absent when the alert cannot be stale. */
export function withLateness(alert: Alert, incident: Incident | undefined, now: number): Alert {
  const age = now - alert.at;
  const labels: string[] = [];
  if (age > LATE_MS) labels.push(`delayed, happened ${formatDuration(age)} ago`);
  const overAt = incident?.resolvedAt;
  if (overAt !== undefined && overAt >= alert.at) labels.push(`resolved since, ${formatDuration(now - overAt)} ago`);
  return labels.length === 0 ? alert : { ...alert, text: `${alert.text} (${labels.join('; ')})` };
}
