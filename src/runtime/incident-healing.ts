/** What healing does about one open incident: its next fix is tried, or it is told why none is; and when to look again. */
import type { Attempt, Incident, Refusal, Remediation } from '../model.ts';
import type { Clock } from '../ports.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import { createExhaustedItems } from './exhausted-items.ts';
import type { HealerOutcomes } from './healer-outcomes.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Fix, NextFix } from './next-fix.ts';
import type { No } from './plan-facts.ts';

export interface IncidentHealingParts {
  readonly clock: Clock;
  readonly desk: IncidentDesk;
  readonly attempt: AttemptRunner;
  readonly nextFix: NextFix;
  readonly outcomes: HealerOutcomes;
  live(name: string): LiveProbe | undefined;
}

export interface IncidentHealing {
  /** Tries the next fix of its ladder, if one may run now. */
  consider(incident: Incident): Promise<void>;
  /** For an incident whose ladder was exhausted, when something may be left now. */
  takeUpAgain(incident: Incident, why: string): Promise<void>;
  /** Its ladder was exhausted, and another item fails than those it was exhausted for. */
  hasNewItem(incident: Incident): boolean;
  /** It was looked at, and it is not yet time to look again. */
  waits(incident: Incident): boolean;
  /** It is time now. Absent: for all. */
  hurry(incident?: Incident): void;
  /** What is known of incidents that are not open any more. */
  forgetClosed(): void;
}

export const LOOK_MS = 1_000;
/** After a no that no time will change, look again this much later: somebody may have mended what it names. */
const REFUSED_LOOK_MS = 5_000;
/** A no to one item that says nothing about the others. */
const OF_ONE_ITEM: ReadonlySet<Refusal> = new Set(['cooldown', 'locked', 'target', 'recovered', 'stopped_by_person']);

export function createIncidentHealing(parts: IncidentHealingParts): IncidentHealing {
  const { clock, desk, attempt, nextFix, outcomes, live } = parts;
  /** By incident, monotonic ms. */
  const lookAgainAt = new Map<number, number>();
  /** By incident: the reason of which it was told that no remediation speaks of it. */
  const toldUnspoken = new Map<number, string>();
  const exhaustedItems = createExhaustedItems();

  function lookAgainIn(incident: Incident, delayMs: number): void {
    lookAgainAt.set(incident.id, clock.monotonic() + delayMs);
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

  /** Told once for each reason; the ladders are asked again, because what is observed may change. */
  async function unspoken(incident: Incident): Promise<void> {
    if (toldUnspoken.get(incident.id) === incident.reason && incident.holdUntil === undefined) return;
    toldUnspoken.set(incident.id, incident.reason);
    await outcomes.unspoken(incident);
  }

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

  return {
    consider,
    takeUpAgain,
    hasNewItem(incident) {
      const probe = incident.exhausted ? live(incident.subject) : undefined;
      return probe?.state.state === 'down' && exhaustedItems.hasNew(incident, probe);
    },
    waits: ({ id }) => (lookAgainAt.get(id) ?? 0) > clock.monotonic(),
    hurry(incident) {
      if (incident === undefined) lookAgainAt.clear();
      else lookAgainAt.delete(incident.id);
    },
    forgetClosed() {
      for (const id of lookAgainAt.keys()) {
        if (desk.byId(id)) continue;
        lookAgainAt.delete(id);
        toldUnspoken.delete(id);
        exhaustedItems.forget(id);
      }
    },
  };
}
