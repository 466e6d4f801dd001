/**
 * Which fix a probe would get next, and until when its page may be held for it.
 */
import { chooseLadder, nextRung } from '../engine/ladder.ts';
import type { Configuration, Incident, Ladder, Remediation } from '../model.ts';
import type { Clock, Store } from '../ports.ts';
import { isBrief } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Planner } from './plan-facts.ts';
import { newestBindings, windowReader } from './samples.ts';

export interface NextFix {
  /** A remediation; `exhausted`; or undefined, because no ladder speaks of what was observed. */
  of(probe: LiveProbe, incident: Incident | undefined): Promise<Remediation | 'exhausted' | undefined>;
  /** The first of its ladder, whatever was tried: answered from memory. */
  first(probe: LiveProbe): Remediation | undefined;
  /** For a probe that is going DOWN, or went DOWN while the store was away (`onceBack`); undefined: page now. */
  holdUntil(probe: LiveProbe, onceBack?: boolean): Promise<number | undefined>;
}

export interface NextFixParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  configuration(): Configuration;
}

/** More attempts than any incident has. */
const ALL_ATTEMPTS = 1_000;

export function createNextFix({ store, clock, desk, planner, configuration }: NextFixParts): NextFix {
  function ladderOf(probe: LiveProbe): Ladder | undefined {
    const bindings = newestBindings(probe);
    return bindings && chooseLadder(probe.definition.remediate, bindings, windowReader(probe, clock.now()));
  }

  async function of(probe: LiveProbe, incident: Incident | undefined): Promise<Remediation | 'exhausted' | undefined> {
    const ladder = ladderOf(probe);
    if (!ladder) return undefined;
    const tried = incident ? await store.attempts({ incidentId: incident.id, limit: ALL_ATTEMPTS }) : [];
    const { remediations, settings } = configuration();
    const name = nextRung(ladder, tried, remediations, settings.healing.mode);
    return name === undefined ? 'exhausted' : remediations.get(name);
  }

  /** The incident that a DOWN would raise or reopen: what was tried in it counts. */
  async function incidentOf({ name, relapseMs }: LiveProbe['definition']): Promise<Incident | undefined> {
    const open = desk.ofProbe(name);
    if (open) return open;
    const last = await store.lastIncident('probe', name);
    return last?.resolvedAt !== undefined && clock.now() - last.resolvedAt <= relapseMs ? last : undefined;
  }

  return {
    of,
    first(probe) {
      const [rung] = ladderOf(probe)?.rungs ?? [];
      return rung && configuration().remediations.get(rung.remediation);
    },
    async holdUntil(probe, onceBack = false) {
      const { pageAfterMs, remediate } = probe.definition;
      if (pageAfterMs === 0 || remediate.length === 0) return undefined;
      const fix = await of(probe, await incidentOf(probe.definition));
      if (fix === undefined || fix === 'exhausted') return undefined;
      // The state is about to be DOWN: that is what the plan is asked about.
      const live: LiveProbe = { ...probe, state: { ...probe.state, state: 'down' } };
      const { plan } = await planner(store, { remediation: fix, live, incident: undefined, byHand: false, onceBack });
      const until = clock.now() + pageAfterMs;
      return plan.go || isBrief(plan, until) ? until : undefined;
    },
  };
}
