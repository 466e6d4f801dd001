/**
 * After the act: settle, then ask the probe until it proves the fix, or the time for that is over.
 */

import { withoutPasses } from '../engine/track.ts';
import { failpoint } from '../failpoint.ts';
import type { Attempt, Remediation, VerdictKind } from '../model.ts';
import type { Clock, Registries } from '../ports.ts';
import type { AttemptJournal } from './attempt-journal.ts';
import { LEASE_SLACK_MS, type Prolong } from './attempt-lease.ts';
import type { Lock } from './attempt-locks.ts';
import { stillFails } from './items.ts';
import type { LiveProbe } from './live-probe.ts';
import { pause } from './pause.ts';
import type { Question } from './plan-facts.ts';

/**
 * Follows an attempt whose act is over to its end; after a stop of the daemon it is left as it stands.
 * `alsoLocked`: what it holds besides its own lock, as far as that is known.
 */
export type Verification = (acted: Attempt, question: Question, alsoLocked?: readonly Lock[]) => Promise<Attempt>;

export interface VerificationParts {
  readonly clock: Clock;
  readonly journal: AttemptJournal;
  readonly registries: Registries;
  runNow(probe: string): Promise<unknown>;
  /** False: the probe was paused or removed meanwhile, and cannot be asked. */
  isWatched(live: LiveProbe): boolean;
  /** Runs say nothing: the time for verification stands still. */
  isBlind(): boolean;
  readonly prolong: Prolong;
  readonly stopping: AbortSignal;
}

interface ProofParts {
  readonly live: LiveProbe;
  readonly remediation: Remediation;
  stayLocked(): Promise<void>;
}

/** The fastest pace at which a verification asks. */
const MIN_PACE_MS = 250;
/** While a verification waits longer than was planned, its locks are kept this often: before their slack is used up. */
const PROLONG_MS = LEASE_SLACK_MS / 2;

/** Exit 0 proves nothing: only `recover_after` runs that do not fail, after settling and in time, make it healed. */
export function createVerification(parts: VerificationParts): Verification {
  const { clock, journal, registries, runNow, isWatched, isBlind, prolong, stopping } = parts;

  return async function verify(acted, { live, remediation }, alsoLocked = []) {
    const now = clock.now();
    const settleUntil = acted.settleUntil ?? now;
    const verifyUntil = acted.verifyUntil ?? now + remediation.verifyWithinMs;
    const verifying = await settle(live, settleUntil - now, { ...acted, settleUntil, verifyUntil });
    if (stopping.aborted) return verifying;
    failpoint('attempt_verifying');
    const stayLocked = () => prolong(verifying, alsoLocked, remediation.verifyWithinMs);
    const proven = await proof(verifying, { live, remediation, stayLocked }, verifyUntil - clock.now());
    if (proven) return proven;
    if (stopping.aborted) return verifying;
    // Whether an act that a crash interrupted did anything is not known; that it did not heal is.
    const outcome = acted.actedAt === undefined ? 'unknown' : 'failed';
    return journal.end(verifying, outcome, `${remediation.name} did not bring it up in time`);
  };

  /**
   * Runs of the warm-up are seen and stored, but count neither for nor against. They count again only once the row says
   * that it is verifying: a recovery before that would not know what it verifies.
   */
  async function settle(live: LiveProbe, durationMs: number, acted: Attempt): Promise<Attempt> {
    live.untracked = true;
    try {
      await pause(durationMs, stopping);
      return stopping.aborted ? acted : await journal.save({ ...acted, state: 'verifying' });
    } finally {
      live.state = withoutPasses(live.state);
      live.untracked = false;
    }
  }

  /** A verification whose time was over while the daemon was away asks often enough to know. */
  async function proof(
    verifying: Attempt,
    { live, remediation, stayLocked }: ProofParts,
    withinMs: number,
  ): Promise<Attempt | undefined> {
    let until = clock.monotonic() + withinMs;
    let prolongedAt = Number.NEGATIVE_INFINITY;
    let asked = 0;
    for (let passes = 0; !stopping.aborted; asked += 1) {
      const { recoverAfter } = live.definition;
      if (isBlind()) {
        const now = clock.monotonic();
        until = Math.max(until, now + remediation.verifyWithinMs);
        if (now - prolongedAt >= PROLONG_MS) {
          prolongedAt = now;
          await stayLocked();
        }
      }
      if (clock.monotonic() >= until && (withinMs > 0 || asked >= recoverAfter)) return undefined;
      const seen = await ask(live);
      // A probe that was DOWN is verified by the transaction that takes it out of DOWN.
      const stored = await journal.stored(verifying.id);
      if (stored?.state === 'healed') return journal.healed(stored, `${remediation.name} healed it`);
      if (!isWatched(live)) return journal.end(verifying, 'unknown', `${live.definition.name} is not watched any more`);
      // Of several items the one that was acted on has to pass, whatever the others do.
      const others = seen === 'fail' && stillFails(verifying, live, remediation, registries) === false;
      passes = seen === 'pass' || others ? passes + 1 : 0;
      const proven = (live.state.state !== 'down' || others) && passes >= recoverAfter;
      if (proven) return journal.end(verifying, 'healed', `${remediation.name} is verified`);
      const leftMs = until - clock.monotonic();
      await pause(leftMs > 0 ? Math.min(paceOf(live, remediation), leftMs) : MIN_PACE_MS, stopping);
    }
    return undefined;
  }

  /** undefined: it could not be asked. */
  async function ask(live: LiveProbe): Promise<VerdictKind | undefined> {
    const before = live.endedAt;
    await runNow(live.definition.name);
    return live.endedAt === before ? undefined : live.last?.verdict.kind;
  }
}

/** Often enough that `recover_after` passes fit into the time for verification, never faster than a probe may be asked. */
function paceOf({ definition }: LiveProbe, remediation: Remediation): number {
  const everyMs = definition.schedule.kind === 'interval' ? definition.schedule.everyMs : 60_000;
  const fits = remediation.verifyWithinMs / (definition.recoverAfter + 2);
  return Math.max(MIN_PACE_MS, Math.min(definition.retryEveryMs ?? everyMs, fits));
}
