/**
 * The only wiring: a home in, a running daemon out. Embeddable: everything of the process is handed in.
 */
import { hostname } from 'node:os';
import { createStandby, type Standby } from './app/standby.ts';
import { hashHome } from './config/files.ts';
import { loadConfiguration } from './config/load.ts';
import { type HomeWatch, watchHome } from './config/watch.ts';
import { ConfigurationError, formatProblem } from './errors.ts';
import { armFailpoints } from './failpoint.ts';
import type { RootLog } from './log.ts';
import { createExposition } from './metrics/exposition.ts';
import { createMeter, type Instruments } from './metrics/instruments.ts';
import { renderOnDemand } from './metrics/on-demand.ts';
import type { Configuration } from './model.ts';
import { createShipper, type Shipper } from './papertrail/shipper.ts';
import type { Clock, ReloadOutcome, Store } from './ports.ts';
import type { Redactor } from './redact.ts';
import { registries } from './registries.ts';
import { createRuntime, type Runtime } from './runtime/runtime.ts';
import { createServer, type Server } from './server/server.ts';
import { openStore } from './store/open.ts';

export interface AppOptions {
  /** Absolute path of the home. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly version: string;
  readonly redactor: Redactor;
  /** `shipper` gets every line as well. */
  createLog(configuration: Configuration, shipper: Shipper | undefined): RootLog;
  random(): number;
  readonly process: {
    readonly pid: number;
    cpuMs(): number;
    uptimeMs(): number;
    memoryBytes(): number;
    /** Gives back what reading the configuration left behind; may stop the process for a tenth of a second. */
    compactHeap(): void;
  };
}

export interface App {
  /**
   * Resolves when it probes; in a cluster that may take long: undefined when it was withdrawn until then.
   * Errors: ConfigurationError, PermanentError (a store that is locked, damaged or newer), a port in use.
   */
  start(): Promise<Started | undefined>;
  /** Ends a start that waits for another daemon of the cluster. Anything else goes on. */
  withdraw(): void;
  reload(by: string): Promise<ReloadOutcome>;
  /** Resolves when the daemon cannot go on, such as without its store: stop it, and say why. */
  readonly failed: Promise<Error>;
  /** Drains and closes everything, in reverse order. Idempotent. */
  stop(): Promise<void>;
}

/** How long the end waits for Papertrail to take what was logged last. */
const SHIP_REST_MS = 2_000;
interface Started {
  readonly url: string;
  readonly probes: number;
  readonly configuration: Configuration;
}

/** What was read of the home: the watch sees whatever was saved after its `baseline`. */
interface Reading {
  readonly baseline: Awaited<ReturnType<typeof hashHome>>;
  readonly configuration: Configuration;
}

