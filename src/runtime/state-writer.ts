/**
 * Writes a change of state with all that follows from it, within one transaction: the state, the incident, the transition,
 * the attempt that it verifies, the story and the alerts.
 */
import { incidentChange } from '../engine/incidents.ts';
import { failpoint } from '../failpoint.ts';
import type { Attempt, Incident, ProbeState, StateName, Verdict } from '../model.ts';
import type { StoreQueries } from '../ports.ts';
import type { Announcer } from './announcer.ts';
import type { LiveProbe } from './live-probe.ts';
import { timelineEntry } from './timeline-entry.ts';

export interface StateChange {
  readonly live: LiveProbe;
  readonly next: ProbeState;
  readonly from: StateName;
  readonly verdict: Verdict;
  /** The open incident of a dependency that is DOWN. */
  readonly root: Incident | undefined;
  readonly holdUntil: number | undefined;
  /** When the failures began that led to it, if they did. */
  readonly firstFailureAt: number | undefined;
  /** It was tried before, and may have been written although the answer was lost. */
  readonly again: boolean;
  /** It has ended since: recorded, and nobody is paged. */
  readonly quiet: boolean;
  /** False: the probe was paused, removed or given another target meanwhile, and nothing is written. */
  wanted(): boolean;
}

/** What a change of the desk led to; the caller wakes whom it concerns. */
export interface Written {
  readonly incident?: Incident;
  readonly resolved: boolean;
  readonly healed?: Attempt;
}

export type StateWriter = (queries: StoreQueries, change: StateChange, open: Incident | undefined) => Promise<Written>;

export function createStateWriter(announce: Announcer): StateWriter {
  return async function write(queries, change, open) {
    const { next, from, verdict } = change;
    if (change.again && (await isWritten(queries, change))) return { ...(open && { incident: open }), resolved: false };
    // A probe that broke says nothing: only a state that is not failing proves a fix.
    const proven = next.state === 'up' || next.state === 'degraded';
    const verified = open && proven ? await verifiedAttempt(queries, open) : undefined;
    await queries.saveProbeState(next);
    const changed = await writeIncident(queries, change, open, verified);
    await queries.insertTransition({
      ...{ probe: next.probe, from, to: next.state, at: next.since, reason: verdict.reason, summary: verdict.summary },
      ...(changed && { incidentId: changed.incident.id }),
    });
    failpoint('transition_open');
    const healed = verified && (await endHealed(queries, verified, next.since));
    const incident = changed && (await tell(queries, changed, verdict.summary, next.since));
    return {
      ...(incident && { incident }),
      resolved: changed?.event === 'resolved',
      ...(healed && { healed }),
    };
  };

  async function writeIncident(
    queries: StoreQueries,
    change: StateChange,
    open: Incident | undefined,
    verified: Attempt | undefined,
  ) {
    const { live, next, verdict, root, holdUntil, quiet } = change;
    const last = open ? undefined : await queries.lastIncident('probe', next.probe);
    const decided = incidentChange({
      ...{ probe: live.definition, to: next.state, reason: verdict.reason, summary: verdict.summary, now: next.since },
      ...{ open, last, root, holdUntil, quiet, healedBy: verified?.remediation },
    });
    if (!decided) return undefined;
    const id = (open ?? last)?.id;
    if (decided.action === 'insert' || id === undefined) {
      return { ...decided, incident: await queries.insertIncident(decided.incident) };
    }
    const incident: Incident = { ...decided.incident, id };
    await queries.updateIncident(incident);
    return { ...decided, incident };
  }

  async function tell(
    queries: StoreQueries,
    { incident, event, alert }: Told,
    summary: string,
    at: number,
  ): Promise<Incident> {
    await queries.addTimeline(timelineEntry(incident, at, event, summary));
    if (!alert) return incident;
    const note = event === 'lowered' ? `${incident.title} is better, but degraded: ${incident.cause}` : undefined;
    return announce(queries, { kind: alert, incident, ...(note !== undefined && { note }) });
  }

  /** An attempt that has settled is verified by the very change that takes its probe out of DOWN. */
  async function verifiedAttempt(queries: StoreQueries, incident: Incident): Promise<Attempt | undefined> {
    const [attempt] = await queries.attempts({ incidentId: incident.id, states: ['verifying'], limit: 1 });
    return attempt;
  }

  async function endHealed(queries: StoreQueries, attempt: Attempt, at: number): Promise<Attempt> {
    const healed: Attempt = { ...attempt, state: 'healed', endedAt: at };
    await queries.updateAttempt(healed);
    await queries.releaseLock(attempt.resource, attempt.fence);
    return healed;
  }
}

/** The newest transition of the probe is this very one. */
async function isWritten(queries: StoreQueries, { next, from }: StateChange): Promise<boolean> {
  const [newest] = await queries.transitions({ probe: next.probe, limit: 1 });
  return newest?.at === next.since && newest.from === from && newest.to === next.state;
}

type Told = Pick<NonNullable<ReturnType<typeof incidentChange>>, 'event' | 'alert'> & { readonly incident: Incident };
