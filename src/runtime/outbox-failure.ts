/**
 * What a failed delivery means for its alert, for the channel and for the fallback. Pure.
 *
 * No failure loses an alert. A channel that cannot be reached makes all its alerts wait, with exponential back-off and
 * full jitter. A refusal that trying again cannot mend (`retry: false`: a wrong token, a body the receiver rejects) may
 * concern one alert only: that one is tried again slowly, since an operator may mend the cause, and the others go on;
 * when several are refused in a row, it is the channel.
 */
import type { Failed } from './alerter-delivery.ts';

const MIN_BACK_OFF_MS = 1_000;
export const MAX_BACK_OFF_MS = 5 * 60_000;
/** A channel that asks for a longer wait is not believed. */
const MAX_RETRY_AFTER_MS = 60 * 60_000;
/** Failures of an alert, or of a channel in a row, after which the fallback takes over. */
const PATIENCE = 3;
/** The fallback does not sit out a wait longer than this. */
const LONG_WAIT_MS = 60_000;

export interface FailureFacts {
  readonly failed: Failed;
  /** Of this alert, this one included. */
  readonly tries: number;
  /** Of the channel in a row, this one included. */
  readonly failures: number;
  /** Different alerts refused with `retry: false` since the last delivery, this one included. */
  readonly refused: number;
  /** Uniform in [0, 1). */
  readonly random: number;
}

export interface FailurePlan {
  /** For this alert alone; 0: it goes as soon as the channel is tried again. */
  readonly alertWaitMs: number;
  /** For every alert of the channel. */
  readonly channelWaitMs: number;
  /** The fallback gets a copy of this alert. */
  readonly handOver: boolean;
  /** The fallback gets a copy of every alert until the channel delivers again. */
  readonly away: boolean;
}

export function planFailure({ failed, tries, failures, refused, random }: FailureFacts): FailurePlan {
  if (!failed.retry) {
    const away = refused >= PATIENCE;
    return {
      alertWaitMs: MAX_BACK_OFF_MS,
      channelWaitMs: away ? MAX_BACK_OFF_MS : 0,
      handOver: true,
      away,
    };
  }
  const waitMs = failed.retryAfterMs === undefined ? backOff(failures, random) : asked(failed.retryAfterMs);
  const away = failures >= PATIENCE || waitMs > LONG_WAIT_MS;
  return {
    alertWaitMs: 0,
    channelWaitMs: waitMs,
    handOver: failed.timedOut || tries >= PATIENCE || away,
    away,
  };
}

/** Between 1 s and a ceiling that doubles from 2 s to 5 min. */
export function backOff(failures: number, random: number): number {
  const ceiling = Math.min(MAX_BACK_OFF_MS, MIN_BACK_OFF_MS * 2 ** Math.min(failures, 20));
  return MIN_BACK_OFF_MS + random * (ceiling - MIN_BACK_OFF_MS);
}

function asked(retryAfterMs: number): number {
  return Math.min(Math.max(retryAfterMs, 0), MAX_RETRY_AFTER_MS);
}
