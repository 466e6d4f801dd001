/**
 * Which fix comes next. Pure.
 */
import type { Attempt, Bindings, HealingMode, Ladder, Remediation, WindowReader } from '../model.ts';
import { strictest } from './plan.ts';

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
  ceiling: HealingMode,
): string | undefined {
  const used = (name: string) =>
    attempts.filter((attempt) => attempt.remediation === name && counts(attempt, remediations.get(name), ceiling))
      .length;
  const left = ladder.rungs.filter(({ remediation, tries }) => used(remediation) < tries);
  return (left.find(({ remediation }) => !lacksTarget(remediation, attempts)) ?? left[0])?.remediation;
}

function lacksTarget(name: string, attempts: readonly Attempt[]): boolean {
  return attempts.find(({ remediation }) => remediation === name)?.refusal === 'target';
}

function counts(attempt: Attempt, definition: Remediation | undefined, ceiling: HealingMode): boolean {
  if (attempt.requestedBy !== 'healer') return false;
  if (attempt.state === 'refused') return isSpent(attempt, definition, ceiling);
  if (attempt.state === 'unknown') return definition?.idempotent !== true;
  return attempt.startedAt !== undefined;
}

/** Refusals that lie in the definition use the rung up, for as long as the definition says so; every other no waits. */
function isSpent({ refusal }: Attempt, definition: Remediation | undefined, ceiling: HealingMode): boolean {
  if (!definition) return true;
  if (refusal === 'unconfigured') return definition.unset.length > 0;
  return (refusal === 'off' || refusal === 'observe') && strictest(definition.mode, ceiling) === refusal;
}
