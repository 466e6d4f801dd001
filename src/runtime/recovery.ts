/**
 * Takes up what an earlier process left in the middle. An act whose outcome is unknown is verified, never blindly repeated.
 */
import type { Attempt, Configuration } from '../model.ts';
import type { Log, Store } from '../ports.ts';
import { findOrphan, killOrphan } from '../shared/child-process.ts';
import type { AttemptJournal } from './attempt-journal.ts';
import type { Healer } from './healer.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Verification } from './verification.ts';

export interface RecoveryParts {
  readonly store: Store;
  readonly log: Log;
  readonly desk: IncidentDesk;
  readonly journal: AttemptJournal;
  readonly verify: Verification;
  readonly healer: Healer;
  configuration(): Configuration;
  live(name: string): LiveProbe | undefined;
  /** True for action types whose children wait at a gate until their process id is stored. */
  gated(type: string): boolean;
}

export async function recoverAttempts(parts: RecoveryParts): Promise<void> {
  const open = await parts.store.attempts({ states: ['intended', 'running', 'settling', 'verifying'], limit: 1_000 });
  for (const attempt of open) await recover(attempt, parts);
}

async function recover(attempt: Attempt, parts: RecoveryParts): Promise<void> {
  const { log, desk } = parts;
  log.warn('attempt_found', { attempt: attempt.id, remediation: attempt.remediation, state: attempt.state });
  if (neverActed(attempt, parts)) return closeUnstarted(attempt, parts);
  if (attempt.child && findOrphan(attempt.child) === 'running') {
    await killOrphan(attempt.child);
    if (attempt.incidentId !== undefined)
      await desk.note(attempt.incidentId, {
        kind: 'orphan_ended',
        text: `ended ${attempt.remediation}, which had outlived the daemon`,
      });
  }
  const live = parts.live(attempt.probe);
  const remediation = parts.configuration().remediations.get(attempt.remediation);
  if (!live || !remediation) {
    await parts.journal.end(attempt, 'unknown', `${attempt.remediation} was interrupted, and its definition is gone`);
    return;
  }
  const incident = desk.ofProbe(attempt.probe);
  parts.healer.adopt(
    attempt,
    parts.verify(attempt, { live, remediation, incident, byHand: attempt.requestedBy !== 'healer' }),
  );
}

/** Proven: the intent was never followed by a start, or its child still stood at the gate. */
function neverActed({ state, type, child }: Attempt, { gated }: RecoveryParts): boolean {
  return state === 'intended' || (state === 'running' && gated(type) && child === undefined);
}

/** Such an attempt is taken back, so that it counts for nothing and the healer may decide afresh. */
async function closeUnstarted(attempt: Attempt, { store, desk }: RecoveryParts): Promise<void> {
  const { startedAt: _started, ...rest } = attempt;
  await store.updateAttempt({
    ...rest,
    state: 'refused',
    refusal: 'stopping',
    error: 'the daemon ended before the act',
    endedAt: attempt.intendedAt,
  });
  await store.releaseLock(attempt.resource, attempt.fence);
  if (attempt.incidentId !== undefined)
    await desk.note(attempt.incidentId, {
      kind: 'attempt_taken_back',
      text: `${attempt.remediation} had not acted when the daemon ended`,
    });
}
