/**
 * The record of attempts: each step a committed row and a log line, and a line of the incident's story.
 */
import type { Attempt, Incident, Plan } from '../model.ts';
import type { Clock, Log, Meter, Store, StoreQueries } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';

export interface AttemptJournal {
  /** The row is committed when it returns. */
  save(attempt: Attempt): Promise<Attempt>;
  /**
   * Writes that it runs and tells it, unless the incident says no at that very moment: whatever a person was answered before
   * counts, and what comes later finds an act that has begun.
   */
  begin(running: Attempt, text: string, lastWord: (incident: Incident) => Plan): Promise<Plan>;
  /** What the act says of itself meanwhile. */
  tell(running: Attempt, text: string): Promise<void>;
  /**
   * Writes an attempt that is over, frees its lock and tells it, in one transaction: a kill leaves none of them alone. One
   * that a change of state has healed a moment ago stays healed, and is returned.
   */
  close(over: Attempt, telling: Telling): Promise<Attempt>;
  /** Closes an attempt that acted; returns it as it ended. */
  end(attempt: Attempt, state: 'failed' | 'unknown' | 'healed', text: string): Promise<Attempt>;
  /** Counts and tells a healing that is on record already. */
  healed(attempt: Attempt, text: string): Promise<Attempt>;
}

export interface Telling {
  readonly kind: string;
  readonly text: string;
  /** People who were paged hear it too. */
  readonly alert: boolean;
}

export interface JournalParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
}

export function createAttemptJournal({ store, clock, log, meter, desk }: JournalParts): AttemptJournal {
  function report({ id, remediation, resource, state, refusal, probe, incidentId }: Attempt): void {
    log.info('attempt', { attempt: id, remediation, resource, state, refusal, probe, incident: incidentId });
  }

  function measure({ remediation, state, startedAt, intendedAt, endedAt = clock.now() }: Attempt): void {
    meter.attemptEnded(remediation, state, (endedAt - (startedAt ?? intendedAt)) / 1_000);
  }

  async function begin(running: Attempt, text: string, lastWord: (incident: Incident) => Plan): Promise<Plan> {
    const { incidentId } = running;
    let plan: Plan = { go: true };
    const also = async (queries: StoreQueries) => {
      const incident = incidentId === undefined ? undefined : await queries.incident(incidentId);
      if (incident) plan = lastWord(incident);
      if (plan.go) await queries.updateAttempt(running);
      return plan.go;
    };
    if (incidentId === undefined) await store.transaction(also);
    else await desk.note(incidentId, { kind: 'attempt_started', text, also }, 'progress');
    if (plan.go) report(running);
    return plan;
  }

  async function close(over: Attempt, { kind, text, alert }: Telling): Promise<Attempt> {
    let written = over;
    const also = async (queries: StoreQueries) => {
      const stored = await queries.attempt(over.id);
      if (stored?.state === 'healed') written = stored;
      if (written !== over) return false;
      await queries.updateAttempt(over);
      await queries.releaseLock(over.resource, over.fence);
      return true;
    };
    if (over.incidentId === undefined) await store.transaction(also);
    else await desk.note(over.incidentId, { kind, text, also }, alert ? 'progress' : undefined);
    if (written === over) report(over);
    return written;
  }

  async function healed(attempt: Attempt, text: string): Promise<Attempt> {
    measure(attempt);
    if (attempt.incidentId !== undefined) await desk.note(attempt.incidentId, { kind: 'attempt_healed', text });
    return attempt;
  }

  return {
    async save(attempt) {
      await store.updateAttempt(attempt);
      report(attempt);
      return attempt;
    },
    begin,
    async tell({ incidentId }, text) {
      if (incidentId !== undefined) await desk.note(incidentId, { kind: 'attempt_told', text }, 'progress');
    },
    close,
    async end(attempt, state, text) {
      const over: Attempt = { ...attempt, state, endedAt: clock.now() };
      // A healed one is told by the message that the incident is over.
      const written = await close(over, { kind: `attempt_${state}`, text, alert: state !== 'healed' });
      if (written !== over) return healed(written, `${attempt.remediation} healed it`);
      measure(over);
      return over;
    },
    healed,
  };
}
