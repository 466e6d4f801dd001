/**
 * Why an incident is open, told as it is now: when a probe fails for another reason than at first, and that is confirmed as
 * a change of state is, the incident says so. Nobody is woken for it.
 */
import { RetryableError } from '../errors.ts';
import type { Verdict } from '../model.ts';
import type { Clock } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';

/** After each verdict that leaves the state as it is. */
export type FollowCause = (probe: LiveProbe, verdict: Verdict) => Promise<void>;

/** A reason that comes and goes is written no more often than this. */
const CALM_MS = 60_000;

export function createFollowCause({
  clock,
  desk,
}: {
  readonly clock: Clock;
  readonly desk: IncidentDesk;
}): FollowCause {
  /** When it was last written, monotonic ms. */
  const writtenAt = new WeakMap<LiveProbe, number>();

  return async function follow(probe, verdict) {
    const { reason, summary } = verdict;
    const { name, failAfter } = probe.definition;
    probe.reasons = { reason, runs: probe.reasons?.reason === reason ? probe.reasons.runs + 1 : 1 };
    const incident = desk.ofProbe(name);
    if (!incident || incident.reason === reason || !speaksOf(probe, verdict)) return;
    const now = clock.monotonic();
    if (probe.reasons.runs < failAfter || now - (writtenAt.get(probe) ?? Number.NEGATIVE_INFINITY) < CALM_MS) return;
    try {
      await desk.edit(incident.id, {
        edit: (current) => (current.reason === reason ? undefined : { ...current, reason, cause: summary }),
        kind: 'reason_changed',
        text: `${summary} (${reason}; before: ${incident.reason})`,
      });
      writtenAt.set(probe, now);
    } catch (error) {
      // The store is away: the next verdict asks for the same again.
      if (!(error instanceof RetryableError)) throw error;
    }
  };
}

/** It agrees with the state: neither better nor worse, only different. */
function speaksOf({ state: { state } }: LiveProbe, { kind }: Verdict): boolean {
  return (state === 'down' && kind === 'fail') || (state === 'degraded' && kind === 'warn');
}
