/**
 * The watchdog: somebody else who expects a ping of ours, and raises the alarm when it does not come. It is pinged only
 * while we work, so that a daemon that is gone, stuck, or cannot tell anybody is noticed. When something of ours does not
 * work we stay silent: that means the same to every such service, and is all that a dead daemon could do.
 */
import { codeOf, messageOf } from '../errors.ts';
import type { Settings } from '../model.ts';
import type { Clock, Log, Meter } from '../ports.ts';
import { pause } from './pause.ts';
import type { VitalSigns } from './vital-signs.ts';

export interface WatchdogParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'watchdogPing'>;
  readonly vitalSigns: VitalSigns;
  /** Pings have failed for too long to be chance; undefined: they arrive, or are not wanted any more. */
  onFailing(error: string | undefined): void;
}

export interface Watchdog {
  /** Pings as these settings say, from now on; undefined: not at all. */
  follow(settings: Settings['watchdog']): void;
  /** No ping is sent afterwards. */
  stop(): Promise<void>;
}

const LONGEST_MS = 10_000;
/** Failures in a row that people should hear of. */
const PATIENCE = 3;

export function createWatchdog({ clock, log, meter, vitalSigns, onFailing }: WatchdogParts): Watchdog {
  let current: { readonly settings: string; readonly end: AbortController; readonly ended: Promise<void> } | undefined;

  async function run({ url, everyMs }: NonNullable<Settings['watchdog']>, signal: AbortSignal): Promise<void> {
    const deadline = () => AbortSignal.any([signal, AbortSignal.timeout(Math.min(LONGEST_MS, everyMs))]);
    let failures = 0;
    let known = '';

    async function beat(since: number): Promise<void> {
      const troubles = await vitalSigns(since, deadline());
      if (signal.aborted) return;
      tell(troubles);
      if (troubles.length > 0) return meter.watchdogPing('withheld');
      const error = await ping(url, deadline());
      if (!signal.aborted) settle(error);
    }

    /** As long as it stays the same it is not said again. */
    function tell(troubles: readonly string[]): void {
      const now = troubles.join('; ');
      if (now === known) return;
      if (now === '') log.info('watchdog_goes_on');
      else log.warn('watchdog_withheld', { why: now });
      known = now;
    }

    function settle(error: string | undefined): void {
      meter.watchdogPing(error === undefined ? 'sent' : 'failed');
      failures = error === undefined ? 0 : failures + 1;
      if (error !== undefined) log.warn('watchdog_ping_failed', { error, failures });
      // Each that arrives says so: an earlier process may have told of trouble that is over.
      if (error === undefined) onFailing(undefined);
      else if (failures === PATIENCE) onFailing(error);
    }

    for (let before = clock.monotonic(); !signal.aborted; ) {
      const startedAt = clock.monotonic();
      await beat(before);
      before = startedAt;
      await pause(startedAt + everyMs - clock.monotonic(), signal);
    }
  }

  function end(): Promise<void> {
    const ended = current?.ended ?? Promise.resolve();
    current?.end.abort();
    current = undefined;
    return ended;
  }

  return {
    follow(settings) {
      const wanted = JSON.stringify(settings);
      // Also at the start: an earlier process may have left its trouble open.
      if (settings !== undefined && wanted === current?.settings) return;
      const before = end();
      if (settings === undefined) return onFailing(undefined);
      const stop = new AbortController();
      const ended = before
        .then(() => run(settings, stop.signal))
        .catch((error: unknown) => log.error('watchdog_broke', { error }));
      current = { settings: wanted, end: stop, ended };
    },
    stop: end,
  };
}

/** undefined: it was taken. The status alone decides, so the body is never read. */
async function ping(url: string, signal: AbortSignal): Promise<string | undefined> {
  const target = new URL(url);
  const { request } = target.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise((resolve) => {
    const sent = request(target, { agent: false, signal, headers: { 'user-agent': 'Brainstem' } }, (response) => {
      const { statusCode = 0 } = response;
      response.on('error', () => undefined).destroy();
      resolve(statusCode >= 200 && statusCode < 300 ? undefined : `HTTP ${statusCode}`);
    });
    sent.on('error', (error) => {
      const code = codeOf(error);
      resolve(code === 'ABORT_ERR' ? 'no answer in time' : (code ?? messageOf(error)));
    });
    sent.end();
  });
}
