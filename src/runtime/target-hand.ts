/**
 * Asks an action type whether a person's hand is on its target, where the probe looks at something else: a fix of an
 * HTTP probe must not start a container that somebody stopped.
 */
import type { Intervention } from '../model.ts';
import type { Clock, Log, Registries } from '../ports.ts';
import { observedBy } from './items.ts';
import type { Question } from './plan-facts.ts';

export type TargetHand = (question: Question) => Promise<Intervention | undefined>;

export interface TargetHandParts {
  readonly registries: Registries;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

const TIMEOUT_MS = 5_000;

export function createTargetHand({ registries, clock, log, stopping }: TargetHandParts): TargetHand {
  return async function handOn({ remediation, live, item, byHand }) {
    // What is not configured, or asked for by a person, is planned without it.
    if (byHand || remediation.unset.length > 0) return undefined;
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(TIMEOUT_MS)]);
    const action = registries.actionTypes[remediation.type];
    const observed = observedBy(live, registries, item);
    return action?.intervention?.(remediation.spec, observed, { signal, timeoutMs: TIMEOUT_MS, clock, log });
  };
}
