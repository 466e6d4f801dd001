/**
 * One attempt from intent to its proven end. Each step is a committed row before the next thing happens:
 * `intended → running → settling → verifying → healed | failed | unknown`, or `refused` before any act.
 */
import { dirname, resolve } from 'node:path';
import { RetryableError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Attempt, Incident, Plan, Resource } from '../model.ts';
import type { ActionInput, ActionOutput, Clock } from '../ports.ts';
import type { ActionRunner } from './action-runner.ts';
import type { AttemptRequest, Intent } from './attempt-intent.ts';
import type { AttemptJournal } from './attempt-journal.ts';
import type { Lock } from './attempt-locks.ts';
import { storeAway } from './plan-facts.ts';
import { evaluateCondition } from './spec-conditions.ts';
import type { Verification } from './verification.ts';

export interface AttemptRunnerParts {
  readonly clock: Clock;
  readonly intent: Intent;
  readonly journal: AttemptJournal;
  readonly verify: Verification;
  readonly runAction: ActionRunner;
  /** Absolute folder of the home: files of definitions are named relative to it. */
  home(): string;
  redact(text: string): string;
  /** Aborts when acts under way must end because the daemon does. */
  readonly stopping: AbortSignal;
}

/** Plans and, if the answer is yes, carries it out to its end. */
export type AttemptRunner = (request: AttemptRequest) => Promise<Attempted>;

export interface Attempted {
  readonly plan: Plan;
  readonly attempt?: Attempt;
}

/** What came of an intent. */
type Pursued = Required<Attempted>;

const OUTPUT_CHARS = 131_072;

export function createAttemptRunner(parts: AttemptRunnerParts): AttemptRunner {
  const { clock, intent, journal, verify, runAction, redact, stopping } = parts;

  return async function attempt(request) {
    const { plan, attempt: intended, alsoLocked = [], observed } = await intent.intend(request);
    if (!intended) return { plan };
    const answer = await pursue(request, intended, alsoLocked, observed);
    // What our own end has interrupted is taken up by the next start: until then nothing else may touch it.
    if (answer.attempt.endedAt !== undefined) await intent.free(alsoLocked);
    return answer;
  };

  async function pursue(
    request: AttemptRequest,
    intended: Attempt,
    alsoLocked: readonly Lock[],
    observed: Resource | undefined,
  ): Promise<Pursued> {
    failpoint('attempt_intended');
    const folder = resolve(parts.home(), dirname(request.remediation.location.file));
    const input = inputOf(request, intended, observed, folder);
    const no = await intent.lastLook(request, intended, alsoLocked, input);
    if (no) return { plan: no, attempt: await intent.refuse(intended, no) };
    return carryOut(request, intended, input);
  }

  async function carryOut(request: AttemptRequest, intended: Attempt, input: ActionInput): Promise<Pursued> {
    const { live, remediation } = request;
    // Nothing this probe sees while the fix acts and settles may count for or against it.
    live.untracked = true;
    try {
      const running: Attempt = { ...intended, state: 'running', startedAt: clock.now() };
      const text = `trying ${remediation.name} on ${running.resource}`;
      const plan = await journal.begin(running, text, (incident) => lastWord(request, incident));
      if (!plan.go) return { plan, attempt: await intent.refuse(intended, plan) };
      failpoint('attempt_running');
      const acted = await act(request, running, input);
      return { plan, attempt: acted.state === 'settling' ? await verify(acted, request) : acted };
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      // Only what stands before the act waits for the store: what comes after it is kept.
      const no = storeAway(error);
      return { plan: no, attempt: await intent.refuse(intended, no) };
    } finally {
      live.untracked = false;
    }
  }

  async function act({ remediation }: AttemptRequest, running: Attempt, input: ActionInput): Promise<Attempt> {
    let current = running;
    let gateStaysShut: RetryableError | undefined;
    const watched: ActionInput = {
      ...input,
      async onChild(child) {
        try {
          current = await journal.commit({ ...current, child });
        } catch (error) {
          if (error instanceof RetryableError) gateStaysShut = error;
          throw error;
        }
        failpoint('child_gated');
      },
      tell: (text) => journal.tell(running, redact(text)),
    };
    const output = await runAction(remediation.type, remediation.spec, watched, remediation.timeoutMs);
    if (gateStaysShut) throw gateStaysShut;
    failpoint('act_done');
    const actedAt = clock.now();
    const acted: Attempt = { ...current, actedAt, ...outcomeOf(output) };
    // Stopped in the middle by our own end: the row stays as it is, and the next start verifies what came of it.
    if (stopping.aborted && !output.done) return current;
    if (!output.done)
      return journal.end(
        acted,
        'failed',
        `${remediation.name} failed: ${acted.error ?? `exit code ${acted.exitCode}`}`,
      );
    const settleUntil = actedAt + remediation.settleMs;
    const verifyUntil = actedAt + Math.max(remediation.verifyWithinMs, remediation.settleMs);
    return journal.save({ ...acted, state: 'settling', settleUntil, verifyUntil });
  }

  function outcomeOf({ exitCode, output, error }: ActionOutput): Pick<Attempt, 'exitCode' | 'output' | 'error'> {
    return {
      ...(exitCode !== undefined && { exitCode }),
      ...(output !== undefined && { output: redact(output).slice(0, OUTPUT_CHARS) }),
      ...(error !== undefined && { error: redact(error) }),
    };
  }
}

/** What a person has done to the incident since the plan was asked. */
function lastWord({ byHand }: AttemptRequest, { resolvedAt, acknowledgedAt, acknowledgedBy }: Incident): Plan {
  if (resolvedAt !== undefined) return { go: false, refusal: 'recovered', detail: 'the incident was closed meanwhile' };
  if (byHand || acknowledgedAt === undefined) return { go: true };
  return { go: false, refusal: 'acknowledged', detail: `${acknowledgedBy ?? 'somebody'} is on it` };
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
    tell: async () => undefined,
    evaluate: evaluateCondition,
  };
}
