/**
 * Everything that runs, put together: scheduler → pipeline → desk → healer and alerter, with the switches people have.
 */
import type { PermanentError } from '../errors.ts';
import type { Configuration } from '../model.ts';
import type { Clock, Commands, Log, Meter, Registries, ReloadOutcome, Store, Views } from '../ports.ts';
import { createActionRunner } from './action-runner.ts';
import { createAlerter } from './alerter.ts';
import { createAnnouncer } from './announcer.ts';
import { createIntent } from './attempt-intent.ts';
import { createAttemptJournal } from './attempt-journal.ts';
import { createAttemptRunner } from './attempt-runner.ts';
import { createCommands } from './commands.ts';
import { createFlapping } from './flapping.ts';
import { createGroups } from './groups.ts';
import { createHealer } from './healer.ts';
import { createHealerOutcomes } from './healer-outcomes.ts';
import { createIncidentDesk } from './incident-desk.ts';
import { createNextFix } from './next-fix.ts';
import { untold } from './outage-teller.ts';
import { createPings } from './pings.ts';
import { createPipeline } from './pipeline.ts';
import { createPlanner } from './plan-facts.ts';
import { createProbeSet } from './probe-set.ts';
import { startRearm } from './rearm.ts';
import { recoverAttempts } from './recovery.ts';
import { startReminders } from './reminders.ts';
import { createResultBuffer } from './result-buffer.ts';
import { startRetention } from './retention.ts';
import { createRunner } from './runner.ts';
import { createScheduler } from './scheduler.ts';
import { createSelfWatch } from './self-watch.ts';
import { createSilences } from './silences.ts';
import { createStoreKeeper } from './store-keeper.ts';
import type { Outage } from './store-watch.ts';
import { createSwitches } from './switches.ts';
import { createTargetHand } from './target-hand.ts';
import { createTargetWatch } from './target-watch.ts';
import { createVantage } from './vantage.ts';
import { createVerification } from './verification.ts';
import { createViews } from './views.ts';
import { createVitalSigns } from './vital-signs.ts';
import { createWatchdog } from './watchdog.ts';
import { startWithheld } from './withheld.ts';

export interface RuntimeParts {
  readonly store: Store;
  readonly registries: Registries;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** The daemon's own variables, of which children see a few. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  redact(text: string): string;
  random(): number;
  /** Resource use of this process. */
  readonly process: { cpuMs(): number; uptimeMs(): number; memoryBytes(): number };
  /** Loads the home again and applies it. */
  reload(by: string): Promise<ReloadOutcome>;
  /** The store is lost: the daemon must end, and its next start sees what is left. */
  onLost(error: PermanentError): void;
}

export interface Runtime {
  readonly views: Views;
  readonly commands: Commands;
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
  /** Drains within about ten seconds. */
  stop(): Promise<void>;
}

/** Acts under way may end by themselves for this long when the daemon stops. */
const DRAIN_MS = 6_000;

