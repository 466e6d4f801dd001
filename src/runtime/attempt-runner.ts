/**
 * One attempt from intent to its proven end. Each step is a committed row before the next thing happens:
 * `intended → running → settling → verifying → healed | failed | unknown`, or `refused` before any act.
 */
import { dirname, resolve } from 'node:path';
import { withoutPasses } from '../engine/track.ts';
import { AppError, messageOf } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Attempt, Plan, Remediation, Resource } from '../model.ts';
import type { ActionInput, ActionOutput, Clock, Context, Log, Meter, Registries, Store } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { Planner, Question } from './plan-facts.ts';

export interface AttemptRunnerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly registries: Registries;
  readonly desk: IncidentDesk;
  readonly planner: Planner;
  runNow(probe: string): Promise<unknown>;
  readonly environment: Context['environment'];
  /** Absolute folder of the home: files of definitions are named relative to it. */
  home(): string;
  redact(text: string): string;
  /** Aborts when acts under way must end because the daemon does. */
  readonly stopping: AbortSignal;
}

export interface AttemptRequest extends Question {
  readonly requestedBy: string;
}

export interface AttemptRunner {
  /** Plans and, if the answer is yes, carries it out to its end. */
  attempt(request: AttemptRequest): Promise<{ readonly plan: Plan; readonly attempt?: Attempt }>;
  /** Takes up an attempt whose act is over, as after a restart. */
  verify(attempt: Attempt, request: Question): Promise<Attempt>;
  end(attempt: Attempt, state: 'failed' | 'unknown' | 'healed', text: string): Promise<Attempt>;
}

/** Locks outlive what they guard by this much, so that a slow step does not lose them. */
const LEASE_SLACK_MS = 60_000;
const EVIDENCE_TIMEOUT_MS = 10_000;
const EVIDENCE_CHARS = 16_384;
const OUTPUT_CHARS = 131_072;
/** The fastest pace at which a verification asks. */
const MIN_VERIFY_PACE_MS = 250;

