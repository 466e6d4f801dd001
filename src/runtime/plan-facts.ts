/**
 * Gathers, from memory and the store, every fact that a plan is made of.
 */
import { plan } from '../engine/plan.ts';
import { RetryableError } from '../errors.ts';
import type { Configuration, FailingItem, Incident, Intervention, Plan, Remediation, Resource } from '../model.ts';
import type { AttemptFilter, Clock, Registries, StoreQueries } from '../ports.ts';
import type { Dependencies } from './dependencies.ts';
import { failingOf, itemNow, lockOf, observedBy } from './items.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Outage } from './store-watch.ts';
import type { Switches } from './switches.ts';
import type { Blindness } from './vantage.ts';

export interface PlannerParts {
  readonly clock: Clock;
  readonly registries: Registries;
  readonly switches: Switches;
  readonly dependencies: Dependencies;
  configuration(): Configuration;
  /** The store is away, or not all is written that was kept: nothing may begin. */
  outage(): Outage | undefined;
  /** Read when it is asked for: the vantage probes are run by what is made later. */
  blindness(): Blindness | undefined;
  /** Monotonic ms: verdicts from before it are not acted on (start, or the end of the latest pause). */
  freshAfter(): number;
}

export interface Question {
  readonly remediation: Remediation;
  readonly live: LiveProbe;
  readonly incident: Incident | undefined;
  readonly byHand: boolean;
  /** Of a probe of several items: the one to act on. Absent: the first that fails. */
  readonly item?: FailingItem | undefined;
  /** A person's hand on the target that the probe itself does not see. */
  readonly hand?: Intervention | undefined;
  /** The store is back, and what was kept is being written: may it run when that is done? */
  readonly onceBack?: boolean;
}

export type No = Extract<Plan, { readonly go: false }>;

/** What cannot be put on record is not done. */
export function storeAway(why: Pick<Outage, 'error'> | RetryableError): No {
  const detail = why instanceof RetryableError ? why.message : `the store is away: ${why.error}`;
  return { go: false, refusal: 'store_away', detail };
}

export interface Planned {
  readonly plan: Plan;
  /** The lock; undefined when the target does not resolve. */
  readonly resource: string | undefined;
  /** What is locked besides. */
  readonly alsoLocks: readonly string[];
  readonly observed: Resource | undefined;
}

export type Planner = (queries: StoreQueries, question: Question) => Promise<Planned>;

/** How far back attempts are read for the cooldown, and to recognise acts of our own. */
const RECENT = 100;
/** An engine's clock and ours may differ by this much when an act of ours is recognised. */
const OWN_ACT_SLACK_MS = 5_000;

export function createPlanner({
  clock,
  registries,
  switches,
  dependencies,
  configuration,
  outage,
  blindness,
  freshAfter,
}: PlannerParts): Planner {
  function targetOf({ remediation, live, item }: Question): Omit<Planned, 'plan'> {
    const { name, spec, type } = remediation;
    const observed = observedBy(live, registries, item);
    const resource = lockOf(remediation, observed, registries);
    // A lock that is written replaces all that would be derived.
    if (resource === undefined || remediation.resource !== undefined) return { resource, alsoLocks: [], observed };
    const alsoLocks = registries.actionTypes[type]?.alsoLocks?.(spec, name, observed) ?? [];
    return { resource, alsoLocks, observed };
  }

  /** Fixes that act on it besides what they are counted under. */
  function alsoActingOn(resource: string, observed: Resource | undefined): readonly string[] {
    const touches = ({ name, type, spec, unset }: Remediation) =>
      unset.length === 0 && registries.actionTypes[type]?.alsoLocks?.(spec, name, observed).includes(resource);
    return [...configuration().remediations.values()].filter(touches).map(({ name }) => name);
  }

  /** Newest first for each fix that may have acted on it. */
  async function actsOn(queries: StoreQueries, resource: string, observed: Resource | undefined) {
    const acts = [...(await queries.attempts({ resource, started: true, limit: RECENT }))];
    for (const remediation of alsoActingOn(resource, observed)) {
      acts.push(...(await queries.attempts({ remediation, started: true, limit: RECENT })));
    }
    return acts;
  }

  /** A stop that an act of ours caused is not a person's. */
  async function interventionOf(
    queries: StoreQueries,
    { live, item, hand }: Question,
    { resource, observed }: Omit<Planned, 'plan'>,
  ): Promise<Intervention | undefined> {
    const own = failingOf(live) ? itemNow(live, item)?.intervention : live.last?.observation.intervention;
    const seen = own ?? hand;
    if (!seen || resource === undefined) return seen;
    const ours = (await actsOn(queries, resource, observed)).some(
      ({ startedAt = 0, actedAt, endedAt }) =>
        startedAt - OWN_ACT_SLACK_MS <= seen.at && seen.at <= (actedAt ?? endedAt ?? clock.now()) + OWN_ACT_SLACK_MS,
    );
    return ours ? undefined : seen;
  }

  return async function planNow(queries, question) {
    const { remediation, live, incident, byHand, onceBack = false } = question;
    const { healing } = configuration().settings;
    const target = targetOf(question);
    const { resource } = target;
    const away = onceBack ? undefined : outage();
    if (away) return { plan: storeAway(away), ...target };
    const now = clock.now();
    const [frozen, intervention] = [await switches.frozen(), await interventionOf(queries, question, target)];
    const onTarget = { remediation: remediation.name, ...(resource !== undefined && { resource }), started: true };
    const facts = {
      ...{ remediation, healing, incident, byHand, resource, intervention, frozen, now },
      state: live.state.state,
      blind: blindness(),
      newest: live.last?.verdict.kind,
      judgedSinceStart: live.judgedAt !== undefined && live.judgedAt > freshAfter(),
      disarmed: switches.disarmed().find((entry) => entry.remediation === remediation.name),
      dependencyDown: dependencies.downRoot(live.definition)?.definition.name,
      recent: await queries.attempts({ ...onTarget, limit: RECENT }),
      startedInLimit: await countInLimit(queries, remediation, onTarget, now),
      startedInBudget: await queries.countAttempts({ started: true, since: now - healing.budget.windowMs }),
    };
    return { plan: plan(facts), ...target };
  };
}

/** Arming it again is a new beginning: what ran before does not count against the limit any more. */
async function countInLimit(
  queries: StoreQueries,
  { name, limit }: Remediation,
  onTarget: Omit<AttemptFilter, 'limit'>,
  now: number,
): Promise<number> {
  const since = now - limit.windowMs;
  const count = await queries.countAttempts({ ...onTarget, since });
  const armed = count < limit.count ? undefined : await queries.lastAudit('arm', name);
  return armed && armed.at > since ? queries.countAttempts({ ...onTarget, since: armed.at }) : count;
}
