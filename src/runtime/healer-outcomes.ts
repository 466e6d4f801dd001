/**
 * What becomes of an incident when its next fix may not run, or none is left: recorded once, told where people must know.
 */
import type { Attempt, Incident, Refusal, Remediation } from '../model.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { No } from './plan-facts.ts';
import type { Switches } from './switches.ts';

export interface HealerOutcomes {
  /** A named no. `attempt`: it is on record already. */
  refused(incident: Incident, fix: Remediation, no: No, attempt: Attempt | undefined): Promise<void>;
  exhausted(incident: Incident): Promise<void>;
  /** No ladder speaks of what was observed. */
  unspoken(incident: Incident): Promise<void>;
  /** A no that a person is told at once, and that no incident records. */
  count(probe: string, fix: Remediation, no: No): void;
  /** The page that was held goes out now. */
  release(incidentId: number, why: string): Promise<void>;
}

export interface OutcomesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
  readonly switches: Switches;
  live(name: string): LiveProbe | undefined;
}

/** A no after which a page may still be held: the yes is only a matter of moments. */
const HOLDING: ReadonlySet<Refusal> = new Set(['cooldown', 'locked']);
/** A no that turns into a yes before the page's hold is over. */
export function isBrief({ refusal, retryAt = 0 }: No, holdUntil: number): boolean {
  return HOLDING.has(refusal) && retryAt <= holdUntil;
}

/** A no that says nothing new to people, or cannot be written: the state of things is on the page. */
const SILENT: ReadonlySet<Refusal> = new Set(['not_confirmed', 'recovered', 'stopping', 'store_away']);

export function createHealerOutcomes(parts: OutcomesParts): HealerOutcomes {
  const { store, clock, log, meter, desk, switches, live } = parts;

  function count(probe: string, fix: Remediation, { refusal, detail }: No): void {
    meter.refused(fix.name, refusal);
    log.info('remediation_refused', { remediation: fix.name, refusal, detail, probe });
  }

  /** While a no stays the same it is not written again. */
  async function record(incident: Incident, fix: Remediation, { refusal, detail }: No): Promise<void> {
    const [newest] = await store.attempts({ incidentId: incident.id, limit: 1 });
    if (newest?.remediation === fix.name && newest.refusal === refusal) return;
    const now = clock.now();
    count(incident.subject, fix, { go: false, refusal, detail });
    await store.insertAttempt({
      ...{ incidentId: incident.id, probe: incident.subject, remediation: fix.name, type: fix.type },
      ...{ resource: fix.resource ?? '', fence: 0, requestedBy: 'healer', intendedAt: now, endedAt: now },
      ...{ state: 'refused', refusal, error: detail },
    });
    const told = refusal === 'awaiting_approval' ? 'progress' : undefined;
    await desk.note(incident.id, { kind: 'refused', text: reason(fix, { refusal, detail }) }, told);
  }

  async function release(incidentId: number, why: string): Promise<void> {
    await desk.edit(incidentId, {
      edit: ({ holdUntil, ...rest }) =>
        holdUntil === undefined ? undefined : { ...rest, ...asSeen(rest), paged: true },
      kind: 'page_released',
      text: why,
      alert: 'opened',
    });
  }

  /** People who are asked for help read what is so now, not what was seen when it began. */
  function asSeen({ subject }: Incident): Partial<Pick<Incident, 'reason' | 'cause'>> {
    const verdict = live(subject)?.last?.verdict;
    return verdict?.kind === 'fail' ? { reason: verdict.reason, cause: verdict.summary } : {};
  }

  /** People hear it before it is on record: a kill in between tells them twice, never not at all. */
  async function disarm(incident: Incident, fix: Remediation, no: No): Promise<void> {
    await escalate(incident, 'disarmed', `${fix.name} is disarmed: ${no.detail}`);
    await switches.disarm({ remediation: fix.name, at: clock.now(), why: `disarmed: ${no.detail}` });
  }

  /** Healing gives up, for now or for good: whoever heard of the incident hears that too. */
  async function escalate(incident: Incident, kind: string, text: string, exhausted = false): Promise<void> {
    await desk.edit(incident.id, {
      edit: ({ holdUntil: _hold, ...rest }) => ({
        ...{ ...rest, ...asSeen(incident) },
        ...{ exhausted: rest.exhausted || exhausted, paged: true },
      }),
      kind,
      text,
      // Asked of what it is by then: its hold may have ended a moment ago.
      alert: ({ paged }) => (paged ? 'escalated' : 'opened'),
    });
  }

  return {
    async refused(incident, fix, no, attempt) {
      if (SILENT.has(no.refusal)) return;
      if (!attempt) await record(incident, fix, no);
      if (no.refusal === 'limit') await disarm(incident, fix, no);
      if (!isBrief(no, incident.holdUntil ?? Number.POSITIVE_INFINITY)) await release(incident.id, reason(fix, no));
    },
    async exhausted(incident) {
      const [ran] = await store.attempts({ incidentId: incident.id, started: true, limit: 1 });
      if (ran) return escalate(incident, 'exhausted', 'everything on its ladder was tried', true);
      // Each no was told when it was given: nothing is worse than it was.
      await desk.edit(incident.id, {
        edit: ({ holdUntil: _hold, ...rest }) => ({ ...rest, ...asSeen(incident), exhausted: true, paged: true }),
        kind: 'exhausted',
        text: 'no fix on its ladder may run by itself',
        alert: ({ paged }) => (paged ? undefined : 'opened'),
      });
    },
    async unspoken(incident) {
      const text = `no remediation speaks of its reason, ${incident.reason}`;
      if (incident.holdUntil === undefined) await desk.note(incident.id, { kind: 'no_remediation', text });
      else await release(incident.id, text);
    },
    release,
    count,
  };
}

function reason({ name }: Remediation, { refusal, detail }: Pick<No, 'refusal' | 'detail'>): string {
  return `${name} was not run (${refusal}): ${detail}`;
}
