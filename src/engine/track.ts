/**
 * The tracker: a verdict and the last state in, the next state out. Pure.
 *
 * A state changes only when enough consecutive runs agree: `failAfter` runs to get worse, `recoverAfter` to get better.
 * A probe that was never judged is believed at its first pass.
 */
import type { ProbeState, StateName, Verdict } from '../model.ts';

export interface Thresholds {
  readonly failAfter: number;
  readonly recoverAfter: number;
}

export interface Tracked {
  readonly state: ProbeState;
  readonly change?: { readonly from: StateName; readonly to: StateName };
  /** The newest runs point away from the state: time to ask more often. */
  readonly confirming: boolean;
}

type Streaks = ProbeState['streaks'];

export const NO_STREAKS: Streaks = { passing: 0, notFailing: 0, failing: 0, notPassing: 0, internal: 0 };

/** The state of a probe that was never judged, or whose target changed. */
export function freshState(probe: string, targetRevision: string, now: number): ProbeState {
  return { probe, state: 'unknown', since: now, streaks: NO_STREAKS, targetRevision };
}

/** *Unknown* for what we suffered ourselves: it counts neither for nor against anything, and we tell of it elsewhere. */
export function isOurTrouble({ kind, unknown }: Verdict): boolean {
  return kind === 'unknown' && unknown !== 'internal' && unknown !== 'witness_away';
}

/** One verdict further. An *unknown* of our own making (paused, blind, suspect) leaves everything as it was. */
export function track(state: ProbeState, verdict: Verdict, thresholds: Thresholds, now: number): Tracked {
  if (isOurTrouble(verdict)) return { state, confirming: isConfirming(state) };
  const streaks = nextStreaks(state, verdict);
  const to = nextName(state.state, verdict, streaks, thresholds);
  if (to === state.state && !breaks(state, streaks, thresholds)) {
    const next = { ...state, streaks };
    return { state: next, confirming: isConfirming(next) };
  }
  const next: ProbeState = { ...state, state: to, since: now, streaks };
  return { state: next, change: { from: state.state, to }, confirming: isConfirming(next) };
}

/** A probe that was never judged and cannot tell goes from *unknown* to *unknown*, yet that must be told. */
function breaks(before: ProbeState, { internal }: Streaks, { failAfter }: Thresholds): boolean {
  return before.state === 'unknown' && internal >= failAfter && before.streaks.internal < failAfter;
}

/** Its runs have not said anything yet, not even that they cannot tell. */
export function isUnjudged({ state, streaks }: ProbeState, { failAfter }: Thresholds): boolean {
  return state === 'unknown' && streaks.internal < failAfter;
}

/** Forgets the passes seen so far: what came before a fix had settled proves nothing about it. */
export function withoutPasses(state: ProbeState): ProbeState {
  return { ...state, streaks: { ...state.streaks, passing: 0, notFailing: 0 } };
}

function nextStreaks(state: ProbeState, verdict: Verdict): Streaks {
  const { passing, notFailing, failing, notPassing, internal } = state.streaks;
  // While the state is unknown because the probe cannot tell, that count stays: it tells this state from a fresh one.
  const kept = state.state === 'unknown' ? internal : 0;
  switch (verdict.kind) {
    case 'pass':
      return { passing: passing + 1, notFailing: notFailing + 1, failing: 0, notPassing: 0, internal: kept };
    case 'warn':
      return { passing: 0, notFailing: notFailing + 1, failing: 0, notPassing: notPassing + 1, internal: kept };
    case 'fail':
      return { passing: 0, notFailing: 0, failing: failing + 1, notPassing: notPassing + 1, internal: kept };
    case 'unknown':
      // Passes before a broken run must not add up with passes after it; failures stand, lest alternating ones hide a fault.
      return { passing: 0, notFailing: 0, failing, notPassing, internal: internal + 1 };
  }
}

function nextName(
  state: StateName,
  verdict: Verdict,
  streaks: Streaks,
  { failAfter, recoverAfter }: Thresholds,
): StateName {
  if (verdict.kind === 'unknown') return streaks.internal >= failAfter ? 'unknown' : state;
  if (streaks.failing >= failAfter) return 'down';
  switch (state) {
    case 'down':
      if (streaks.passing >= recoverAfter) return 'up';
      return streaks.notFailing >= recoverAfter ? 'degraded' : 'down';
    case 'degraded':
      return streaks.passing >= recoverAfter ? 'up' : 'degraded';
    case 'up':
      return streaks.notPassing >= failAfter ? 'degraded' : 'up';
    default:
      if (streaks.passing >= (streaks.internal > 0 ? recoverAfter : 1)) return 'up';
      return streaks.notPassing >= failAfter ? 'degraded' : 'unknown';
  }
}

function isConfirming({ state, streaks }: ProbeState): boolean {
  if (streaks.internal > 0 && state !== 'unknown') return true;
  switch (state) {
    case 'up':
      return streaks.notPassing > 0;
    case 'degraded':
      return streaks.failing > 0 || streaks.passing > 0;
    case 'down':
      return streaks.notFailing > 0;
    default:
      return streaks.notPassing > 0 || streaks.passing > 0;
  }
}
