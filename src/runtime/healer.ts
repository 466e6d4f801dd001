/**
 * Heals open incidents. It follows rows, not events: whatever is open, confirmed and has a rung left is looked at, so a
 * crash between any two steps loses nothing but time.
 */
import { NotFoundError, RetryableError } from '../errors.ts';
import type { Attempt, Configuration, Incident, Plan, Refusal, Remediation, Resource } from '../model.ts';
import { instead } from '../nearest.ts';
import type { Clock, Log, RemediateRequest, Store } from '../ports.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import { createExhaustedItems } from './exhausted-items.ts';
import type { HealerOutcomes } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { itemNow } from './items.ts';
import { isActive, type LiveProbe } from './live-probe.ts';
import type { Fix, NextFix } from './next-fix.ts';
import { type No, type Planner, storeAway } from './plan-facts.ts';
import type { Outage } from './store-watch.ts';

export interface HealerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  readonly attempt: AttemptRunner;
  readonly nextFix: NextFix;
  readonly outcomes: HealerOutcomes;
  configuration(): Configuration;
  live(name: string): LiveProbe | undefined;
  all(): Iterable<LiveProbe>;
  /** The store is away: nothing begins, and nothing can be written. */
  outage(): Outage | undefined;
  /** What the act of a remediation would be, in words without secrets; empty while it is unconfigured. */
  would(remediation: Remediation, observed: Resource | undefined): string;
}

export interface Remediated {
  readonly plan: Plan;
  readonly attempt?: Attempt;
  readonly would: string;
}

export interface Healer {
  start(): void;
  /** Something changed for this probe, or for all: look at their open incidents again, now. */
  look(probe?: string): void;
  /** Definitions changed: an incident for which nothing was left may have something left now. */
  reconsider(): Promise<void>;
  /** A fix by hand. Errors: NotFoundError. */
  remediate(request: RemediateRequest): Promise<Remediated>;
  /** Follows an attempt that an earlier process left; nothing else is tried on its probe meanwhile. */
  adopt(attempt: Attempt, work: Promise<unknown>): void;
  /** A fix for the probe is under way. */
  isBusy(probe: string): boolean;
  /** Waits for what is under way; the caller aborts it when that takes too long. */
  stop(): Promise<void>;
}

const LOOK_MS = 1_000;
/** After a no that no time will change, look again this much later: somebody may have mended what it names. */
const REFUSED_LOOK_MS = 5_000;
/** A no to one item that says nothing about the others. */
const OF_ONE_ITEM: ReadonlySet<Refusal> = new Set(['cooldown', 'locked', 'target', 'recovered', 'stopped_by_person']);

