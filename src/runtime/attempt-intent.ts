/**
 * Before the act: plan, lock and intent in one transaction; evidence; then the last look. Until its end nothing lasting
 * has happened, and every no is a refusal.
 */
import { RetryableError } from '../errors.ts';
import type { Attempt, Plan, Resource } from '../model.ts';
import type { ActionInput, Clock, Meter, Store } from '../ports.ts';
import type { ActionRunner } from './action-runner.ts';
import type { AttemptJournal } from './attempt-journal.ts';
import { LEASE_SLACK_MS } from './attempt-lease.ts';
import { freeLocks, type Lock, renewLocks, takeLocks } from './attempt-locks.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { failingOf, itemNow } from './items.ts';
import { type No, type Planner, type Question, storeAway } from './plan-facts.ts';
import type { TargetHand } from './target-hand.ts';

export interface AttemptRequest extends Question {
  readonly requestedBy: string;
}

export interface IntentParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  readonly handOn: TargetHand;
  readonly journal: AttemptJournal;
  readonly runAction: ActionRunner;
  runNow(probe: string): Promise<unknown>;
  redact(text: string): string;
  readonly stopping: AbortSignal;
}

export interface Intended {
  readonly plan: Plan;
  readonly attempt?: Attempt;
  /** Held besides the attempt's own lock, which its row frees. After a crash they end with their lease. */
  readonly alsoLocked?: readonly Lock[];
  /** What the failing probe observed, and the fix acts on. */
  readonly observed?: Resource;
}

export interface Intent {
  intend(request: AttemptRequest): Promise<Intended>;
  /** Evidence, then every question once more. undefined: act. */
  lastLook(
    request: AttemptRequest,
    intended: Attempt,
    alsoLocked: readonly Lock[],
    input: ActionInput,
  ): Promise<No | undefined>;
  refuse(intended: Attempt, no: No): Promise<Attempt>;
  free(alsoLocked: readonly Lock[]): Promise<void>;
}

const EVIDENCE_TIMEOUT_MS = 10_000;
const EVIDENCE_CHARS = 16_384;

export function createIntent(parts: IntentParts): Intent {
  const { store, clock, meter, desk, planner, handOn, journal, runAction, runNow, redact, stopping } = parts;

  function leaseUntil({ remediation }: Question): number {
    return clock.now() + remediation.timeoutMs + remediation.settleMs + remediation.verifyWithinMs + LEASE_SLACK_MS;
  }

  /** An intent whose answer was lost is found, and taken back, when the store is back. */
  async function intend(request: AttemptRequest): Promise<Intended> {
    const hand = await handOn(request);
    try {
      return await writeIntent({ ...request, hand });
    } catch (error) {
      if (error instanceof RetryableError) return { plan: storeAway(error) };
      throw error;
    }
  }

  /** What the plan counted cannot change before the intent is written: both are one transaction. */
  function writeIntent(request: AttemptRequest): Promise<Intended> {
    const { remediation, live, incident, requestedBy } = request;
    return store.transaction(async (queries) => {
      const { plan, resource, alsoLocks, observed } = await planner(queries, request);
      if (!plan.go || resource === undefined) return { plan };
      const now = clock.now();
      const lease = { owner: remediation.name, now, until: leaseUntil(request) };
      const { own, also: alsoLocked, held } = await takeLocks(queries, resource, alsoLocks, lease);
      if (!own) return { plan: locked(`${held} is locked by another fix`, now + 1_000) };
      const attempt = await queries.insertAttempt({
        ...(incident && { incidentId: incident.id }),
        ...{ probe: live.definition.name, remediation: remediation.name, type: remediation.type, resource },
        ...{ requestedBy, state: 'intended', intendedAt: now, fence: own.fence },
      });
      const detail = `on ${resource} for ${live.definition.name}`;
      await queries.addAudit({ at: now, actor: requestedBy, action: 'attempt', subject: remediation.name, detail });
      return { plan, attempt, alsoLocked, ...(observed && { observed }) };
    });
  }

  async function captureEvidence({ remediation, incident }: AttemptRequest, input: ActionInput): Promise<void> {
    if (!incident) return;
    for (const call of remediation.evidence) {
      const { output, error } = await runAction(call.type, call.spec, input, EVIDENCE_TIMEOUT_MS);
      const text = redact(output ?? error ?? 'nothing').slice(-EVIDENCE_CHARS);
      await desk.note(incident.id, { kind: 'evidence', text });
    }
  }

  async function lastLook(
    request: AttemptRequest,
    intended: Attempt,
    alsoLocked: readonly Lock[],
    input: ActionInput,
  ): Promise<No | undefined> {
    try {
      await captureEvidence(request, input);
      return await askAgain(request, intended, alsoLocked);
    } catch (error) {
      if (error instanceof RetryableError) return storeAway(error);
      throw error;
    }
  }

  /** The probe once more, then the whole plan once more, then the lock. */
  async function askAgain(
    request: AttemptRequest,
    intended: Attempt,
    alsoLocked: readonly Lock[],
  ): Promise<No | undefined> {
    if (!request.byHand) {
      const before = request.live.endedAt;
      await runNow(request.live.definition.name);
      if (request.live.endedAt === before) return no('not_confirmed', 'the probe could not be asked again');
      const kind = request.live.last?.verdict.kind;
      if (kind === 'pass' || kind === 'warn') return no('recovered', 'the probe did not fail when asked again');
      const { live, item } = request;
      if (item && failingOf(live) && !itemNow(live, item))
        return no('recovered', `${item.item} did not fail when asked again`);
      if (request.live.last?.verdict.unknown === 'blind') return no('blind', 'no vantage probe answers: it may be us');
      if (kind !== 'fail') return no('not_confirmed', 'the probe could not tell when asked again');
    }
    if (stopping.aborted) return no('stopping', 'the daemon is stopping');
    const incident = request.incident && desk.byId(request.incident.id);
    if (request.incident && !incident) return no('recovered', 'the incident was closed meanwhile');
    const { plan } = await planner(store, { ...request, incident, hand: await handOn(request) });
    if (!plan.go) return plan;
    const lost = await renewLocks(store, [intended, ...alsoLocked], leaseUntil(request));
    return lost === undefined ? undefined : locked(`the lock of ${lost} was lost`);
  }

  async function refuse(intended: Attempt, { refusal, detail }: No): Promise<Attempt> {
    const refused: Attempt = { ...intended, state: 'refused', refusal, error: detail, endedAt: clock.now() };
    const text = `${intended.remediation} was not run (${refusal}): ${detail}`;
    await journal.close(refused, { kind: 'refused', text, alert: false });
    meter.refused(intended.remediation, refusal);
    return refused;
  }

  /** While the store is away they end with their lease, as after a crash. */
  async function free(alsoLocked: readonly Lock[]): Promise<void> {
    try {
      await freeLocks(store, alsoLocked);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
    }
  }

  return { intend, lastLook, refuse, free };
}

function no(refusal: No['refusal'], detail: string): No {
  return { go: false, refusal, detail };
}

function locked(detail: string, retryAt?: number): No {
  return { ...no('locked', detail), ...(retryAt !== undefined && { retryAt }) };
}
