/**
 * The straight line of one run: probe → observation → verdict → state → transaction. It decides nothing itself: the
 * engine judges and tracks, the desk writes, and whoever acts is told afterwards.
 */
import { judge } from '../engine/judge.ts';
import { isOurTrouble, type Tracked, track } from '../engine/track.ts';
import { RetryableError } from '../errors.ts';
import type { Observation, Probe, Verdict } from '../model.ts';
import type { Clock, Log, Meter } from '../ports.ts';
import { hiding } from '../redact.ts';
import type { Backlog } from './backlog.ts';
import { createDependencies, type Dependencies } from './dependencies.ts';
import { createFollowCause } from './incident-cause.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createKinship } from './kinship.ts';
import { isActive, type LiveProbe, settle } from './live-probe.ts';
import type { ResultBuffer } from './result-buffer.ts';
import type { Runner } from './runner.ts';
import { pushSample, resultOf, windowReader } from './samples.ts';
import type { RunEnd } from './scheduler.ts';
import { createStateLedger } from './state-ledger.ts';
import type { Written } from './state-writer.ts';

export interface PipelineParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly desk: IncidentDesk;
  readonly results: ResultBuffer;
  readonly backlog: Backlog;
  readonly run: Runner;
  /** Takes back what may be a failure of our own network. */
  doubt(definition: Probe, observation: Observation): Promise<Observation>;
  live(name: string): LiveProbe | undefined;
  all(): Iterable<LiveProbe>;
  /** Starts a probe soon, outside its schedule. */
  wake(name: string): void;
  /**
   * Until when the page of a probe that is going DOWN is held for a fix; undefined: page now. `onceBack`: it went DOWN while
   * the store was away.
   */
  holdUntil(live: LiveProbe, onceBack?: boolean): Promise<number | undefined>;
  /** After a commit: whoever heals looks again. */
  onChanged(probe: string): void;
  /** Takes secrets out of what is told and stored; conditions see the truth. */
  redact(text: string): string;
  /** Aborts when the daemon stops, and with it every run under way. */
  readonly stopping: AbortSignal;
}

export interface Pipeline {
  /** One run of a probe from start to stored verdict, or the one under way. Never rejects. */
  runNow(name: string): Promise<RunEnd>;
  /** One run that begins now, after the one under way. Never rejects. */
  runAfresh(name: string): Promise<RunEnd>;
  readonly dependencies: Dependencies;
  /** Probes whose state waits for the store. */
  unwritten(): Iterable<string>;
  /** Resolves when no run is under way. */
  idle(): Promise<void>;
}

const QUIET = { confirming: false } as const;