export function createApp(options: AppOptions): App {
  const { home, environment, clock, redactor, version, random } = options;
  const cleanups: (() => void | Promise<void>)[] = [];
  const secrets = new Set<string>();
  let running:
    | {
        readonly runtime: Runtime;
        readonly log: RootLog;
        configuration: Configuration;
        meter: Instruments;
      }
    | undefined;
  const waiting = new AbortController();
  /** From before it has started. */
  let brain: Runtime | undefined;
  let reloading: Promise<unknown> = Promise.resolve();
  let stopped: Promise<void> | undefined;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });

  async function load(): Promise<Configuration> {
    const configuration = await loadConfiguration(home, { registries, environment });
    // What was a secret stays one: an act that began before a reload may still print it.
    for (const secret of configuration.secrets) secrets.add(secret);
    redactor.use([...secrets]);
    return configuration;
  }

  function openLog(configuration: Configuration, { meter }: Instruments): RootLog {
    const { papertrail } = configuration.settings.log;
    const shipper =
      papertrail &&
      createShipper({
        destination: { hostname: hostname(), ...papertrail },
        pid: options.process.pid,
        onDropped: meter.logLinesDropped,
      });
    const log = options.createLog(configuration, shipper);
    cleanups.push(() => log.flush());
    shipper?.start(log);
    if (shipper) cleanups.push(() => shipper.stop(SHIP_REST_MS));
    return log;
  }

  async function read(): Promise<Reading> {
    const baseline = await hashHome(home);
    return { baseline, configuration: await load() };
  }

  /** What was saved while it stood by counts. An error in it does not keep it from being the brain: the watch tells of it. */
  async function readAgain(before: Reading): Promise<Reading> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof ConfigurationError) return before;
      throw error;
    }
  }

  async function open({ settings }: Configuration, log: RootLog, standby: Standby | undefined): Promise<Store> {
    const contest = standby && { election: standby, onLost: (error: Error) => brain?.breakOff(error) };
    const store = await openStore({ home, clock, log, ...settings.store, ...contest });
    cleanups.push(() => store.close());
    await standby?.end();
    return store;
  }

  function standBy({ settings }: Configuration, instruments: Instruments, log: RootLog): Standby {
    const parts = { settings, instruments, clock, log, redact: redactor.redact, signal: waiting.signal };
    const standby = createStandby(parts);
    cleanups.push(standby.close);
    return standby;
  }

  async function listen(
    configuration: Configuration,
    runtime: Runtime,
    instruments: Instruments,
    log: RootLog,
  ): Promise<Server> {
    const { host, port, token, publicUrl } = configuration.settings.http;
    const seriesParts = { probeTypes: registries.probeTypes, clock, log, redact: redactor.redact };
    const exposition = createExposition({ ...seriesParts, views: runtime.views, instruments });
    const server = await createServer({
      ...{
        views: runtime.views,
        commands: runtime.commands,
        store: runtime.store,
        metrics: exposition,
        onDemand: {
          async probe(request) {
            const run = await runtime.onDemand(request);
            return { run, ...renderOnDemand(run, seriesParts) };
          },
        },
        clock,
        log,
        publicUrl,
        version,
        redact: redactor.redact,
      },
      listen: { host, port },
      ...(token !== undefined && { token }),
    });
    cleanups.push(() => server.close());
    runtime.listening();
    return server;
  }

  async function start(): Promise<Started> {
    armFailpoints(environment);
    const first = await read();
    const meter = createMeter({ version, startedAt: clock.now() });
    meter.declare(first.configuration);
    const log = openLog(first.configuration, meter);
    for (const warning of first.configuration.warnings)
      log.warn('configuration_doubtful', { problem: formatProblem(warning) });
    const standby = first.configuration.settings.cluster ? standBy(first.configuration, meter, log) : undefined;
    const store = await open(first.configuration, log, standby);
    const { baseline, configuration } = standby?.stoodBy() ? await readAgain(first) : first;
    warnOfFixedSettings(first.configuration, configuration, log);
    meter.declare(configuration);
    const runtime = createRuntime({
      ...{ store, registries, clock, log, meter: meter.meter, random, reload, environment, process: options.process },
      redact: redactor.redact,
      onLost: fail,
    });
    brain = runtime;
    const server = await listen(first.configuration, runtime, meter, log);
    cleanups.push(() => runtime.stop());
    options.process.compactHeap();
    await runtime.start(configuration);
    running = { runtime, log, configuration, meter };
    meter.meter.reloaded(true, clock.now());
    const watch: HomeWatch = watchHome(home, reloadSaved, { log, baseline });
    cleanups.push(() => watch.close());
    await watch.ready;
    const url = `http://${urlHost(server.address.host)}:${server.address.port}`;
    log.info('started', {
      url,
      home,
      probes: configuration.probes.size,
      remediations: configuration.remediations.size,
      version,
    });
    return { url, probes: configuration.probes.size, configuration };
  }

  /** One reload after the other; each takes all of the home, or nothing of it. */
  function reload(by: string): Promise<ReloadOutcome> {
    const outcome = reloading.then(() => reloadOnce(by));
    reloading = outcome.catch(() => undefined);
    return outcome;
  }

  /** The outcome is logged; a reload that breaks in an unforeseen way must not end the daemon. */
  function reloadSaved(): void {
    reload('a saved file').catch(() => undefined);
  }

  async function reloadOnce(by: string): Promise<ReloadOutcome> {
    if (!running || stopped !== undefined) return { ok: true, changed: [] };
    const { runtime, log, meter } = running;
    try {
      const next = await load();
      warnOfFixedSettings(running.configuration, next, log);
      meter.declare(next);
      const changed = await runtime.apply(next);
      running.configuration = next;
      meter.meter.reloaded(true, clock.now());
      await runtime.reloadFailed(undefined);
      log.info('reloaded', { by, changed });
      return { ok: true, changed };
    } catch (error) {
      meter.meter.reloaded(false, clock.now());
      if (!(error instanceof ConfigurationError)) {
        log.error('reload_failed', { by, error });
        throw error;
      }
      const outcome = { ok: false, problems: error.problems } as const;
      for (const problem of error.problems) log.error('configuration_invalid', { problem: formatProblem(problem) });
      log.warn('reload_refused', { by, problems: error.problems.length, kept: running.configuration.revision });
      await runtime.reloadFailed(outcome);
      return outcome;
    }
  }

  /** All of them, also when one fails; the first failure is the caller's. */
  async function cleanUp(): Promise<void> {
    await reloading;
    running?.log.info('stopping');
    const failures: unknown[] = [];
    for (const cleanup of cleanups.splice(0).reverse()) {
      try {
        await cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    async start() {
      try {
        return await start();
      } catch (error) {
        // Why it could not start matters more than what could not be closed.
        await Promise.allSettled([cleanUp()]);
        if (error === waiting.signal.reason) return undefined;
        throw error;
      }
    },
    withdraw: () => waiting.abort(new DOMException('the daemon stops', 'AbortError')),
    reload,
    failed,
    stop() {
      stopped ??= cleanUp();
      return stopped;
    },
  };
}

/** What a reload cannot change: said, rather than silently kept. */
function warnOfFixedSettings(before: Configuration, next: Configuration, log: RootLog): void {
  const fixed = ({ settings: { http, store, cluster, log } }: Configuration) =>
    JSON.stringify([http, store, cluster, log]);
  if (fixed(before) !== fixed(next))
    log.warn('restart_needed', { why: 'http, store, cluster and log settings take effect at the next start' });
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
