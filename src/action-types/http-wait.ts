/** The second request of the `http` action: asked again until it says done, has failed, or the time is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActionInput, ActionOutput, Context } from '../ports.ts';
import { ANSWER_FIELDS, type Answer, type Call, CallFailure, call } from './http-call.ts';
import { fill, type WaitUntil } from './http-spec.ts';

/** One request that hangs must not use up the time of all others. */
const ONE_REQUEST_MS = 10_000;

/** `undefined`: not yet, because of `seen`. */
interface Look {
  readonly done: boolean | undefined;
  readonly seen: string;
}

export async function waitUntilDone(
  wait: WaitUntil,
  values: ReadonlyMap<string, string>,
  { evaluate }: Pick<ActionInput, 'evaluate'>,
  { signal, clock }: Context,
): Promise<ActionOutput> {
  const request: Call = { url: fill(wait.url, values), method: 'GET', headers: wait.headers, auth: wait.auth };
  const since = clock.monotonic();
  let seen = 'nothing';
  while (!signal.aborted) {
    const look = await lookOnce(request, wait, evaluate, signal);
    // The last look before the deadline says more than that it was cut off.
    if (!signal.aborted) seen = look.seen;
    const after = `after ${((clock.monotonic() - since) / 1_000).toFixed(1)} s: ${seen}`;
    if (look.done === true) return { done: true, output: `done ${after}` };
    if (look.done === false) return { done: false, error: `it failed ${after}` };
    await pause(wait.every, signal);
  }
  return { done: false, error: `it was not done before the deadline; last seen: ${seen}` };
}

/** What does not answer now may answer next time; a refused credential will not. */
async function lookOnce(
  request: Call,
  wait: WaitUntil,
  evaluate: ActionInput['evaluate'],
  signal: AbortSignal,
): Promise<Look> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(ONE_REQUEST_MS)]);
    return judge(await call(request, { redirects: 0, wantsBody: () => true, signal: within }), wait, evaluate);
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    return { done: undefined, seen: error.message };
  }
}

function judge(answer: Answer, { expect, fail_when }: WaitUntil, evaluate: ActionInput['evaluate']): Look {
  const { status } = answer;
  const ask = (source: string) => ({ source, ...evaluate(source, ANSWER_FIELDS, { ...answer }) });
  const failed = fail_when.map(ask).find(({ outcome }) => outcome === 'true');
  if (failed) return { done: false, seen: `${failed.source} (${failed.detail})` };
  if (status === 401 || status === 403) return { done: false, seen: `the credentials were refused (${status})` };
  if (status < 200 || status > 299) return { done: undefined, seen: `status = ${status}` };
  const asked = expect.map(ask);
  const open = asked.find(({ outcome }) => outcome !== 'true');
  return { done: open ? undefined : true, seen: (open ?? asked.at(-1))?.detail ?? '' };
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(durationMs, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
