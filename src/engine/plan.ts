/**
 * May this remediation run now? Yes, or a named no. Pure: every fact is handed in, read from the store just before.
 */
import type {
  Attempt,
  HealingMode,
  HealingSettings,
  Incident,
  Intervention,
  Plan,
  Refusal,
  Remediation,
  StateName,
  VerdictKind,
} from '../model.ts';
import { HEALING_MODES } from '../model.ts';
import { notSet } from '../words.ts';

export interface PlanFacts {
  readonly remediation: Remediation;
  readonly healing: HealingSettings;
  /** undefined for a fix by hand on a probe without an incident. */
  readonly incident: Incident | undefined;
  readonly state: StateName;
  /** What the newest run said; a probe that has just passed is recovering by itself. */
  readonly newest: VerdictKind | undefined;
  /** The probe was judged since this process started, resumed or was last in doubt. */
  readonly judgedSinceStart: boolean;
  /** Asked for by a person: the gates that only protect against ourselves are open. */
  readonly byHand: boolean;
  readonly frozen: { readonly by: string; readonly why: string } | undefined;
  /** No vantage probe answers: what we see over the network is about us. */
  readonly blind: { readonly why: string } | undefined;
  readonly disarmed: { readonly why: string } | undefined;
  readonly dependencyDown: string | undefined;
  readonly intervention: Intervention | undefined;
  /** undefined: the target does not resolve to exactly one thing. */
  readonly resource: string | undefined;
  /** Attempts that reached `running` on this remediation and resource, newest first; enough of them for limit and cooldown. */
  readonly recent: readonly Attempt[];
  /** How many attempts of this remediation and resource started within the limit's window. */
  readonly startedInLimit: number;
  /** How many attempts of all remediations started within the budget's window. */
  readonly startedInBudget: number;
  readonly now: number;
}

/** Doubling stops at 64 times the written cooldown. */
const MAX_DOUBLINGS = 6;

/** Each gate answers undefined (pass) or a refusal; the first no counts, the cheapest and gravest first. */
const GATES: readonly ((facts: PlanFacts) => Plan | undefined)[] = [
  unconfigured,
  switchedOff,
  frozen,
  sighted,
  confirmed,
  acknowledged,
  rootFirst,
  standOff,
  targeted,
  armed,
  approved,
  withinLimit,
  withinBudget,
  cooledDown,
  observed,
];

export function plan(facts: PlanFacts): Plan {
  for (const gate of GATES) {
    const no = gate(facts);
    if (no) return no;
  }
  return { go: true };
}

/** The stricter of two modes. */
export function strictest(one: HealingMode, other: HealingMode): HealingMode {
  return HEALING_MODES.indexOf(one) < HEALING_MODES.indexOf(other) ? one : other;
}

function refuse(refusal: Refusal, detail: string, retryAt?: number): Plan {
  return { go: false, refusal, detail, ...(retryAt !== undefined && { retryAt }) };
}

function unconfigured({ remediation }: PlanFacts): Plan | undefined {
  if (remediation.unset.length === 0) return undefined;
  return refuse('unconfigured', notSet(remediation.unset));
}

function mode({ remediation, healing }: PlanFacts): HealingMode {
  return strictest(remediation.mode, healing.mode);
}

function switchedOff(facts: PlanFacts): Plan | undefined {
  return mode(facts) === 'off' ? refuse('off', 'its mode, or the mode of all healing, is off') : undefined;
}

function frozen({ frozen }: PlanFacts): Plan | undefined {
  return frozen && refuse('frozen', `all healing is frozen by ${frozen.by}: ${frozen.why}`);
}

function sighted({ byHand, blind }: PlanFacts): Plan | undefined {
  if (byHand || blind === undefined) return undefined;
  return refuse('blind', `no vantage probe answers: ${blind.why}`);
}

function confirmed({ byHand, state, newest, judgedSinceStart }: PlanFacts): Plan | undefined {
  if (byHand) return undefined;
  if (state !== 'down') return refuse('not_confirmed', `the probe is ${state}, not down`);
  if (newest === 'pass' || newest === 'warn') return refuse('recovered', 'its newest run did not fail');
  return judgedSinceStart
    ? undefined
    : refuse('not_confirmed', 'the state is from before a restart or a pause: probing first');
}

function acknowledged({ byHand, incident }: PlanFacts): Plan | undefined {
  if (byHand || incident?.acknowledgedAt === undefined) return undefined;
  return refuse('acknowledged', `${incident.acknowledgedBy ?? 'somebody'} is on it`);
}

function rootFirst({ byHand, dependencyDown }: PlanFacts): Plan | undefined {
  if (byHand || dependencyDown === undefined) return undefined;
  return refuse('dependency_down', `${dependencyDown} is down: the root is healed first`);
}

function standOff({ byHand, intervention }: PlanFacts): Plan | undefined {
  if (byHand || intervention === undefined) return undefined;
  const detail = intervention.certain
    ? intervention.what
    : `${intervention.what} (cannot be told apart from a failure)`;
  return refuse('stopped_by_person', detail);
}

function targeted({ resource }: PlanFacts): Plan | undefined {
  return resource === undefined ? refuse('target', 'the target does not resolve to exactly one thing') : undefined;
}

function armed({ disarmed }: PlanFacts): Plan | undefined {
  return disarmed && refuse('disarmed', disarmed.why);
}

function approved(facts: PlanFacts): Plan | undefined {
  if (facts.byHand || mode(facts) !== 'approve') return undefined;
  return refuse('awaiting_approval', 'its mode asks a person first: run it with `brainstem remediate`');
}

function withinLimit({ remediation: { limit }, startedInLimit }: PlanFacts): Plan | undefined {
  if (startedInLimit < limit.count) return undefined;
  return refuse('limit', `${startedInLimit} runs within its limit of ${limit.count}`);
}

function withinBudget({ healing: { budget }, startedInBudget, now }: PlanFacts): Plan | undefined {
  if (startedInBudget < budget.count) return undefined;
  // The oldest of them leaves the window within windowMs; asking again a tenth later is soon enough.
  return refuse(
    'budget',
    `${startedInBudget} fixes ran within the budget of ${budget.count}`,
    now + budget.windowMs / 10,
  );
}

function cooledDown({ remediation, recent, now }: PlanFacts): Plan | undefined {
  const last = recent[0];
  if (!last) return undefined;
  const readyAt = (last.endedAt ?? last.startedAt ?? last.intendedAt) + cooldownMs(remediation.cooldownMs, recent);
  return readyAt > now
    ? refuse('cooldown', `it cools down for another ${Math.ceil((readyAt - now) / 1_000)}s`, readyAt)
    : undefined;
}

/** The written cooldown, doubled for each attempt since the last verified one, but the first. */
export function cooldownMs(written: number, recent: readonly Attempt[]): number {
  const verified = recent.findIndex(({ state }) => state === 'healed');
  const unverified = verified === -1 ? recent.length : verified;
  return written * 2 ** Math.min(Math.max(unverified - 1, 0), MAX_DOUBLINGS);
}

/** Last: `observe` does everything but the act, so every other no has been answered before. */
function observed(facts: PlanFacts): Plan | undefined {
  if (facts.byHand || mode(facts) !== 'observe') return undefined;
  return refuse('observe', `would run ${facts.remediation.name} on ${facts.resource}`);
}
