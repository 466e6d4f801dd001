/**
 * Flapping: an incident that opens and ends again and again. People are told so often and no more; when it has been told
 * long enough ago, they hear what is so by then, if it is not what they believe. Pure.
 */
import type { AlertKind, RateLimit } from '../model.ts';

export interface Told {
  readonly kind: AlertKind;
  readonly at: number;
}

/** The kinds that say whether it is open. */
export const CHANGES: ReadonlySet<AlertKind> = new Set(['opened', 'reopened', 'resolved']);
/** Those that may wait: what is new is always told. */
export const MAY_WAIT: ReadonlySet<AlertKind> = new Set(['reopened', 'resolved']);

/** Until when no further change is told; undefined: it may be. `told`: what people heard of it, newest first. */
export function flappingUntil(told: readonly Told[], limit: RateLimit, now: number): number | undefined {
  // What lies ahead was told before the clock was set back.
  const changes = told.filter(({ kind, at }) => CHANGES.has(kind) && at <= now);
  const first = changes[limit.count - 1];
  const until = first && first.at + limit.windowMs;
  return until !== undefined && until > now ? until : undefined;
}

/** What is owed after this change, when it is not told: nothing if people believe it already. */
export function owedAfter(kind: AlertKind, told: readonly Told[]): AlertKind | undefined {
  const believed = told.find((each) => CHANGES.has(each.kind))?.kind;
  return (believed === 'resolved') === (kind === 'resolved') ? undefined : kind;
}
