/** While the store is away nothing begins: what would be tried is refused by name, once in an outage. */
import { mayBeHealed } from './healable.ts';
import type { HealerOutcomes } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { NextFix } from './next-fix.ts';
import { storeAway } from './plan-facts.ts';
import type { Outage } from './store-watch.ts';

export interface HealerOutageParts {
  readonly desk: IncidentDesk;
  readonly nextFix: NextFix;
  readonly outcomes: HealerOutcomes;
  all(): Iterable<LiveProbe>;
}

/** Pages that are held are named in the message about the outage itself. */
export function createHealerOutage({ desk, nextFix, outcomes, all }: HealerOutageParts): (away: Outage) => void {
  let told: { readonly since: number; readonly probes: Set<string> } | undefined;

  return (away) => {
    if (told?.since !== away.since) told = { since: away.since, probes: new Set() };
    for (const probe of all()) {
      const { name } = probe.definition;
      if (probe.state.state !== 'down' || told.probes.has(name) || !mayBeHealed(probe, desk)) continue;
      told.probes.add(name);
      const fix = nextFix.first(probe);
      if (fix) outcomes.count(name, fix, storeAway(away));
    }
  };
}
