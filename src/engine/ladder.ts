/**
 * Which fix comes next. Pure.
 */
import type { Attempt, Bindings, Ladder, Refusal, Remediation, WindowReader } from '../model.ts';

/** Refusals that take a rung out of the running within one incident; every other no waits. */
const SPENT: ReadonlySet<Refusal> = new Set(['off', 'observe', 'unconfigured']);

/** The first ladder whose `when` holds for what was observed just now. */
export function chooseLadder(ladders: readonly Ladder[], bindings: Bindings, window: WindowReader): Ladder | undefined {
  return ladders.find(({ when }) => when === undefined || when.evaluate(bindings, window).outcome === 'true');
}

/**
 * The first rung that has tries left in this incident; undefined when the ladder is exhausted. An attempt whose outcome
 * stayed unknown counts, unless its remediation is idempotent. A rung whose target did not resolve is passed over while
 * another is left, and then waits: an engine that was away is back some time, and its containers can be healed again.
 * `attempts`: newest first.
 */
export function nextRung(
  ladder: Ladder,
  attempts: readonly Attempt[],
  remediations: ReadonlyMap<string, Remediation>,
): string | undefined {
  const used = (name: string) =>
    attempts.filter((attempt) => attempt.remediation === name && counts(attempt, remediations)).length;
  const left = ladder.rungs.filter(({ remediation, tries }) => used(remediation) < tries);
  return (left.find(({ remediation }) => !lacksTarget(remediation, attempts)) ?? left[0])?.remediation;
}

function lacksTarget(name: string, attempts: readonly Attempt[]): boolean {
  return attempts.find(({ remediation }) => remediation === name)?.refusal === 'target';
}

function counts(attempt: Attempt, remediations: ReadonlyMap<string, Remediation>): boolean {
  if (attempt.requestedBy !== 'healer') return false;
  if (attempt.state === 'refused') return attempt.refusal !== undefined && SPENT.has(attempt.refusal);
  if (attempt.state === 'unknown') return remediations.get(attempt.remediation)?.idempotent !== true;
  return attempt.startedAt !== undefined;
}
