/**
 * After the act: settle, then ask the probe until it proves the fix, or the time for that is over.
 */

import { withoutPasses } from '../engine/track.ts';
import { failpoint } from '../failpoint.ts';
import type { Attempt, Remediation } from '../model.ts';
import type { Clock, Store } from '../ports.ts';
import type { AttemptJournal } from './attempt-journal.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Question } from './plan-facts.ts';

/** Follows an attempt whose act is over to its end; after a stop of the daemon it is left as it stands. */
export type Verification = (acted: Attempt, question: Question) => Promise<Attempt>;

export interface VerificationParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly journal: AttemptJournal;
  runNow(probe: string): Promise<unknown>;
  readonly stopping: AbortSignal;
}

/** The fastest pace at which a verification asks. */
const MIN_PACE_MS = 250;

/** Exit 0 proves nothing: only `recover_after` runs that do not fail, after settling and in time, make it healed. */
export function createVerification({ store, clock, journal, runNow, stopping }: VerificationParts): Verification {
  return async function verify(acted, { live, remediation }) {
    const now = clock.now();
    const settleUntil = acted.settleUntil ?? now;
    const verifyUntil = acted.verifyUntil ?? now + remediation.verifyWithinMs;
    await settle(live, settleUntil - now);
    if (stopping.aborted) return acted;
    const verifying = await journal.save({ ...acted, state: 'verifying', settleUntil, verifyUntil });
    failpoint('attempt_verifying');
    const healed = await proof(verifying, live, remediation, verifyUntil);
    if (healed) return healed;
    if (stopping.aborted) return verifying;
    // Whether an act that a crash interrupted did anything is not known; that it did not heal is.
    const outcome = acted.actedAt === undefined ? 'unknown' : 'failed';
    return journal.end(verifying, outcome, `${remediation.name} did not bring it up in time`);
  };

  /** Runs of the warm-up are seen and stored, but count neither for nor against. */
  async function settle(live: LiveProbe, durationMs: number): Promise<void> {
    live.untracked = true;
    await pause(durationMs, stopping);
    live.state = withoutPasses(live.state);
    live.untracked = false;
  }

  async function proof(
    verifying: Attempt,
    live: LiveProbe,
    remediation: Remediation,
    until: number,
  ): Promise<Attempt | undefined> {
    const wasDown = live.state.state === 'down';
    for (let passes = 0; clock.now() < until && !stopping.aborted; ) {
      await runNow(live.definition.name);
      // A probe that was DOWN is verified by the transaction that takes it out of DOWN.
      const stored = await store.attempt(verifying.id);
      if (stored?.state === 'healed') return journal.healed(stored, `${remediation.name} healed it`);
      passes = live.last?.verdict.kind === 'pass' ? passes + 1 : 0;
      const proven = !wasDown && passes >= live.definition.recoverAfter;
      if (proven) return journal.end(verifying, 'healed', `${remediation.name} is verified`);
      await pause(Math.min(paceOf(live, remediation), until - clock.now()), stopping);
    }
    return undefined;
  }
}

/** Often enough that `recover_after` passes fit into the time for verification, never faster than a probe may be asked. */
function paceOf({ definition }: LiveProbe, remediation: Remediation): number {
  const everyMs = definition.schedule.kind === 'interval' ? definition.schedule.everyMs : 60_000;
  const fits = remediation.verifyWithinMs / (definition.recoverAfter + 2);
  return Math.max(MIN_PACE_MS, Math.min(definition.retryEveryMs ?? everyMs, fits));
}

/** A wait that ends early when the signal aborts. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, durationMs));
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
