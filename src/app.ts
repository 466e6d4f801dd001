/**
 * The only wiring: a home in, a running daemon out. Embeddable: everything of the process is handed in.
 */
import { hostname } from 'node:os';
import { listen, urlOf } from './app/listening.ts';
import { createReader } from './app/reading.ts';
import { createReloading, type Running, warnOfFixedSettings } from './app/reloading.ts';
import { createStandby, type Standby } from './app/standby.ts';
import { watchHome } from './config/watch.ts';
import { formatProblem } from './errors.ts';
import { armFailpoints } from './failpoint.ts';
import type { RootLog } from './log.ts';
import { createMeter, type Instruments } from './metrics/instruments.ts';
import type { Configuration } from './model.ts';
import { createShipper, type Shipper } from './papertrail/shipper.ts';
import type { Clock, ReloadOutcome, Store } from './ports.ts';
import type { Redactor } from './redact.ts';
import { registries } from './registries.ts';
import { createRuntime, type Runtime } from './runtime/runtime.ts';
import type { Server } from './server/server.ts';
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

export function createApp(options: AppOptions): App {
  const { home, environment, clock, redactor, version, random } = options;
  const { redact } = redactor;
  const cleanups: (() => void | Promise<void>)[] = [];
  const waiting = new AbortController();
  let running: Running | undefined;
  /** From before it has started. */
  let brain: Runtime | undefined;
  let stopped: Promise<void> | undefined;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const reader = createReader({ home, environment, redactor });
  const { reload, settled } = createReloading({
    ...{ clock, load: reader.load },
    running: () => (stopped === undefined ? running : undefined),
  });

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
    for (const warning of configuration.warnings)
      log.warn('configuration_doubtful', { problem: formatProblem(warning) });
    return log;
  }

  async function open({ settings }: Configuration, log: RootLog, standby: Standby | undefined): Promise<Store> {
    const contest = standby && { election: standby, onLost: (error: Error) => brain?.breakOff(error) };
    const store = await openStore({ home, clock, log, ...settings.store, ...contest });
    cleanups.push(() => store.close());
    await standby?.end();
    return store;
  }

  function standBy({ settings }: Configuration, instruments: Instruments, log: RootLog): Standby {
    const standby = createStandby({ settings, instruments, clock, log, redact, signal: waiting.signal });
    cleanups.push(standby.close);
    return standby;
  }

  function createBrain(store: Store, { meter }: Instruments, log: RootLog): Runtime {
    brain = createRuntime({
      ...{ store, registries, clock, log, meter, random, reload, environment, process: options.process },
      ...{ redact, onLost: fail },
    });
    return brain;
  }

  async function start(): Promise<Started> {
    armFailpoints(environment);
    const first = await reader.read();
    const { settings } = first.configuration;
    const instruments = createMeter({ version, startedAt: clock.now() });
    instruments.declare(first.configuration);
    const log = openLog(first.configuration, instruments);
    const standby = settings.cluster ? standBy(first.configuration, instruments, log) : undefined;
    const store = await open(first.configuration, log, standby);
    const { baseline, configuration } = standby?.stoodBy() ? await reader.readAgain(first) : first;
    warnOfFixedSettings(first.configuration, configuration, log);
    instruments.declare(configuration);
    const runtime = createBrain(store, instruments, log);
    // It watches its store from now on, also when nothing can be listened on; the server answers until it has stopped.
    let server: Server | undefined;
    cleanups.push(async () => server?.close());
    cleanups.push(() => runtime.stop());
    server = await listen({ settings, runtime, instruments, clock, log, version, redact });
    options.process.compactHeap();
    await runtime.start(configuration);
    running = { runtime, log, configuration, instruments };
    instruments.meter.reloaded(true, clock.now());
    // The outcome is logged; a reload that breaks in an unforeseen way must not end the daemon.
    const reloadSaved = () => void reload('a saved file').catch(() => undefined);
    const watch = watchHome(home, reloadSaved, { log, baseline });
    cleanups.push(() => watch.close());
    await watch.ready;
    const { probes, remediations } = configuration;
    const url = urlOf(server);
    log.info('started', { url, home, probes: probes.size, remediations: remediations.size, version });
    return { url, probes: probes.size, configuration };
  }

  /** All of them, also when one fails; the first failure is the caller's. */
  async function cleanUp(): Promise<void> {
    await settled();
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
