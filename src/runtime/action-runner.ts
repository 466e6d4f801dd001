/**
 * Runs an action type under a deadline. Never rejects: what a type throws is an act that failed.
 */
import { AppError, messageOf } from '../errors.ts';
import type { ActionInput, ActionOutput, ActionTypes, Clock, Context, Log } from '../ports.ts';
import { giveUp } from './give-up.ts';

export type ActionRunner = (
  type: string,
  spec: unknown,
  input: ActionInput,
  timeoutMs: number,
) => Promise<ActionOutput>;

export interface ActionRunnerParts {
  readonly actionTypes: ActionTypes;
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: Context['environment'];
  readonly stopping: AbortSignal;
  /** Asked right before an act: false when another daemon may act in our place. */
  isHeld(): boolean;
  /** Aborts when that becomes so; a new one for each time. */
  hold(): AbortSignal;
}

/** TERM, a moment, KILL and the looks at what is left take less; what has not ended by then is broken. */
const GRACE_MS = 10_000;

export function createActionRunner({
  actionTypes,
  clock,
  log,
  environment,
  stopping,
  isHeld,
  hold,
}: ActionRunnerParts): ActionRunner {
  return async function runAction(type, spec, input, timeoutMs) {
    const deadline = new AbortController();
    const ends = [stopping, hold()];
    const abort = (event: Event) => deadline.abort((event.target as AbortSignal).reason);
    for (const end of ends) end.addEventListener('abort', abort, { once: true });
    const late = new DOMException('the deadline has passed', 'TimeoutError');
    const timer = setTimeout(() => deadline.abort(late), timeoutMs);
    const given = giveUp(deadline.signal, GRACE_MS, 'action_ignored_deadline', 'the act did not end at its deadline');
    try {
      const action = actionTypes[type];
      if (!action) throw new AppError('action_type_unknown', `no action type is called ${type}`);
      const context: Context = {
        ...{ signal: deadline.signal, timeoutMs, clock, log },
        ...(environment && { environment }),
      };
      if (!isHeld()) return { done: false, error: 'not begun: another daemon of the cluster may be the brain by now' };
      return await Promise.race([action.run(spec, input, context), given.promise]);
    } catch (error) {
      log.error('action_threw', { type, remediation: input.remediation, error });
      return { done: false, error: messageOf(error) };
    } finally {
      clearTimeout(timer);
      given.cancel();
      for (const end of ends) end.removeEventListener('abort', abort);
    }
  };
}
