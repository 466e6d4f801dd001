/**
 * The record of attempts: each step a committed row and a log line, and a line of the incident's story.
 */
import type { Attempt } from '../model.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';

export interface AttemptJournal {
  /** The row is committed when it returns. */
  save(attempt: Attempt): Promise<Attempt>;
  tell(attempt: Attempt, kind: string, text: string, options?: { readonly alert: boolean }): Promise<void>;
  /** Ends an attempt and frees what it held. */
  end(attempt: Attempt, state: 'failed' | 'unknown' | 'healed', text: string): Promise<Attempt>;
  /** Counts and tells an end that is on record already. */
  ended(attempt: Attempt, text: string): Promise<Attempt>;
}

export interface JournalParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
}

export function createAttemptJournal({ store, clock, log, meter, desk }: JournalParts): AttemptJournal {
  async function save(attempt: Attempt): Promise<Attempt> {
    await store.updateAttempt(attempt);
    const { id, remediation, resource, state, refusal, probe, incidentId } = attempt;
    log.info('attempt', { attempt: id, remediation, resource, state, refusal, probe, incident: incidentId });
    return attempt;
  }

  async function tell(attempt: Attempt, kind: string, text: string, { alert } = { alert: true }): Promise<void> {
    if (attempt.incidentId !== undefined)
      await desk.note(attempt.incidentId, { kind, text }, alert ? 'progress' : undefined);
  }

  async function ended(attempt: Attempt, text: string): Promise<Attempt> {
    const seconds = ((attempt.endedAt ?? clock.now()) - (attempt.startedAt ?? attempt.intendedAt)) / 1_000;
    meter.attemptEnded(attempt.remediation, attempt.state, seconds);
    // A healed one is told by the message that the incident is over.
    await tell(attempt, `attempt_${attempt.state}`, text, { alert: attempt.state !== 'healed' });
    return attempt;
  }

  return {
    save,
    tell,
    ended,
    async end(attempt, state, text) {
      const done = await save({ ...attempt, state, endedAt: clock.now() });
      await store.releaseLock(attempt.resource, attempt.fence);
      return ended(done, text);
    },
  };
}
