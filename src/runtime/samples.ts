/**
 * Between a live probe and the engine: what goes into its window and into the store.
 */
import { NO_WINDOW } from '../engine/condition.ts';
import { bindingsOf, recordedValues, windowlessError } from '../engine/judge.ts';
import { refill, sampleOf } from '../engine/window.ts';
import type { Bindings, Observation, Probe, Result, Show, Verdict, WindowReader } from '../model.ts';
import type { Store } from '../ports.ts';
import type { LiveProbe } from './live-probe.ts';

/** The run counts in the windows that judge it. */
export function pushSample({ window, definition }: LiveProbe, observation: Observation): void {
  if (!window) return;
  const sample = sampleOf(observation, windowlessError(definition, observation), window.spec.numericPaths);
  if (sample) window.ring.push(sample);
}

export function windowReader({ window }: LiveProbe, now: number): WindowReader {
  return window?.ring.reader(now) ?? NO_WINDOW;
}

/** What a `when:` reads: the newest observation, under the reason that its verdict gave it. */
export function newestBindings({ last }: LiveProbe): Bindings | undefined {
  return last && bindingsOf(last.observation, last.verdict.reason);
}

export function resultOf(definition: Probe, observation: Observation, verdict: Verdict, show: Show): Result {
  return {
    probe: definition.name,
    at: observation.startedAt,
    latencyMs: observation.latencyMs,
    reason: verdict.reason,
    verdict: verdict.kind,
    revision: definition.revision,
    // A pass and a warning have every `expect` true; only a failure must be looked at again.
    error: verdict.kind === 'fail' && windowlessError(definition, observation),
    values: recordedValues(definition, observation, show),
  };
}

/** Fills a fresh window from what is stored: a restart does not blind the conditions that look back. */
export async function refillWindow({ window, definition }: LiveProbe, store: Store, now: number): Promise<void> {
  if (!window) return;
  const { spanMs, everyMs } = window.spec;
  const limit = Math.ceil((2 * spanMs) / everyMs) + 100;
  const results = await store.results({ probe: definition.name, from: now - spanMs, to: now, limit });
  refill(window.ring, window.spec, results);
}
