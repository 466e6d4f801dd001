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
  const left = ladder.rungs.filter(({ remediation, tries }) => {
    const ours = attempts.filter((attempt) => attempt.remediation === remediation && attempt.requestedBy === 'healer');
    const definition = remediations.get(remediation);
    if (ours.some((attempt) => isSpent(attempt, definition, ceiling))) return false;
    return ours.filter((attempt) => counts(attempt, definition)).length < tries;
  });
  return (left.find(({ remediation }) => !lacksTarget(remediation, attempts)) ?? left[0])?.remediation;
}

function lacksTarget(name: string, attempts: readonly Attempt[]): boolean {
  return attempts.find(({ remediation }) => remediation === name)?.refusal === 'target';
}

function counts(attempt: Attempt, definition: Remediation | undefined): boolean {
  if (attempt.state === 'refused') return false;
  if (attempt.state === 'unknown') return definition?.idempotent !== true;
  return attempt.startedAt !== undefined;
}

/**
 * Refusals that lie in the definition use the rung up with all of its tries, for as long as the definition says so; every
 * other no waits.
 */
function isSpent({ state, refusal }: Attempt, definition: Remediation | undefined, ceiling: HealingMode): boolean {
  if (state !== 'refused') return false;
  if (!definition) return true;
  if (refusal === 'unconfigured') return definition.unset.length > 0;
  return (refusal === 'off' || refusal === 'observe') && strictest(definition.mode, ceiling) === refusal;
}
