/** Which probes are made of the states of others: they are asked as soon as one of those changes. */
import type { Probe } from '../model.ts';
import type { ProbeTypes } from '../ports.ts';

export interface Groups {
  /** Follows these definitions from now on. */
  set(probes: Iterable<Probe>): void;
  /** The state of a probe has changed. */
  changed(probe: string): void;
}

export function createGroups(parts: { readonly probeTypes: ProbeTypes; wake(probe: string): void }): Groups {
  const { probeTypes, wake } = parts;
  let ofMember = new Map<string, string[]>();
  return {
    set(probes) {
      ofMember = new Map();
      for (const { name, type, spec, unset } of probes) {
        if (unset.length > 0) continue;
        for (const member of probeTypes[type]?.members?.of(spec) ?? []) {
          ofMember.set(member, [...(ofMember.get(member) ?? []), name]);
        }
      }
    },
    changed(probe) {
      for (const group of ofMember.get(probe) ?? []) wake(group);
    },
  };
}