export function createAttemptRunner(parts: AttemptRunnerParts): AttemptRunner {
  const { store, clock, log, meter, registries, desk, planner, runNow, redact, environment, stopping } = parts;

  async function save(attempt: Attempt): Promise<Attempt> {
    await store.updateAttempt(attempt);
    log.info('attempt', {
      attempt: attempt.id,
      remediation: attempt.remediation,
      resource: attempt.resource,
      state: attempt.state,
      refusal: attempt.refusal,
      probe: attempt.probe,
      incident: attempt.incidentId,
    });
    return attempt;
  }

  async function tell(attempt: Attempt, kind: string, text: string, alert = true): Promise<void> {
    if (attempt.incidentId !== undefined)
      await desk.note(attempt.incidentId, { kind, text }, alert ? 'progress' : undefined);
  }

  /** Plan, lock and intent are one transaction: what the plan counted cannot change before the intent is written. */
  function intend(request: AttemptRequest): Promise<{ plan: Plan; attempt?: Attempt; observed?: Resource }> {
    const { remediation, live, incident, requestedBy } = request;
    return store.transaction(async (queries) => {
      const { plan, resource, observed } = await planner(queries, request);
      if (!plan.go || resource === undefined) return { plan };
      const now = clock.now();
      const lease = now + remediation.timeoutMs + remediation.settleMs + remediation.verifyWithinMs + LEASE_SLACK_MS;
      const fence = await queries.acquireLock(resource, remediation.name, now, lease);
      if (fence === undefined)
        return {
          plan: { go: false, refusal: 'locked', detail: `${resource} is locked by another fix`, retryAt: now + 1_000 },
        };
      const attempt = await queries.insertAttempt({
        ...(incident && { incidentId: incident.id }),
        ...{ probe: live.definition.name, remediation: remediation.name, type: remediation.type, resource },
        ...{ requestedBy, state: 'intended', intendedAt: now, fence },
      });
      await queries.addAudit({
        at: now,
        actor: requestedBy,
        action: 'attempt',
        subject: remediation.name,
        detail: `on ${resource} for ${live.definition.name}`,
      });
      return { plan, attempt, ...(observed && { observed }) };
    });
  }

  async function attempt(request: AttemptRequest): Promise<{ plan: Plan; attempt?: Attempt }> {
    const { plan, attempt: intended, observed } = await intend(request);
    if (!intended) return { plan };
    failpoint('attempt_intended');
    const { live, remediation } = request;
    const folder = resolve(parts.home(), dirname(request.remediation.location.file));
    const input = inputOf(request, intended, observed, folder);
    await captureEvidence(request, input);
    const no = await askAgain(request, intended);
    if (no) return { plan: no, attempt: await refuse(intended, no) };
    // Nothing this probe sees while the fix acts and settles may count for or against it.
    live.untracked = true;
    try {
      const running = await save({ ...intended, state: 'running', startedAt: clock.now() });
      await tell(running, 'attempt_started', `trying ${remediation.name} on ${running.resource}`);
      failpoint('attempt_running');
      const acted = await act(request, running, input);
      if (acted.state !== 'settling') return { plan, attempt: acted };
      return { plan, attempt: await verify(acted, request) };
    } finally {
      live.untracked = false;
    }
  }

  /** The probe once more, then the whole plan once more, then the lock: the last look before the act. */
  async function askAgain(request: AttemptRequest, intended: Attempt): Promise<(Plan & { go: false }) | undefined> {
    const { live, byHand } = request;
    if (!byHand) {
      await runNow(live.definition.name);
      const kind = live.last?.verdict.kind;
      if (kind === 'pass' || kind === 'warn')
        return { go: false, refusal: 'recovered', detail: 'the probe passed when asked again' };
      if (kind !== 'fail')
        return { go: false, refusal: 'not_confirmed', detail: 'the probe could not tell when asked again' };
    }
    if (stopping.aborted) return { go: false, refusal: 'stopping', detail: 'the daemon is stopping' };
    const incident = request.incident && desk.byId(request.incident.id);
    if (request.incident && !incident)
      return { go: false, refusal: 'recovered', detail: 'the incident was closed meanwhile' };
    const { plan } = await planner(store, { ...request, incident });
    if (!plan.go) return plan;
    const lease =
      clock.now() +
      request.remediation.timeoutMs +
      request.remediation.settleMs +
      request.remediation.verifyWithinMs +
      LEASE_SLACK_MS;
    if (await store.renewLock(intended.resource, intended.fence, lease)) return undefined;
    return { go: false, refusal: 'locked', detail: `the lock of ${intended.resource} was lost` };
  }

  async function refuse(intended: Attempt, { refusal, detail }: Plan & { go: false }): Promise<Attempt> {
    const refused = await save({ ...intended, state: 'refused', refusal, error: detail, endedAt: clock.now() });
    await store.releaseLock(intended.resource, intended.fence);
    meter.refused(intended.remediation, refusal);
    await tell(refused, 'refused', `${intended.remediation} was not run (${refusal}): ${detail}`, false);
    return refused;
  }

  async function captureEvidence({ remediation, incident }: AttemptRequest, input: ActionInput): Promise<void> {
    if (!incident) return;
    for (const call of remediation.evidence) {
      const { output, error } = await runAction(call.type, call.spec, input, EVIDENCE_TIMEOUT_MS);
      await desk.note(incident.id, {
        kind: 'evidence',
        text: redact(output ?? error ?? 'nothing').slice(-EVIDENCE_CHARS),
      });
    }
  }

  async function act(request: AttemptRequest, running: Attempt, input: ActionInput): Promise<Attempt> {
    const { remediation } = request;
    let current = running;
    const gated: ActionInput = {
      ...input,
      async onChild(child) {
        current = await save({ ...current, child });
        failpoint('child_gated');
      },
    };
    const output = await runAction(remediation.type, remediation.spec, gated, remediation.timeoutMs);
    failpoint('act_done');
    const actedAt = clock.now();
    const acted: Attempt = {
      ...current,
      actedAt,
      ...(output.exitCode !== undefined && { exitCode: output.exitCode }),
      ...(output.output !== undefined && { output: redact(output.output).slice(0, OUTPUT_CHARS) }),
      ...(output.error !== undefined && { error: redact(output.error) }),
    };
    // Stopped in the middle by our own end: the row stays as it is, and the next start verifies what came of it.
    if (stopping.aborted && !output.done) return acted;
    if (!output.done)
      return end(acted, 'failed', `${remediation.name} failed: ${acted.error ?? `exit code ${acted.exitCode}`}`);
    const settleUntil = actedAt + remediation.settleMs;
    return save({
      ...acted,
      state: 'settling',
      settleUntil,
      verifyUntil: actedAt + Math.max(remediation.verifyWithinMs, remediation.settleMs),
    });
  }

  /** Never rejects: what a type throws is a failed act. */
  async function runAction(type: string, spec: unknown, input: ActionInput, timeoutMs: number): Promise<ActionOutput> {
    const action = registries.actionTypes[type];
    const deadline = new AbortController();
    const abort = () => deadline.abort(stopping.reason);
    stopping.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(
      () => deadline.abort(new DOMException('the deadline has passed', 'TimeoutError')),
      timeoutMs,
    );
    try {
      if (!action) throw new AppError('action_type_unknown', `no action type is called ${type}`);
      return await action.run(spec, input, {
        signal: deadline.signal,
        timeoutMs,
        clock,
        log,
        ...(environment && { environment }),
      });
    } catch (error) {
      log.error('action_threw', { type, remediation: input.remediation, error });
      return { done: false, error: messageOf(error) };
    } finally {
      clearTimeout(timer);
      stopping.removeEventListener('abort', abort);
    }
  }

  /** Exit 0 proves nothing: only `recover_after` runs that do not fail, after settling and in time, make it healed. */
  async function verify(acted: Attempt, { live, remediation }: Question): Promise<Attempt> {
    const now = clock.now();
    const settleUntil = acted.settleUntil ?? now;
    const verifyUntil = acted.verifyUntil ?? now + remediation.verifyWithinMs;
    live.untracked = true;
    await pause(settleUntil - now);
    live.state = withoutPasses(live.state);
    live.untracked = false;
    if (stopping.aborted) return acted;
    const verifying = await save({ ...acted, state: 'verifying', settleUntil, verifyUntil });
    failpoint('attempt_verifying');
    const wasDown = live.state.state === 'down';
    for (let passes = 0; clock.now() < verifyUntil && !stopping.aborted; ) {
      await runNow(live.definition.name);
      // A probe that was DOWN is verified by the transaction that takes it out of DOWN.
      const stored = await store.attempt(verifying.id);
      if (stored?.state === 'healed') return ended(stored, `${remediation.name} healed it`);
      passes = live.last?.verdict.kind === 'pass' ? passes + 1 : 0;
      if (!wasDown && passes >= live.definition.recoverAfter)
        return end(verifying, 'healed', `${remediation.name} is verified`);
      await pause(Math.min(pace(live, remediation), verifyUntil - clock.now()));
    }
    if (stopping.aborted) return verifying;
    const uncertain = acted.actedAt === undefined;
    return end(verifying, uncertain ? 'unknown' : 'failed', `${remediation.name} did not bring it up in time`);
  }

  async function end(attempt: Attempt, state: 'failed' | 'unknown' | 'healed', text: string): Promise<Attempt> {
    const done = await save({ ...attempt, state, endedAt: clock.now() });
    await store.releaseLock(attempt.resource, attempt.fence);
    return ended(done, text);
  }

  async function ended(attempt: Attempt, text: string): Promise<Attempt> {
    const seconds = ((attempt.endedAt ?? clock.now()) - (attempt.startedAt ?? attempt.intendedAt)) / 1_000;
    meter.attemptEnded(attempt.remediation, attempt.state, seconds);
    await tell(attempt, `attempt_${attempt.state}`, text, attempt.state !== 'healed');
    return attempt;
  }

  /** A wait that ends early when the daemon stops. */
  function pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        stopping.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, durationMs));
      if (stopping.aborted) done();
      else stopping.addEventListener('abort', done, { once: true });
    });
  }

  return { attempt, verify, end };
}

/** Often enough that `recover_after` passes fit into the time for verification, never faster than a probe may be asked. */
function pace({ definition }: LiveProbe, remediation: Remediation): number {
  const everyMs = definition.schedule.kind === 'interval' ? definition.schedule.everyMs : 60_000;
  const fits = remediation.verifyWithinMs / (definition.recoverAfter + 2);
  return Math.max(MIN_VERIFY_PACE_MS, Math.min(definition.retryEveryMs ?? everyMs, fits));
}

function inputOf(
  { remediation, live, incident }: AttemptRequest,
  { id }: Attempt,
  observed: Resource | undefined,
  folder: string,
): ActionInput {
  return {
    remediation: remediation.name,
    attemptId: id,
    ...(observed && { resource: observed }),
    ...(incident && { incident }),
    probe: live.definition,
    ...(live.last && { observation: live.last.observation }),
    folder,
    onChild: async () => undefined,
  };
}
