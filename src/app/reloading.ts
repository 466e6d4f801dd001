/** Reloads, one after the other: each takes all of the home, or nothing of it. */
import { ConfigurationError, formatProblem } from '../errors.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { Configuration } from '../model.ts';
import type { Clock, Log, ReloadOutcome } from '../ports.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** The daemon that a reload changes. */
export interface Running {
  readonly runtime: Runtime;
  readonly log: Log;
  readonly instruments: Instruments;
  configuration: Configuration;
}

export interface Reloading {
  /** Rejects only when it breaks in an unforeseen way, which is logged. */
  reload(by: string): Promise<ReloadOutcome>;
  /** Resolves when no reload is under way. */
  settled(): Promise<unknown>;
}

export interface ReloadingParts {
  readonly clock: Clock;
  /** undefined: it has not started, or stops; a reload is nothing then. */
  running(): Running | undefined;
  load(): Promise<Configuration>;
}

export function createReloading({ clock, running, load }: ReloadingParts): Reloading {
  let last: Promise<unknown> = Promise.resolve();

  async function reloadOnce(by: string): Promise<ReloadOutcome> {
    const daemon = running();
    if (!daemon) return { ok: true, changed: [] };
    const { log, instruments } = daemon;
    try {
      const changed = await take(await load(), daemon);
      log.info('reloaded', { by, changed });
      return { ok: true, changed };
    } catch (error) {
      instruments.meter.reloaded(false, clock.now());
      if (error instanceof ConfigurationError) return refuse(error, by, daemon);
      log.error('reload_failed', { by, error });
      throw error;
    }
  }

  async function take(next: Configuration, daemon: Running): Promise<readonly string[]> {
    const { runtime, log, instruments } = daemon;
    warnOfFixedSettings(daemon.configuration, next, log);
    instruments.declare(next);
    const changed = await runtime.apply(next);
    daemon.configuration = next;
    instruments.meter.reloaded(true, clock.now());
    await runtime.reloadFailed(undefined);
    return changed;
  }

  return {
    reload(by) {
      const outcome = last.then(() => reloadOnce(by));
      last = outcome.catch(() => undefined);
      return outcome;
    },
    settled: () => last,
  };
}

async function refuse({ problems }: ConfigurationError, by: string, { runtime, log, configuration }: Running) {
  const outcome = { ok: false, problems } as const;
  for (const problem of problems) log.error('configuration_invalid', { problem: formatProblem(problem) });
  log.warn('reload_refused', { by, problems: problems.length, kept: configuration.revision });
  await runtime.reloadFailed(outcome);
  return outcome;
}

/** What a reload cannot change: said, rather than silently kept. */
export function warnOfFixedSettings(before: Configuration, next: Configuration, log: Log): void {
  const fixed = ({ settings: { http, store, cluster, log } }: Configuration) =>
    JSON.stringify([http, store, cluster, log]);
  if (fixed(before) !== fixed(next))
    log.warn('restart_needed', { why: 'http, store, cluster and log settings take effect at the next start' });
}
