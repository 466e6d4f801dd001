/**
 * A probe as it lives in this process: its definition, its state, and what its newest run saw.
 */
import { freshState, NO_STREAKS } from '../engine/track.ts';
import { createWindow, type RunWindow, type WindowSpec, windowSpecOf } from '../engine/window.ts';
import type { Probe, ProbeState, Reason } from '../model.ts';
import type { LastRun } from '../ports.ts';

export interface LiveProbe {
  definition: Probe;
  state: ProbeState;
  /** Absent when no condition uses a window: most probes cost nothing here. */
  window?: { readonly ring: RunWindow; readonly spec: WindowSpec };
  last?: LastRun;
  /** Monotonic ms at which the newest run ended, whatever it said. */
  endedAt?: number;
  /** Monotonic ms at which the newest verdict that says something about the target was reached. */
  judgedAt?: number;
  /** Wall clock at which the failures began that have not ended since: what the time to detect counts from. */
  firstFailureAt?: number;
  /** The reason of its newest verdicts, and how many in a row have had it. */
  reasons?: { readonly reason: Reason; readonly runs: number };
  /** A fix is acting or settling: runs are shown and stored, but count neither for nor against. */
  untracked: boolean;
  /** While a failing dependency is unconfirmed, DOWN waits; at most until then (monotonic ms). */
  confirmBy?: number;
}

/** A probe that runs: neither paused nor unconfigured. */
export function isActive(definition: Probe): boolean {
  return !definition.paused && definition.unset.length === 0;
}

/** The live probe of a definition; `stored` is its state from before, if there is one. */
export function createLiveProbe(definition: Probe, stored: ProbeState | undefined, now: number): LiveProbe {
  const window = windowOf(definition);
  return { definition, state: stateOf(definition, stored, now), untracked: false, ...(window && { window }) };
}

/** Takes over a changed definition. Another target clears window and streaks; the state stays for the next verdict to decide. */
export function redefine(live: LiveProbe, definition: Probe, now: number): void {
  const sameTarget = live.definition.targetRevision === definition.targetRevision;
  live.definition = definition;
  live.state = stateOf(definition, live.state, now);
  const window = windowOf(definition);
  if (window) live.window = window;
  else delete live.window;
  if (!sameTarget) delete live.last;
  if (!sameTarget) delete live.reasons;
  delete live.confirmBy;
}

/** Takes over a state that was stored while the definition may have changed. */
export function settle(live: LiveProbe, stored: ProbeState, now: number): void {
  live.state = stateOf(live.definition, stored, now);
}

function stateOf(definition: Probe, stored: ProbeState | undefined, now: number): ProbeState {
  const { name, targetRevision } = definition;
  const held = definition.unset.length > 0 ? 'unconfigured' : definition.paused ? 'paused' : undefined;
  if (held) return stored?.state === held ? stored : { ...freshState(name, targetRevision, now), state: held };
  if (stored === undefined || stored.state === 'paused' || stored.state === 'unconfigured')
    return freshState(name, targetRevision, now);
  return stored.targetRevision === targetRevision ? stored : { ...stored, streaks: NO_STREAKS, targetRevision };
}

function windowOf(definition: Probe): LiveProbe['window'] {
  const spec = windowSpecOf(definition);
  return spec && { spec, ring: createWindow(spec) };
}
