/**
 * Heals open incidents. It follows rows, not events: whatever is open, confirmed and has a rung left is looked at, so a
 * crash between any two steps loses nothing but time.
 */
import { chooseLadder, nextRung } from '../engine/ladder.ts';
import { NotFoundError } from '../errors.ts';
import type { Attempt, Configuration, Incident, Plan, Refusal, Remediation } from '../model.ts';
import type { Clock, Log, Meter, RemediateRequest, Store } from '../ports.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { isActive, type LiveProbe } from './live-probe.ts';
import type { Planner } from './plan-facts.ts';
import { newestBindings, windowReader } from './samples.ts';
import type { Switches } from './switches.ts';

export interface HealerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  readonly attempts: AttemptRunner;
  readonly switches: Switches;
  configuration(): Configuration;
  live(name: string): LiveProbe | undefined;
}

export interface Healer {
  start(): void;
  /** Something changed: look at every open incident again, now. */
  look(): void;
  /** Until when a page may be held for the fix that a probe going DOWN is about to get. */
  holdUntil(live: LiveProbe): Promise<number | undefined>;
  /** A fix by hand. */
  remediate(
    request: RemediateRequest,
  ): Promise<{ readonly plan: Plan; readonly attempt?: Attempt; readonly would: string }>;
  /** Takes over an attempt that an earlier process left. */
  adopt(attempt: Attempt, work: Promise<unknown>): void;
  activeAttempts(): Promise<readonly Attempt[]>;
  /** Waits for what is under way; the caller aborts it when that takes too long. */
  stop(): Promise<void>;
}

const LOOK_MS = 1_000;
/** After a no that no time will change, look again this much later: somebody may have mended what it names. */
const REFUSED_LOOK_MS = 5_000;
/** A no after which a page may still be held: the yes is only a matter of moments. */
const HOLDING: ReadonlySet<Refusal> = new Set(['cooldown', 'locked']);
/** A no that says nothing new to people: the state of things is already on the page. */
const SILENT: ReadonlySet<Refusal> = new Set(['not_confirmed', 'recovered', 'stopping']);