export function createRuntime(parts: RuntimeParts): Runtime {
  const { registries, clock, log, meter, redact, random, environment } = parts;
  const stopping = new AbortController();
  const acting = new AbortController();
  let hold = new AbortController();
  let configuration: Configuration | undefined;
  let listeningSince = Number.POSITIVE_INFINITY;
  let ready = false;

  const current = (): Configuration => {
    if (!configuration) throw new Error('the runtime was used before it was started');
    return configuration;
  };
  const home = () => current().settings.home;
  const keeper = createStoreKeeper({
    ...{ store: parts.store, clock, log, meter, random, redact, notifierTypes: registries.notifierTypes },
    ...{ configuration: current, onLost: parts.onLost },
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
  const alerter = createAlerter({
    ...{ store, notifierTypes: registries.notifierTypes, configuration: current, clock, log, meter, random },
    onNotifierHealth: (notifier, healthy, error) => selfWatch.notifier(notifier, healthy, error),
  });
  const flapping = createFlapping({ clock, configuration: current });
  const silences = createSilences({ store, clock, log, configuration: current });
  const desk = createIncidentDesk({
    ...{ store, clock, meter, onCommitted: () => alerter.wake() },
    announcer: (openIncidents) =>
      createAnnouncer({ clock, configuration: current, openIncidents, flapping, silenceOf: silences.of, redact }),
  });
  const probes = createProbeSet({ store, clock, desk, backlog });
  const results = createResultBuffer({ store, log, meter });
  const pings = createPings({
    ...{ store, backlog, clock, probeTypes: registries.probeTypes, redact, listeningSince: () => listeningSince },
    heardUntil: () => probes.lastResultAt(),
    probes: () => current().probes.values(),
    wake: (probe) => scheduler.wake(probe),
  });
  const selfWatch = createSelfWatch({
    ...{ clock, log, meter, desk, backlog, process: parts.process, onResumed: () => askAgain() },
  });
  const run = createRunner({
    ...{
      probeTypes: registries.probeTypes,
      clock,
      log,
      stalls: selfWatch.stalls,
      redact,
      heartbeat: pings.heartbeat,
      stateOf: (probe: string) => probes.get(probe)?.state.state,
      home,
      environment,
      onScarce: selfWatch.scarce,
    },
    stopping: stopping.signal,
  });
  const vantage = createVantage({
    ...{ clock, log, meter, run, redact, selfWatch, configuration: current, probeTypes: registries.probeTypes },
    onSight: askBlind,
  });
  const pipeline = createPipeline({
    ...{ clock, log, meter, desk, results, backlog, run, redact, live: probes.get, all: probes.all },
    doubt: vantage.doubt,
    wake: (name) => scheduler.wake(name),
    holdUntil: (live) => nextFix.holdUntil(live),
    onChanged(probe) {
      healer.look(probe);
      groups.changed(probe);
    },
    stopping: stopping.signal,
  });
  const scheduler = createScheduler({ clock, log, meter, run: pipeline.runNow });
  const groups = createGroups({ probeTypes: registries.probeTypes, wake: scheduler.wake });
  const switches = createSwitches({
    ...{ store, clock, log, onChanged: () => healer.look() },
    freezeFile: () => current().settings.healing.freezeFile,
  });
  const planner = createPlanner({
    ...{ clock, registries, switches, dependencies: pipeline.dependencies, configuration: current, outage },
    blindness: vantage.blindness,
    freshAfter: selfWatch.freshAfter,
  });
  const acts = { clock, redact, home, stopping: acting.signal };
  const runAction = createActionRunner({
    ...{ ...acts, actionTypes: registries.actionTypes, log, environment },
    ...{ isHeld: store.isHeld, hold: () => hold.signal },
  });
  const journal = createAttemptJournal({ store, clock, log, meter, desk, backlog });
  // What can be taken up again by the next start ends at once; an act that has begun may end by itself.
  const begins = { ...acts, store, journal, runNow: pipeline.runAfresh, stopping: stopping.signal };
  const handOn = createTargetHand({ registries, clock, log, stopping: stopping.signal });
  const intent = createIntent({ ...begins, meter, desk, planner, handOn, runAction });
  const verify = createVerification({
    ...{ ...begins, registries, isWatched: probes.isWatched },
    isBlind: () => vantage.blindness() !== undefined,
  });
  const attempt = createAttemptRunner({ ...acts, intent, journal, verify, runAction });
  const nextFix = createNextFix({ store, clock, desk, planner, registries, configuration: current });
  const outcomes = createHealerOutcomes({ store, clock, log, meter, desk, switches });
  const healer = createHealer({
    ...{ store, clock, log, desk, planner, attempt, nextFix, outcomes, configuration: current, outage },
    ...{ live: probes.get, all: probes.all },
    would({ type, spec, unset }, observed) {
      return unset.length > 0 ? '' : redact(registries.actionTypes[type]?.would(spec, observed) ?? '');
    },
  });
  const targets = createTargetWatch({
    ...{ probeTypes: registries.probeTypes, clock, log },
    wake(probe, why) {
      log.debug('probe_woken', { probe, why });
      scheduler.wake(probe);
    },
  });
  const background: { stop(): void | Promise<void> }[] = [];
  const { views, refresh } = createViews({
    ...{
      clock,
      configuration: current,
      probes,
      desk,
      silences,
      switches,
      scheduler,
      alerter,
      results,
      store,
      selfWatch,
    },
    memoryBytes: parts.process.memoryBytes,
    readiness: () => ({ ready, why: ready ? readyWhy(outage()) : 'starting' }),
    storeUp: () => outage() === undefined,
    blindSince: () => vantage.blindness()?.since,
  });
  const watchdog = createWatchdog({
    ...{ clock, log, meter, onFailing: selfWatch.watchdog },
    vitalSigns: createVitalSigns({ store, views, selfWatch, now: clock.now }),
  });
  const commands = createCommands({
    ...{ store, clock, log, desk, silences, switches, healer, pings, probes, configuration: current },
    reload: parts.reload,
  });

  /** What is open is known from before a start or a pause: healing waits until its probes have spoken again. */
  function askAgain(): void {
    for (const { source, subject } of desk.open()) if (source === 'probe') scheduler.wake(subject);
    healer.look();
  }

  /** What an earlier process, or an answer that was lost, left in the middle; nothing else is tried on its probe meanwhile. */
  function takeUp(): Promise<void> {
    return recoverAttempts({
      ...{ store, log, desk, journal, verify, healer, configuration: current, live: probes.get },
      gated: (type) => registries.actionTypes[type]?.gated === true,
    });
  }

  /** The store is back, and all is written. */
  async function resume(): Promise<void> {
    alerter.wake();
    await takeUp();
    askAgain();
    // Definitions may have changed meanwhile.
    await healer.reconsider();
  }

  /** What was not judged while we were blind. */
  function askBlind(): void {
    for (const { definition, last } of probes.all()) {
      if (last?.verdict.unknown === 'blind') scheduler.wake(definition.name);
    }
    healer.look();
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
    views,
    commands,
    store,
    async start(first) {
      configuration = first;
      await silences.load();
      await desk.load();
      await selfWatch.started();
      await switches.load();
      await probes.apply(first);
      await takeUp();
      follow(first);
      alerter.start();
      healer.start();
      askAgain();
      const storeUp = () => outage() === undefined;
      const remind = { silenceOf: silences.of, storeUp };
      background.push(startReminders({ store, clock, log, desk, configuration: current, ...remind }));
      background.push(startWithheld({ store, log, desk, flapping, silences, storeUp }));
      background.push(startRearm({ clock, log, switches, configuration: current, all: probes.all }));
      background.push(startRetention({ store, clock, log, meter, configuration: current }));
      background.push(refresh());
      ready = true;
    },
    async apply(next) {
      configuration = next;
      try {
        return await probes.apply(next);
      } finally {
        // Also when the store fails meanwhile: what is configured is what runs.
        follow(next);
      }
    },
    reloadFailed: (outcome) => selfWatch.reload(outcome),
    listening() {
      listeningSince = clock.now();
    },
    breakOff(why) {
      hold.abort(why);
      hold = new AbortController();
    },
    async stop() {
      ready = false;
      await watchdog.stop();
      await scheduler.stop();
      targets.stop();
      // Runs that our own end cuts short say nothing about the network.
      vantage.stop();
      stopping.abort(new DOMException('the daemon stops', 'AbortError'));
      const patience = setTimeout(() => acting.abort(new DOMException('the daemon stops', 'AbortError')), DRAIN_MS);
      await healer.stop();
      clearTimeout(patience);
      acting.abort();
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
