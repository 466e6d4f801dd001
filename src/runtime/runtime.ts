/**
 * Everything that runs, put together: scheduler → pipeline → desk → healer and alerter, with the switches people have.
 * What each of them is made of stands in watching.ts, telling.ts and healing.ts; here is what they owe each other, and in
 * which order they begin and end.
 */
import type { Configuration } from '../model.ts';
import type { Commands, ReloadOutcome, RunOnDemand, Store, Views } from '../ports.ts';
import { startBackground } from './background.ts';
import { createCommands } from './commands.ts';
import { createHealing } from './healing.ts';
import { untold } from './outage-teller.ts';
import type { RuntimeParts } from './runtime-parts.ts';
import { createStoreKeeper } from './store-keeper.ts';
import type { Outage } from './store-watch.ts';
import { createTelling } from './telling.ts';
import { createViews } from './views.ts';
import { createVitalSigns } from './vital-signs.ts';
import { createWatchdog } from './watchdog.ts';
import { createWatching } from './watching.ts';

export interface Runtime {
  readonly views: Views;
  readonly commands: Commands;
  /** Probes what `/probe` asks for. */
  readonly onDemand: RunOnDemand;
  /** The store for whoever reads beside us: refused at once while it is away. */
  readonly store: Store;
  start(configuration: Configuration): Promise<void>;
  /** Takes over a configuration that has loaded; returns the names of the probes that changed. */
  apply(configuration: Configuration): Promise<readonly string[]>;
  /** Tells of a reload that failed, or that the home is whole again. */
  reloadFailed(outcome: Extract<ReloadOutcome, { ok: false }> | undefined): Promise<void>;
  /** The HTTP server listens: pings can reach us from now on. */
  listening(): void;
  /** Another daemon may act in our place from now on: what acts here is ended at once. What begins later is not concerned. */
  breakOff(why: Error): void;
  /** Drains within about ten seconds; also what was never started. */
  stop(): Promise<void>;
}

export function createRuntime(parts: RuntimeParts): Runtime {
  const { registries, clock, log, meter } = parts;
  const stopping = new AbortController();
  let configured: Configuration | undefined;
  let ready = false;

  const configuration = (): Configuration => {
    if (!configured) throw new Error('the runtime was used before it was started');
    return configured;
  };
  const keeper = createStoreKeeper({
    ...{ ...parts, notifierTypes: registries.notifierTypes, configuration },
    down: () => untold(probes.all(), desk),
    async reread() {
      await silences.load();
      await desk.load();
      await switches.reload();
    },
    flush: () => results.flush(),
    record: (subject, trouble) => desk.past(subject, trouble),
    onBack: () => void resume().catch((error: unknown) => log.error('attempts_not_found', { error })),
  });
  const { store, backlog, outage } = keeper;
  const storeUp = () => outage() === undefined;
  const telling = createTelling({
    ...{ ...parts, store, configuration },
    onNotifierHealth: (notifier, healthy, error) => selfWatch.notifier(notifier, healthy, error),
  });
  const { alerter, silences, desk } = telling;
  const watching = createWatching({
    ...{ ...parts, store, backlog, desk, configuration, stopping: stopping.signal },
    onResumed: askAgain,
    onSight: () => healer.look(),
    holdUntil: (live, onceBack) => nextFix.holdUntil(live, onceBack),
    onChanged: (probe) => healer.look(probe),
  });
  const { probes, results, pings, selfWatch, vantage, pipeline, scheduler, targets, groups } = watching;
  const healing = createHealing({
    ...{ ...parts, store, backlog, desk, watching, configuration, outage, stopping: stopping.signal },
  });
  const { switches, nextFix, healer } = healing;
  const background: { stop(): void | Promise<void> }[] = [];
  const { views, refresh } = createViews({
    ...{ clock, configuration, probes, desk, silences, switches, scheduler, alerter, results, store, selfWatch },
    memoryBytes: parts.process.memoryBytes,
    readiness: () => ({ ready, why: ready ? readyWhy(outage()) : 'starting' }),
    storeUp,
    blindSince: () => vantage.blindness()?.since,
  });
  const watchdog = createWatchdog({
    ...{ clock, log, meter, onFailing: selfWatch.watchdog },
    vitalSigns: createVitalSigns({ store, views, selfWatch, now: clock.now }),
  });
  const commands = createCommands({
    ...{ store, clock, log, desk, silences, switches, healer, pings, probes, configuration },
    reload: parts.reload,
  });

  /** What is open is known from before a start or a pause: healing waits until its probes have spoken again. */
  function askAgain(): void {
    for (const { source, subject } of desk.open()) if (source === 'probe') scheduler.wake(subject);
    healer.look();
  }

  /** The store is back, and all is written. */
  async function resume(): Promise<void> {
    alerter.wake();
    await healing.takeUp();
    askAgain();
    // Definitions may have changed meanwhile.
    await healer.reconsider();
  }

  /** Everything that acts follows what is configured now. */
  function follow(next: Configuration): void {
    scheduler.set(probes.scheduled());
    targets.set(next.probes.values());
    groups.set(next.probes.values());
    selfWatch.follow(next.notifiers);
    watchdog.follow(next.settings.watchdog);
    vantage.follow();
    alerter.wake();
    healer.reconsider().catch((error: unknown) => log.error('healer_failed', { error }));
  }

  return {
    ...{ views, commands, store, onDemand: watching.onDemand },
    ...{ listening: watching.listening, breakOff: healing.breakOff },
    async start(first) {
      configured = first;
      await silences.load();
      await desk.load();
      await selfWatch.started();
      await switches.load();
      await probes.apply(first);
      await healing.takeUp();
      follow(first);
      alerter.start();
      healer.start();
      askAgain();
      background.push(startBackground({ ...parts, store, telling, watching, switches, configuration, storeUp }));
      background.push(refresh());
      ready = true;
    },
    async apply(next) {
      configured = next;
      try {
        return await probes.apply(next);
      } finally {
        // Also when the store fails meanwhile: what is configured is what runs.
        follow(next);
      }
    },
    reloadFailed: (outcome) => selfWatch.reload(outcome),
    async stop() {
      ready = false;
      await watchdog.stop();
      await scheduler.stop();
      targets.stop();
      // Runs that our own end cuts short say nothing about the network.
      vantage.stop();
      stopping.abort(new DOMException('the daemon stops', 'AbortError'));
      await healing.stop();
      await pipeline.idle();
      for (const part of background) await part.stop();
      switches.stop();
      selfWatch.stop();
      await results.stop();
      await alerter.stop();
      await keeper.stop();
    },
  };
}

/** Still ready: jobs can ping, people can look, and probes go on. */
function readyWhy(outage: Outage | undefined): string {
  if (!outage) return 'ready';
  const since = new Date(outage.since).toISOString();
  return `ready, but the store is away since ${since}: probes go on, nothing is healed (${outage.error})`;
}
