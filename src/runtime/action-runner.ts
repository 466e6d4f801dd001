/**
 * Runs an action type under a deadline. Never rejects: what a type throws is an act that failed.
 */
import { AppError, messageOf } from '../errors.ts';
import type { ActionInput, ActionOutput, ActionTypes, Clock, Context, Log } from '../ports.ts';

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
}

export function createActionRunner({
  actionTypes,
  clock,
  log,
  environment,
  stopping,
}: ActionRunnerParts): ActionRunner {
  return async function runAction(type, spec, input, timeoutMs) {
    const deadline = new AbortController();
    const abort = () => deadline.abort(stopping.reason);
    stopping.addEventListener('abort', abort, { once: true });
    const late = new DOMException('the deadline has passed', 'TimeoutError');
    const timer = setTimeout(() => deadline.abort(late), timeoutMs);
    try {
      const action = actionTypes[type];
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
  };
}
