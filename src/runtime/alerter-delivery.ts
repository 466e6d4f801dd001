/**
 * One delivery through a notifier, with a deadline that holds even when the plug-in does not listen to its signal.
 */
import { messageOf } from '../errors.ts';
import type { NotifierDefinition } from '../model.ts';
import type { Clock, Log, NotifierInput, NotifierOutput, NotifierType } from '../ports.ts';

export interface Failed {
  readonly kind: 'failed';
  /** False: trying again cannot work without a person. */
  readonly retry: boolean;
  readonly timedOut: boolean;
  readonly retryAfterMs?: number;
  readonly error: string;
}

export type Delivery =
  | { readonly kind: 'accepted'; readonly conversation?: unknown }
  | Failed
  /** The daemon stops: nothing is known, and nothing is counted. */
  | { readonly kind: 'stopped' };

export interface DeliveryParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Aborts when the daemon stops. */
  readonly signal: AbortSignal;
}

export async function deliver(
  type: NotifierType,
  { spec, timeoutMs }: NotifierDefinition,
  input: NotifierInput,
  { clock, log, signal: stop }: DeliveryParts,
): Promise<Delivery> {
  const deadline = new AbortController();
  const end = () => deadline.abort();
  const timer = setTimeout(end, timeoutMs);
  stop.addEventListener('abort', end, { once: true });
  if (stop.aborted) end();
  const { signal } = deadline;
  try {
    const output = await Promise.race([type.run(spec, input, { signal, timeoutMs, clock, log }), aborted(signal)]);
    if (output?.delivered) return { kind: 'accepted', conversation: output.conversation };
    if (stop.aborted) return { kind: 'stopped' };
    return output === undefined || signal.aborted ? timedOut(timeoutMs) : failed(output);
  } catch (thrown) {
    // A plug-in must not throw for what the outside world does: this is a bug in it, which a restart may not cure.
    log.error('notifier_threw', { error: thrown });
    return { kind: 'failed', retry: true, timedOut: false, error: messageOf(thrown) };
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', end);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const done = () => resolve(undefined);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

function timedOut(timeoutMs: number): Failed {
  return { kind: 'failed', retry: true, timedOut: true, error: `no answer within ${timeoutMs} ms` };
}

function failed({ retry, retryAfterMs, error }: Extract<NotifierOutput, { delivered: false }>): Failed {
  return { kind: 'failed', retry, timedOut: false, ...(retryAfterMs !== undefined && { retryAfterMs }), error };
}