export function createPipeline(parts: PipelineParts): Pipeline {
  const { clock, log, meter, desk, results, run, live, wake, onChanged, redact, stopping } = parts;
  const underWay = new Map<string, { readonly definition: Probe; readonly ended: Promise<RunEnd> }>();
  const dependencies = createDependencies({
    clock,
    live,
    all: parts.all,
    runNow: async (name) => void (await runNow(name)),
  });
  const kinship = createKinship({ clock, desk, dependencies, live, wake, holdUntil: parts.holdUntil, onChanged });
  const followCause = createFollowCause({ clock, desk });
  const ledger = createStateLedger({
    ...{ clock, desk, backlog: parts.backlog, dependencies, holdUntil: parts.holdUntil, onWritten: follow },
  });

  function runNow(name: string): Promise<RunEnd> {
    const shared = underWay.get(name);
    // A run of an earlier definition is not the run that was asked for: wait for its end, then run.
    if (shared)
      return shared.definition === live(name)?.definition ? shared.ended : shared.ended.then(() => runNow(name));
    const definition = live(name)?.definition;
    if (!definition || !isActive(definition)) return Promise.resolve(QUIET);
    const ended = runOnce(name).finally(() => underWay.delete(name));
    underWay.set(name, { definition, ended });
    return ended;
  }

  async function runOnce(name: string): Promise<RunEnd> {
    const probe = live(name);
    if (!probe) return QUIET;
    const { targetRevision } = probe.definition;
    const observation = await parts.doubt(probe.definition, await run(probe.definition));
    const { turnsAt } = observation;
    // Cut short by our own end, it says nothing about the target.
    if (stopping.aborted || !isWanted(probe, targetRevision)) return QUIET;
    try {
      const { confirming } = await process(probe, observation);
      return { confirming, ...(turnsAt !== undefined && { turnsAt }) };
    } catch (error) {
      // The next verdict asks for the same again: nothing is lost but time.
      if (error instanceof RetryableError) log.warn('incident_not_followed', { probe: name, error });
      else log.error('state_not_stored', { probe: name, error });
      return { confirming: true };
    }
  }

  /** The definition may have changed, or gone, while something was under way: what was seen is of another target then. */
  function isWanted(probe: LiveProbe, targetRevision: string): boolean {
    const { definition } = probe;
    return live(definition.name) === probe && isActive(definition) && definition.targetRevision === targetRevision;
  }

  async function process(probe: LiveProbe, observation: Observation): Promise<{ readonly confirming: boolean }> {
    pushSample(probe, observation);
    const show = hiding(redact, observation);
    const verdict = judge(probe.definition, observation, windowReader(probe, clock.now()), show);
    probe.last = { observation, verdict };
    probe.endedAt = clock.monotonic();
    meter.probeRun(observation.probe, verdict.reason);
    results.add(resultOf(probe.definition, observation, verdict, show));
    log.debug('probe_ran', {
      probe: observation.probe,
      verdict: verdict.kind,
      reason: verdict.reason,
      latency_ms: observation.latencyMs,
    });
    if (isOurTrouble(verdict)) {
      // What our own trouble hid may be the change that an event woke us for: ask again after `retry_every`.
      return { confirming: true };
    }
    probe.judgedAt = probe.endedAt;
    if (probe.untracked) return { confirming: true };
    return advance(probe, observation, verdict);
  }

  async function advance(
    probe: LiveProbe,
    observation: Observation,
    verdict: Verdict,
  ): Promise<{ readonly confirming: boolean }> {
    if (verdict.kind === 'pass') delete probe.firstFailureAt;
    else probe.firstFailureAt ??= observation.startedAt;
    const recovering = probe.state.streaks.failing > 0;
    const tracked = track(probe.state, verdict, probe.definition, clock.now());
    if (!tracked.change) {
      probe.state = tracked.state;
      if (verdict.kind !== 'fail') {
        delete probe.confirmBy;
        if (recovering) kinship.wakeWaiting(probe.definition.name);
      }
      await kinship.release(probe, verdict);
      await followCause(probe, verdict);
      return tracked;
    }
    return change(probe, tracked, tracked.change.from, verdict);
  }

  async function change(
    probe: LiveProbe,
    tracked: Tracked,
    from: LiveProbe['state']['state'],
    verdict: Verdict,
  ): Promise<{ readonly confirming: boolean }> {
    const wanted = () => isWanted(probe, tracked.state.targetRevision);
    const checked = tracked.state.state === 'down' ? await dependencies.check(probe) : undefined;
    if (!wanted()) return QUIET;
    if (checked?.answer === 'wait') {
      probe.state = { ...tracked.state, state: from, since: probe.state.since };
      setTimeout(() => wake(probe.definition.name), checked.until - clock.monotonic()).unref();
      return { confirming: true };
    }
    const written = await ledger.write({ live: probe, next: tracked.state, from, verdict, wanted });
    if (!written) return QUIET;
    settle(probe, tracked.state, clock.now());
    delete probe.confirmBy;
    log.info('state_changed', {
      probe: probe.definition.name,
      from,
      to: tracked.state.state,
      reason: verdict.reason,
      summary: verdict.summary,
      ...(written === 'kept' ? { kept: true } : { incident: written.incident?.id }),
    });
    if (written === 'kept') kinship.wakeWaiting(probe.definition.name);
    else await follow(probe, written);
    return tracked;
  }

  async function follow(probe: LiveProbe, written: Written): Promise<void> {
    await kinship.follow(probe, written);
    onChanged(probe.definition.name);
  }

  return {
    runNow,
    async runAfresh(name) {
      await underWay.get(name)?.ended;
      return runNow(name);
    },
    dependencies,
    unwritten: ledger.waiting,
    async idle() {
      while (underWay.size > 0) await Promise.all([...underWay.values()].map(({ ended }) => ended));
    },
  };
}