export function createHealer(parts: HealerParts): Healer {
  const { store, clock, log, desk, planner, attempt, nextFix, outcomes, configuration, live, all, outage } = parts;
  /** By probe: one attempt at a time, whoever asked for it. */
  const busy = new Map<string, Promise<unknown>>();
  /** By incident, monotonic ms. */
  const lookAgainAt = new Map<number, number>();
  /** By incident: the reason of which it was told that no remediation speaks of it. */
  const toldUnspoken = new Map<number, string>();
  const exhaustedItems = createExhaustedItems();
  /** Probes for which the outage that began then has been counted as a no. */
  let toldAway: { readonly since: number; readonly probes: Set<string> } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function tick(): void {
    if (stopped) return;
    const away = outage();
    if (away) holdOff(away);
    else follow();
  }

  function follow(): void {
    const now = clock.monotonic();
    for (const id of lookAgainAt.keys()) {
      if (desk.byId(id)) continue;
      lookAgainAt.delete(id);
      toldUnspoken.delete(id);
      exhaustedItems.forget(id);
    }
    for (const incident of desk.open()) {
      if (incident.source !== 'probe') continue;
      if (holdIsOver(incident)) keep(outcomes.release(incident.id, 'the fix took longer than page_after allows'));
      const waits = (lookAgainAt.get(incident.id) ?? 0) > now;
      if (waits || busy.has(incident.subject)) continue;
      if (isHealable(incident)) occupy(incident.subject, consider(incident));
      else if (hasNewItem(incident)) occupy(incident.subject, takeUpAgain(incident, 'another item fails'));
    }
  }

  /** What would be tried is refused by name, once in an outage; pages that are held are named in its message. */
  function holdOff(away: Outage): void {
    if (toldAway?.since !== away.since) toldAway = { since: away.since, probes: new Set() };
    for (const probe of all()) {
      const { name } = probe.definition;
      if (probe.state.state !== 'down' || toldAway.probes.has(name) || !mayBeHealed(probe)) continue;
      toldAway.probes.add(name);
      const fix = nextFix.first(probe);
      if (fix) outcomes.count(name, fix, storeAway(away));
    }
  }

  /** A clock that was set back does not lengthen a hold: no page waits longer than `page_after` from now. */
  function holdIsOver({ subject, holdUntil }: Incident): boolean {
    const leftMs = holdUntil === undefined ? undefined : holdUntil - clock.now();
    return leftMs !== undefined && (leftMs <= 0 || leftMs > (live(subject)?.definition.pageAfterMs ?? 0));
  }

  function lookAgainIn(incident: Incident, delayMs: number): void {
    lookAgainAt.set(incident.id, clock.monotonic() + delayMs);
  }

  function isHealable({ subject, degraded, parentId, exhausted }: Incident): boolean {
    const probe = live(subject);
    if (degraded || parentId !== undefined || exhausted || !probe?.last) return false;
    return mayBeHealed(probe) && probe.state.state === 'down';
  }

  function mayBeHealed({ definition }: LiveProbe): boolean {
    return isActive(definition) && definition.remediate.length > 0 && desk.ofProbe(definition.name)?.exhausted !== true;
  }

  async function consider(incident: Incident): Promise<void> {
    lookAgainIn(incident, LOOK_MS);
    const probe = live(incident.subject);
    if (!probe) return;
    const fixes = await nextFix.of(probe, incident);
    if (fixes === undefined) return unspoken(incident);
    if (fixes.length > 0) return tryOne(fixes, probe, incident);
    exhaustedItems.note(incident, probe);
    await outcomes.exhausted(incident);
  }

  /** The first that may run; when none may, the first no is told. */
  async function tryOne(fixes: readonly Fix[], probe: LiveProbe, incident: Incident): Promise<void> {
    let told: { readonly fix: Remediation; readonly no: No; readonly attempt: Attempt | undefined } | undefined;
    for (const fix of fixes) {
      const answer = await attempt({ ...fix, live: probe, incident, byHand: false, requestedBy: 'healer' });
      if (answer.plan.go) {
        lookAgainAt.delete(incident.id);
        return;
      }
      told ??= { fix: fix.remediation, no: answer.plan, attempt: answer.attempt };
      if (!OF_ONE_ITEM.has(answer.plan.refusal)) break;
    }
    if (!told) return;
    const { retryAt } = told.no;
    lookAgainIn(incident, retryAt === undefined ? REFUSED_LOOK_MS : retryAt - clock.now());
    await outcomes.refused(incident, told.fix, told.no, told.attempt);
  }

  function hasNewItem(incident: Incident): boolean {
    const probe = incident.exhausted ? live(incident.subject) : undefined;
    return probe?.state.state === 'down' && exhaustedItems.hasNew(incident, probe);
  }

  /** Told once for each reason; the ladders are asked again, because what is observed may change. */
  async function unspoken(incident: Incident): Promise<void> {
    if (toldUnspoken.get(incident.id) === incident.reason && incident.holdUntil === undefined) return;
    toldUnspoken.set(incident.id, incident.reason);
    await outcomes.unspoken(incident);
  }

  async function reconsider(): Promise<void> {
    for (const incident of desk.open()) {
      if (incident.exhausted && incident.source === 'probe') await takeUpAgain(incident, 'its definitions changed');
    }
    lookAgainAt.clear();
    tick();
  }

  /** An incident whose ladder was exhausted, when something may be left now. */
  async function takeUpAgain(incident: Incident, why: string): Promise<void> {
    const probe = live(incident.subject);
    if (!probe?.last) return;
    exhaustedItems.note(incident, probe);
    const [fix] = (await nextFix.of(probe, incident)) ?? [];
    if (fix === undefined) return;
    await desk.edit(incident.id, {
      edit: (current) => ({ ...current, exhausted: false }),
      kind: 'reconsidered',
      text: `${why}: ${fix.remediation.name} may be tried`,
    });
  }

  function occupy(subject: string, work: Promise<unknown>): void {
    const guarded = work
      .catch((error: unknown) => failed(error, subject))
      .finally(() => {
        if (busy.get(subject) === guarded) busy.delete(subject);
        tick();
      });
    busy.set(subject, guarded);
  }

  function keep(work: Promise<unknown>): void {
    work.catch((error: unknown) => failed(error));
  }

  /** While the store is away it looks again; whatever else fails is a fault. */
  function failed(error: unknown, subject?: string): void {
    if (error instanceof RetryableError) log.warn('healer_waits', { subject, error });
    else log.error('healer_failed', { subject, error });
  }

  function notNow(probe: string): No | undefined {
    if (stopped) return { go: false, refusal: 'stopping', detail: 'the daemon is stopping' };
    return busy.has(probe) ? { go: false, refusal: 'locked', detail: `a fix for ${probe} is under way` } : undefined;
  }

  async function remediate({ remediation: name, probe: probeName, by, dryRun }: RemediateRequest): Promise<Remediated> {
    const { remediations, probes } = configuration();
    const remediation = remediations.get(name);
    const probe = live(probeName);
    if (!remediation) throw unknown('remediation', name, remediations.keys());
    if (!probe) throw unknown('probe', probeName, probes.keys());
    const incident = desk.ofProbe(probeName);
    const question = { remediation, live: probe, item: itemNow(probe, undefined), incident, byHand: true };
    const { plan, resource, observed } = await planner(store, question);
    const act = parts.would(remediation, observed);
    const would = `run ${name} (${remediation.type}) on ${resource ?? 'nothing'} for ${probeName}${act && `: ${act}`}`;
    if (dryRun) return { plan, would };
    const no = plan.go ? notNow(probeName) : plan;
    if (no) {
      outcomes.count(probeName, remediation, no);
      return { plan: no, would };
    }
    const work = attempt({ ...question, requestedBy: by });
    occupy(probeName, work);
    return { ...(await work), would };
  }

  return {
    start() {
      timer = setInterval(tick, LOOK_MS);
      timer.unref();
      tick();
    },
    look(probe) {
      const incident = probe === undefined ? undefined : desk.ofProbe(probe);
      if (probe === undefined) lookAgainAt.clear();
      else if (incident) lookAgainAt.delete(incident.id);
      tick();
    },
    reconsider,
    remediate,
    adopt: ({ probe }, work) => occupy(probe, work),
    isBusy: (probe) => busy.has(probe),
    async stop() {
      stopped = true;
      clearInterval(timer);
      while (busy.size > 0) await Promise.all(busy.values());
    },
  };
}

function unknown(kind: 'remediation' | 'probe', name: string, known: Iterable<string>): NotFoundError {
  return new NotFoundError(`${kind}_unknown`, `no ${kind} is called "${name}"${instead(name, known)}`);
}
