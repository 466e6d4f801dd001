/**
 * Heals open incidents. It follows rows, not events: whatever is open, confirmed and has a rung left is looked at, so a
 * crash between any two steps loses nothing but time.
 */
import type { Attempt, Incident } from '../model.ts';
import type { Log } from '../ports.ts';
import { createFixByHand, type FixByHand, type FixByHandParts } from './fix-by-hand.ts';
import { isHealable } from './healable.ts';
import { createHealerOutage, type HealerOutageParts } from './healer-outage.ts';
import { createIncidentHealing, type IncidentHealingParts, LOOK_MS } from './incident-healing.ts';
import type { Outage } from './store-watch.ts';
import { createUnderWay } from './under-way.ts';

export interface HealerParts extends IncidentHealingParts, FixByHandParts, HealerOutageParts {
  readonly log: Log;
  /** The store is away: nothing begins, and nothing can be written. */
  outage(): Outage | undefined;
}

export interface Healer {
  start(): void;
  /** Something changed for this probe, or for all: look at their open incidents again, now. */
  look(probe?: string): void;
  /** Definitions changed: an incident for which nothing was left may have something left now. */
  reconsider(): Promise<void>;
  /** A fix by hand. */
  readonly remediate: FixByHand;
  /** Follows an attempt that an earlier process left; nothing else is tried on its probe meanwhile. */
  adopt(attempt: Attempt, work: Promise<unknown>): void;
  /** A fix for the probe is under way. */
  isBusy(probe: string): boolean;
  /** Waits for what is under way; the caller aborts it when that takes too long. */
  stop(): Promise<void>;
}

export function createHealer(parts: HealerParts): Healer {
  const { clock, log, desk, outcomes, live, outage } = parts;
  const underWay = createUnderWay(log, tick);
  const healing = createIncidentHealing(parts);
  const holdOff = createHealerOutage(parts);
  let timer: NodeJS.Timeout | undefined;

  function tick(): void {
    if (underWay.isClosed()) return;
    const away = outage();
    if (away) holdOff(away);
    else follow();
  }

  function follow(): void {
    healing.forgetClosed();
    for (const incident of desk.open()) {
      if (incident.source !== 'probe') continue;
      if (holdIsOver(incident))
        underWay.keep(outcomes.release(incident.id, 'the fix took longer than page_after allows'));
      if (!healing.waits(incident) && !underWay.has(incident.subject)) heal(incident);
    }
  }

  function heal(incident: Incident): void {
    const { subject } = incident;
    if (isHealable(incident, live(subject), desk)) underWay.begin(subject, healing.consider(incident));
    else if (healing.hasNewItem(incident)) underWay.begin(subject, healing.takeUpAgain(incident, 'another item fails'));
  }

  /** A clock that was set back does not lengthen a hold: no page waits longer than `page_after` from now. */
  function holdIsOver({ subject, holdUntil }: Incident): boolean {
    const leftMs = holdUntil === undefined ? undefined : holdUntil - clock.now();
    return leftMs !== undefined && (leftMs <= 0 || leftMs > (live(subject)?.definition.pageAfterMs ?? 0));
  }

  return {
    start() {
      timer = setInterval(tick, LOOK_MS);
      timer.unref();
      tick();
    },
    look(probe) {
      const incident = probe === undefined ? undefined : desk.ofProbe(probe);
      if (probe === undefined || incident) healing.hurry(incident);
      tick();
    },
    async reconsider() {
      for (const incident of desk.open()) {
        if (incident.exhausted && incident.source === 'probe')
          await healing.takeUpAgain(incident, 'its definitions changed');
      }
      healing.hurry();
      tick();
    },
    remediate: createFixByHand(parts, underWay),
    adopt: ({ probe }, work) => underWay.begin(probe, work),
    isBusy: underWay.has,
    stop() {
      clearInterval(timer);
      return underWay.close();
    },
  };
}
