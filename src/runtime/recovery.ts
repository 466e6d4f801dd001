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

/**
 * Hands every open attempt to the healer, which tries nothing else on its probe meanwhile. It returns when all are handed
 * over and before anything is probed, so that no verdict comes between an act and its verification.
 */
export async function recoverAttempts(parts: RecoveryParts): Promise<void> {
  const open = await parts.store.attempts({ states: ['intended', 'running', 'settling', 'verifying'], limit: 1_000 });
  // While we run, an attempt on a probe that is busy is our own.
  const left = open.filter(({ probe }) => !parts.healer.isBusy(probe));
  for (const attempt of left) parts.healer.adopt(attempt, recover(attempt, parts));
}

async function recover(attempt: Attempt, parts: RecoveryParts): Promise<void> {
  const { log, journal, desk } = parts;
  log.warn('attempt_found', { attempt: attempt.id, remediation: attempt.remediation, state: attempt.state });
  if (neverActed(attempt, parts)) return takeBack(attempt, journal);
  const live = parts.live(attempt.probe);
  const remediation = parts.configuration().remediations.get(attempt.remediation);
  if (live) live.untracked = true;
  try {
    await endOrphan(attempt, desk);
    if (!live || !remediation) {
      await journal.end(attempt, 'unknown', `${attempt.remediation} was interrupted, and its definition is gone`);
      return;
    }
    const incident = desk.ofProbe(attempt.probe);
    await parts.verify(attempt, { live, remediation, incident, byHand: attempt.requestedBy !== 'healer' });
  } finally {
    if (live) live.untracked = false;
  }
}

async function endOrphan({ child, incidentId, remediation }: Attempt, desk: IncidentDesk): Promise<void> {
  if (!child || findOrphan(child) === 'gone') return;
  await killOrphan(child);
  if (incidentId === undefined) return;
  await desk.note(incidentId, {
    kind: 'orphan_ended',
    text: `ended ${remediation}, which had outlived the daemon`,
  });
}

/** Proven: the intent was never followed by a start, or its child still stood at the gate. */
function neverActed({ state, type, child }: Attempt, { gated }: RecoveryParts): boolean {
  return state === 'intended' || (state === 'running' && gated(type) && child === undefined);
}

/** Such an attempt counts for nothing, and the healer decides afresh. */
async function takeBack(attempt: Attempt, journal: AttemptJournal): Promise<void> {
  const { startedAt: _started, ...rest } = attempt;
  const refused: Attempt = {
    ...{ ...rest, state: 'refused', refusal: 'stopping' },
    ...{ error: 'the daemon ended before the act', endedAt: attempt.intendedAt },
  };
  const text = `${attempt.remediation} had not acted when the daemon ended`;
  await journal.close(refused, { kind: 'attempt_taken_back', text, alert: false });
}