export function createHealer(parts: HealerParts): Healer {
  const { store, clock, log, meter, desk, planner, attempts, switches, configuration, live } = parts;
  const busy = new Map<string, Promise<unknown>>();
  const lookAgainAt = new Map<number, number>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function look(): void {
    lookAgainAt.clear();
    tick();
  }

  function tick(): void {
    const now = clock.now();
    for (const incident of desk.open()) {
      if (incident.source !== 'probe') continue;
      if (incident.holdUntil !== undefined && incident.holdUntil <= now)
        keep(release(incident.id, 'the fix took longer than page_after allows'));
      if (stopped || busy.has(incident.subject) || (lookAgainAt.get(incident.id) ?? 0) > now || !isHealable(incident))
        continue;
      occupy(incident.subject, consider(incident));
    }
  }

  function keep(work: Promise<unknown>): void {
    work.catch((error: unknown) => log.error('healer_failed', { error }));
  }

  /** One attempt at a time for a probe, whoever asked for it. */
  function occupy(subject: string, work: Promise<unknown>): void {
    const guarded = work
      .catch((error: unknown) => log.error('healer_failed', { subject, error }))
      .finally(() => {
        busy.delete(subject);
        if (!stopped) tick();
      });
    busy.set(subject, guarded);
  }

  function isHealable({ subject, degraded, parentId, exhausted }: Incident): boolean {
    const probe = live(subject);
    return (
      !degraded &&
      parentId === undefined &&
      !exhausted &&
      probe !== undefined &&
      isActive(probe.definition) &&
      probe.last !== undefined &&
      probe.definition.remediate.length > 0
    );
  }

  /** What this incident would get next: a remediation, `exhausted`, or nothing because no ladder speaks of its reason. */
  async function nextFix(
    probe: LiveProbe,
    incident: Incident | undefined,
  ): Promise<Remediation | 'exhausted' | undefined> {
    const bindings = newestBindings(probe);
    const ladder = bindings && chooseLadder(probe.definition.remediate, bindings, windowReader(probe, clock.now()));
    if (!ladder) return undefined;
    const tried = incident ? await store.attempts({ incidentId: incident.id, limit: 1_000 }) : [];
    const { remediations } = configuration();
    const name = nextRung(ladder, tried, remediations);
    return name === undefined ? 'exhausted' : remediations.get(name);
  }

  async function consider(incident: Incident): Promise<void> {
    lookAgainAt.set(incident.id, clock.now() + LOOK_MS);
    const probe = live(incident.subject);
    if (!probe) return;
    const fix = await nextFix(probe, incident);
    if (fix === undefined) return release(incident.id, 'no remediation speaks of its reason');
    if (fix === 'exhausted') return exhausted(incident);
    const { plan, attempt } = await attempts.attempt({
      remediation: fix,
      live: probe,
      incident,
      byHand: false,
      requestedBy: 'healer',
    });
    if (!plan.go) await refused(incident, fix, probe, plan, attempt);
    else lookAgainAt.delete(incident.id);
  }

  async function refused(
    incident: Incident,
    fix: Remediation,
    probe: LiveProbe,
    no: Plan & { go: false },
    attempt: Attempt | undefined,
  ): Promise<void> {
    lookAgainAt.set(incident.id, no.retryAt ?? clock.now() + REFUSED_LOOK_MS);
    if (!attempt) await record(incident, fix, probe, no);
    if (no.refusal === 'limit')
      await switches.disarm({ remediation: fix.name, at: clock.now(), why: `disarmed: ${no.detail}` });
    if (!HOLDING.has(no.refusal) && !SILENT.has(no.refusal) && no.refusal !== 'recovered')
      await release(incident.id, `${fix.name} was not run (${no.refusal}): ${no.detail}`);
  }

  /** A named no is a row when it is new; while it stays the same it is not written again. */
  async function record(
    incident: Incident,
    fix: Remediation,
    probe: LiveProbe,
    { refusal, detail }: Plan & { go: false },
  ): Promise<void> {
    if (SILENT.has(refusal)) return;
    const [newest] = await store.attempts({ incidentId: incident.id, limit: 1 });
    if (newest?.remediation === fix.name && newest.refusal === refusal) return;
    const now = clock.now();
    meter.refused(fix.name, refusal);
    log.info('remediation_refused', {
      remediation: fix.name,
      refusal,
      detail,
      probe: probe.definition.name,
      incident: incident.id,
    });
    await store.insertAttempt({
      ...{
        incidentId: incident.id,
        probe: probe.definition.name,
        remediation: fix.name,
        type: fix.type,
        resource: fix.resource ?? '',
        fence: 0,
      },
      ...{ requestedBy: 'healer', state: 'refused', refusal, error: detail, intendedAt: now, endedAt: now },
    });
    await desk.note(incident.id, { kind: 'refused', text: `${fix.name} was not run (${refusal}): ${detail}` });
  }

  async function exhausted(incident: Incident): Promise<void> {
    const text = 'everything on its ladder was tried, and it is still down';
    await desk.edit(incident.id, {
      edit: ({ holdUntil: _hold, ...rest }) => ({ ...rest, exhausted: true, paged: true }),
      kind: 'exhausted',
      text,
      alert: incident.paged ? 'escalated' : 'opened',
    });
  }

  /** The page that was held goes out now. */
  async function release(id: number, why: string): Promise<void> {
    await desk.edit(id, {
      edit: ({ holdUntil, ...rest }) => (holdUntil === undefined ? undefined : { ...rest, paged: true }),
      kind: 'page_released',
      text: why,
      alert: 'opened',
    });
  }

  async function holdUntil(probe: LiveProbe): Promise<number | undefined> {
    const { pageAfterMs, remediate } = probe.definition;
    if (pageAfterMs === 0 || remediate.length === 0) return undefined;
    const last = await store.lastIncident('probe', probe.definition.name);
    const relapse = last?.resolvedAt !== undefined && clock.now() - last.resolvedAt <= probe.definition.relapseMs;
    const fix = await nextFix(probe, desk.ofProbe(probe.definition.name) ?? (relapse ? last : undefined));
    if (fix === undefined || fix === 'exhausted') return undefined;
    // The state is about to be DOWN: that is what the plan is asked about.
    const asked: LiveProbe = { ...probe, state: { ...probe.state, state: 'down' } };
    const { plan } = await planner(store, { remediation: fix, live: asked, incident: undefined, byHand: false });
    return plan.go || HOLDING.has(plan.refusal) ? clock.now() + pageAfterMs : undefined;
  }

  async function remediate({ remediation: name, probe: probeName, by, dryRun }: RemediateRequest) {
    const remediation = configuration().remediations.get(name);
    const probe = live(probeName);
    if (!remediation) throw new NotFoundError('remediation_unknown', `no remediation is called "${name}"`);
    if (!probe) throw new NotFoundError('probe_unknown', `no probe is called "${probeName}"`);
    const question = { remediation, live: probe, incident: desk.ofProbe(probeName), byHand: true };
    const planned = await planner(store, question);
    const would = `run ${name} (${remediation.type}) on ${planned.resource ?? 'nothing'} for ${probeName}`;
    if (dryRun || !planned.plan.go) return { plan: planned.plan, would };
    if (busy.has(probeName))
      return { plan: { go: false, refusal: 'locked', detail: `a fix for ${probeName} is under way` } as const, would };
    const work = attempts.attempt({ ...question, requestedBy: by });
    occupy(probeName, work);
    return { ...(await work), would };
  }

  return {
    start() {
      timer = setInterval(tick, LOOK_MS);
      timer.unref();
      tick();
    },
    look,
    holdUntil,
    remediate,
    adopt: (attempt, work) => occupy(attempt.probe, work),
    activeAttempts: () => store.attempts({ states: ['intended', 'running', 'settling', 'verifying'], limit: 100 }),
    async stop() {
      stopped = true;
      clearInterval(timer);
      await Promise.all(busy.values());
    },
  };
}
