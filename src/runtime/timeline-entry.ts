/** A line of an incident's story, before it has a number. */
import type { Incident, TimelineEntry } from '../model.ts';

export function timelineEntry(
  incident: Incident,
  at: number,
  kind: string,
  text: string,
  actor = 'brainstem',
): Omit<TimelineEntry, 'id'> {
  return { incidentId: incident.id, at, kind, text, actor };
}
