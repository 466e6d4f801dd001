/**
 * The record of attempts: each step a committed row and a log line, and a line of the incident's story. What happens to an
 * attempt that acts while the store is away is kept, and written when it is back.
 */
import { RetryableError } from '../errors.ts';
import type { AlertKind, Attempt, Incident, Plan } from '../model.ts';
import type { Clock, Log, Meter, Store, StoreQueries } from '../ports.ts';
import { type Backlog, probeLine } from './backlog.ts';
import type { IncidentDesk } from './incident-desk.ts';

export interface AttemptJournal {
  /** The row is committed when it returns: what comes next may have lasting effects. RetryableError: it is not. */
  commit(attempt: Attempt): Promise<Attempt>;
  /** The row is committed, or kept while the store is away: what it tells of has happened. */
  save(attempt: Attempt): Promise<Attempt>;
  /**
   * Writes that it runs and tells it, unless the incident says no at that very moment: whatever a person was answered before
   * counts, and what comes later finds an act that has begun. RetryableError: it is not written.
   */
  begin(running: Attempt, text: string, lastWord: (incident: Incident) => Plan): Promise<Plan>;
  /** As it is on record; undefined also while the store is away. */
  stored(id: number): Promise<Attempt | undefined>;
  /** What the act says of itself meanwhile; kept while the store is away. */
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
  readonly backlog: Backlog;
}

export function createAttemptJournal(parts: JournalParts): AttemptJournal {
  const { store, clock, log, meter, desk, backlog } = parts;
  /** How often an act has told something: two tales of one moment are two. */
  let tales = 0;

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

  async function tell({ id, probe, incidentId }: Attempt, text: string): Promise<void> {
    if (incidentId === undefined) return;
    tales += 1;
    const told = { kind: 'attempt_told', text, at: clock.now() };
    const write = (again: boolean) => noteOnce(incidentId, told, again, 'progress');
    await backlog.write({ key: `attempt-told:${id}:${tales}`, line: probeLine(probe), write });
  }

  /** `again`: it may be written although the answer to an earlier try was lost. */
  function noteOnce(incidentId: number, line: Line, again: boolean, alert?: AlertKind): Promise<void> {
    const isNews = async (queries: StoreQueries) => !again || !(await isTold(queries, incidentId, line));
    return desk.note(incidentId, { ...line, also: isNews }, alert);
  }

  /** Returns what is on record then. */
  async function writeEnd(over: Attempt, { kind, text, alert }: Telling): Promise<Attempt> {
    let written = over;
    const also = async (queries: StoreQueries) => {
      const stored = await queries.attempt(over.id);
      // A change of state has healed it, or an earlier try of this very writing has got through.
      if (stored?.endedAt !== undefined) written = stored;
      if (written !== over) return false;
      await queries.updateAttempt(over);
      await queries.releaseLock(over.resource, over.fence);
      return true;
    };
    const at = over.endedAt ?? clock.now();
    if (over.incidentId === undefined) await store.transaction(also);
    else await desk.note(over.incidentId, { kind, text, at, also }, alert ? 'progress' : undefined);
    return written;
  }

  async function close(over: Attempt, telling: Telling): Promise<Attempt> {
    const key = `attempt-end:${over.id}`;
    const written = await backlog.write({ key, line: probeLine(over.probe), write: () => writeEnd(over, telling) });
    if (written !== 'kept' && written !== over) return written;
    report(over);
    return over;
  }

  async function healed(attempt: Attempt, text: string): Promise<Attempt> {
    const { id, probe, incidentId } = attempt;
    report(attempt);
    measure(attempt);
    if (incidentId === undefined) return attempt;
    const line = { kind: 'attempt_healed', text, at: attempt.endedAt ?? clock.now() };
    const write = (again: boolean) => noteOnce(incidentId, line, again);
    await backlog.write({ key: `attempt-healed:${id}`, line: probeLine(probe), write });
    return attempt;
  }

  async function commit(attempt: Attempt): Promise<Attempt> {
    await store.updateAttempt(attempt);
    report(attempt);
    return attempt;
  }

  return {
    commit,
    async save(attempt) {
      const write = () => store.updateAttempt(attempt);
      await backlog.write({ key: `attempt:${attempt.id}`, line: probeLine(attempt.probe), write });
      report(attempt);
      return attempt;
    },
    begin,
    async stored(id) {
      try {
        return await store.attempt(id);
      } catch (error) {
        if (error instanceof RetryableError) return undefined;
        throw error;
      }
    },
    tell,
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

/** A line of an incident's story, told of the moment at which it happened. */
interface Line {
  readonly kind: string;
  readonly text: string;
  readonly at: number;
}

async function isTold(queries: StoreQueries, incidentId: number, { kind, text, at }: Line): Promise<boolean> {
  const story = await queries.timeline(incidentId);
  return story.some((entry) => entry.kind === kind && entry.at === at && entry.text === text);
}
