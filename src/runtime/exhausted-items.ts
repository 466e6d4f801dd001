/** Which items failed when an incident's ladder was exhausted: one that fails later has not been tried. */
import type { Incident } from '../model.ts';
import { failingOf } from './items.ts';
import type { LiveProbe } from './live-probe.ts';

export interface ExhaustedItems {
  /** Nothing is left for what fails now. */
  note(incident: Incident, probe: LiveProbe): void;
  /** Another item fails than those for which nothing was left. After a restart every one is another. */
  hasNew(incident: Incident, probe: LiveProbe): boolean;
  forget(incidentId: number): void;
}

export function createExhaustedItems(): ExhaustedItems {
  const known = new Map<number, ReadonlySet<string>>();
  const namesOf = (probe: LiveProbe) => (failingOf(probe) ?? []).map(({ item }) => item);
  return {
    note: ({ id }, probe) => void known.set(id, new Set(namesOf(probe))),
    hasNew: ({ id }, probe) => namesOf(probe).some((item) => known.get(id)?.has(item) !== true),
    forget: (id) => void known.delete(id),
  };
}
