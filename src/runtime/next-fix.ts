/**
 * Which fix a probe would get next, and until when its page may be held for it.
 */
import { chooseLadder, nextRung } from '../engine/ladder.ts';
import type { Attempt, Configuration, FailingItem, Incident, Ladder, Remediation } from '../model.ts';
import type { Clock, Registries, Store } from '../ports.ts';
import { isBrief } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { failingOf, lockOf } from './items.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Planner } from './plan-facts.ts';
import { newestBindings, windowReader } from './samples.ts';

export interface Fix {
  readonly remediation: Remediation;
  /** Of a probe of several items: the one that it is for. */
  readonly item?: FailingItem;
}

export interface NextFix {
  /**
   * One fix, or of a probe of several items one for each that fails and has one left, no two on the same thing. Empty: the
   * ladder is exhausted. undefined: no ladder speaks of what was observed.
   */
  of(probe: LiveProbe, incident: Incident | undefined): Promise<readonly Fix[] | undefined>;
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
  readonly registries: Registries;
  configuration(): Configuration;
}

/** More attempts than any incident has. */
const ALL_ATTEMPTS = 1_000;

export function createNextFix({ store, clock, desk, planner, registries, configuration }: NextFixParts): NextFix {
  function ladderOf(probe: LiveProbe): Ladder | undefined {
    const bindings = newestBindings(probe);
    return bindings && chooseLadder(probe.definition.remediate, bindings, windowReader(probe, clock.now()));
  }

  async function of(probe: LiveProbe, incident: Incident | undefined): Promise<readonly Fix[] | undefined> {
    const ladder = ladderOf(probe);
    if (!ladder) return undefined;
    const tried = incident ? await store.attempts({ incidentId: incident.id, limit: ALL_ATTEMPTS }) : [];
    const items = failingOf(probe) ?? [];
    if (items.length === 0) return fixes(ladder, tried);
    const locks = new Set<string>();
    return items
      .flatMap((item) => fixes(ladder, tried, item))
      .filter(({ remediation, item }) => {
        const lock = `${remediation.name} ${lockOf(remediation, item?.resource, registries)}`;
        return !locks.has(lock) && locks.add(lock);
      });
  }

  /** One, or none when the ladder is exhausted. What was done to another item does not count. */
  function fixes(ladder: Ladder, tried: readonly Attempt[], item?: FailingItem): readonly Fix[] {
    const { remediations, settings } = configuration();
    const concerns = ({ remediation, resource }: Attempt) => {
      const definition = item && resource !== '' ? remediations.get(remediation) : undefined;
      return definition === undefined || lockOf(definition, item?.resource, registries) === resource;
    };
    const name = nextRung(ladder, tried.filter(concerns), remediations, settings.healing.mode);
    const remediation = name === undefined ? undefined : remediations.get(name);
    return remediation ? [{ remediation, ...(item && { item }) }] : [];
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
      const [fix] = (await of(probe, await incidentOf(probe.definition))) ?? [];
      if (fix === undefined) return undefined;
      // The state is about to be DOWN: that is what the plan is asked about.
      const live: LiveProbe = { ...probe, state: { ...probe.state, state: 'down' } };
      const { plan } = await planner(store, { ...fix, live, incident: undefined, byHand: false, onceBack });
      const until = clock.now() + pageAfterMs;
      return plan.go || isBrief(plan, until) ? until : undefined;
    },
  };
}
