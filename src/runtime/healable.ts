/** Whether healing has anything to do with a probe, or with an incident, before any fix is asked for. */
import type { Incident } from '../model.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { isActive, type LiveProbe } from './live-probe.ts';

export function mayBeHealed({ definition }: LiveProbe, desk: IncidentDesk): boolean {
  return isActive(definition) && definition.remediate.length > 0 && desk.ofProbe(definition.name)?.exhausted !== true;
}

/** `probe`: what the incident is about, as it is now. */
export function isHealable(incident: Incident, probe: LiveProbe | undefined, desk: IncidentDesk): boolean {
  const { degraded, parentId, exhausted } = incident;
  if (degraded || parentId !== undefined || exhausted || !probe?.last) return false;
  return mayBeHealed(probe, desk) && probe.state.state === 'down';
}
