/** Whether this daemon does its work: what the watchdog asks before it vouches for us. */
import { messageOf } from '../errors.ts';
import type { ProbeView, Store, Views } from '../ports.ts';
import { formatDuration } from '../units.ts';
import type { SelfWatch } from './self-watch.ts';

export interface VitalSignsParts {
  readonly store: Pick<Store, 'proveWrite'>;
  readonly views: Pick<Views, 'probes' | 'self'>;
  readonly selfWatch: Pick<SelfWatch, 'failingNotifiers' | 'stalls'>;
  now(): number;
}

/** One line for each thing that does not work, or did not since then (monotonic ms); empty: all is well. */
export type VitalSigns = (since: number, deadline: AbortSignal) => Promise<readonly string[]>;

/** A shorter stall is seen in metrics, and nobody need be woken for it. */
const LONG_STALL_MS = 5_000;

export function createVitalSigns({ store, views, selfWatch, now }: VitalSignsParts): VitalSigns {
  function* troubles(since: number): Generator<string> {
    const stall = selfWatch.stalls.since(since);
    if (stall && stall.durationMs >= LONG_STALL_MS) yield `it stood still for ${formatDuration(stall.durationMs)}`;
    const { uptime_s: uptime } = views.self();
    const active = views.probes().filter(({ state }) => state.state !== 'paused' && state.state !== 'unconfigured');
    const late = active.filter((view) => view.stale || isOverdue(view, uptime * 1_000));
    if (late.length * 2 > active.length) yield `${late.length} of ${active.length} probes do not run`;
    for (const notifier of selfWatch.failingNotifiers()) yield `notifier ${notifier} does not take alerts`;
  }

  return async function ask(since, deadline) {
    const late = new Promise<string>((resolve) => {
      deadline.addEventListener('abort', () => resolve('the store took no write in time'), { once: true });
    });
    const proof = store.proveWrite(now()).then(
      () => undefined,
      (error: unknown) => `the store takes no write: ${messageOf(error)}`,
    );
    const trouble = await Promise.race([proof, late]);
    return trouble === undefined ? [...troubles(since)] : [trouble, ...troubles(since)];
  };
}

/** It should have run by now, and never has. */
function isOverdue({ probe, last }: ProbeView, uptimeMs: number): boolean {
  const { schedule, timeoutMs } = probe;
  return last === undefined && schedule.kind === 'interval' && uptimeMs > 2 * schedule.everyMs + timeoutMs;
}
