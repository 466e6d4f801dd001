/**
 * How a notifier's channel is doing: until when it is left alone, whether its fallback stands in, and whether people should
 * hear that it does not take alerts. Times are monotonic; nothing here survives a restart, and nothing needs to.
 */
import type { Failed } from './alerter-delivery.ts';
import { type FailurePlan, planFailure } from './outbox-failure.ts';

/** A channel that fails for this long is trouble of our own. */
const UNHEALTHY_AFTER_MS = 2 * 60_000;

export interface ChannelParts {
  random(): number;
  /** Called once when the channel has failed for UNHEALTHY_AFTER_MS, and once when it delivers again. */
  onHealth(healthy: boolean, error?: string): void;
}

export interface Channel {
  /** Milliseconds until it may be tried again; 0 is now. */
  waitMs(monotonic: number): number;
  /** The fallback gets what is pending. */
  isAway(): boolean;
  delivered(): void;
  /** Returns what the failure means for its alert. */
  failed(failed: Failed, alert: { readonly id: number; readonly tries: number }, monotonic: number): FailurePlan;
  /** Tells when the channel has failed for too long. Returns the milliseconds until that would be so. */
  checkHealth(monotonic: number): number;
}

export function createChannel({ random, onHealth }: ChannelParts): Channel {
  let openAt = Number.NEGATIVE_INFINITY;
  let away = false;
  let proven = false;
  let failures = 0;
  let trouble: { readonly since: number; error: string; told: boolean } | undefined;
  const refused = new Set<number>();

  return {
    waitMs: (monotonic) => Math.max(0, openAt - monotonic),
    isAway: () => away,
    delivered() {
      // The first delivery says so too: an earlier process may have told of trouble that is over.
      if (trouble?.told || !proven) onHealth(true);
      proven = true;
      openAt = Number.NEGATIVE_INFINITY;
      away = false;
      failures = 0;
      trouble = undefined;
      refused.clear();
    },
    failed(failed, { id, tries }, monotonic) {
      if (failed.retry) failures += 1;
      else refused.add(id);
      trouble ??= { since: monotonic, error: failed.error, told: false };
      trouble.error = failed.error;
      const plan = planFailure({ failed, tries, failures, refused: refused.size, random: random() });
      if (plan.channelWaitMs > 0) openAt = monotonic + plan.channelWaitMs;
      if (plan.away) away = true;
      return plan;
    },
    checkHealth(monotonic) {
      if (!trouble || trouble.told) return Number.POSITIVE_INFINITY;
      const leftMs = trouble.since + UNHEALTHY_AFTER_MS - monotonic;
      if (leftMs > 0) return leftMs;
      trouble.told = true;
      onHealth(false, trouble.error);
      return Number.POSITIVE_INFINITY;
    },
  };
}
