/**
 * Doubts ourselves first: before a failure that the network between us and a target could have caused is believed, the
 * vantage probes are asked. While all of them fail we are *blind*: nothing is judged from afar, and nothing is healed.
 */
import { isLoopback, isOfTheNetwork } from '../engine/blindness.ts';
import { NO_WINDOW } from '../engine/condition.ts';
import { judge } from '../engine/judge.ts';
import type { Configuration, Observation, Probe } from '../model.ts';
import type { Clock, Log, Meter, ProbeTypes } from '../ports.ts';
import { hiding } from '../redact.ts';
import { isActive } from './live-probe.ts';
import type { Runner } from './runner.ts';
import type { SelfWatch } from './self-watch.ts';

export interface VantageParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly probeTypes: ProbeTypes;
  readonly run: Runner;
  readonly selfWatch: Pick<SelfWatch, 'blind'>;
  configuration(): Configuration;
  redact(text: string): string;
  /** Sight is back: what was not judged is asked again. */
  onSight(): void;
}

/** Since when we are blind, and what the vantage probes said. */
export interface Blindness {
  /** Wall clock, ms. */
  readonly since: number;
  readonly why: string;
}

export interface Vantage {
  /** The observation, or the same as *unknown* when it may be our own network that failed. */
  doubt(definition: Probe, observation: Observation): Promise<Observation>;
  blindness(): Blindness | undefined;
  /** The vantage probes, or what they check, may have changed. */
  follow(): void;
  stop(): void;
}

/** Together, at most. */
const ASK_MS = 2_000;
/** While blind the vantage probes are asked again after this, doubled up to the last. */
const FIRST_LOOK_MS = 500;
const LAST_LOOK_MS = 5_000;

/** One time that all were asked. */
interface Look {
  /** Wall clock: what was seen before it is no older than what it says. */
  readonly startedAt: number;
  /** undefined: one of them passed. */
  readonly failed: Promise<string | undefined>;
}

export function createVantage(parts: VantageParts): Vantage {
  const { clock, log, meter, probeTypes, run, selfWatch, configuration, redact, onSight } = parts;
  let newest: Look | undefined;
  let blind: Blindness | undefined;
  let told = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function probes(): Probe[] {
    const { settings, probes: all } = configuration();
    return settings.healing.vantage.flatMap((name) => all.get(name) ?? []).filter(isActive);
  }

  /** The address that the run got to says more than a name, which may be of this machine. */
  function isRemote({ type, spec }: Probe, { fields }: Observation): boolean {
    const host = probeTypes[type]?.remote?.(spec);
    if (host === undefined) return false;
    return !isLoopback(typeof fields['ip'] === 'string' ? fields['ip'] : host);
  }

  /** undefined: it passed. */
  async function ask(definition: Probe): Promise<string | undefined> {
    const observation = await run({ ...definition, timeoutMs: Math.min(definition.timeoutMs, ASK_MS) });
    const { kind, summary } = judge(definition, observation, NO_WINDOW, hiding(redact, observation));
    return kind === 'pass' || kind === 'warn' ? undefined : `${definition.name}: ${summary}`;
  }

  async function askAll(asked: readonly Probe[]): Promise<string | undefined> {
    const answers = await Promise.all(asked.map(ask));
    return answers.every((answer) => answer !== undefined) ? answers.join('; ') : undefined;
  }

  /** Hundreds of targets that fail together ask once: a look that began after a run did speaks for it too. */
  function look(asked: readonly Probe[], since: number): Look {
    if (newest && newest.startedAt >= since) return newest;
    newest = { startedAt: clock.now(), failed: askAll(asked) };
    return newest;
  }

  /** Told from the second look on: what the first one saw may have been one lost packet. */
  function lookAgain(waitMs: number): void {
    timer = setTimeout(() => void again(waitMs), waitMs);
    timer.unref();
  }

  async function again(waitedMs: number): Promise<void> {
    const asked = probes();
    const failed = asked.length === 0 ? undefined : await look(asked, clock.now()).failed;
    if (stopped || !blind) return;
    if (failed === undefined) return seeAgain();
    blind = { ...blind, why: failed };
    if (!told) selfWatch.blind(blind);
    told = true;
    lookAgain(Math.min(2 * waitedMs, LAST_LOOK_MS));
  }

  function goBlind(why: string): void {
    if (blind || stopped) return;
    blind = { since: clock.now(), why };
    log.warn('blind', { why });
    meter.blind(true);
    lookAgain(FIRST_LOOK_MS);
  }

  function seeAgain(): void {
    clearTimeout(timer);
    log.info('sight_is_back', { blind_ms: blind && clock.now() - blind.since });
    blind = undefined;
    told = false;
    meter.blind(false);
    selfWatch.blind(undefined);
    onSight();
  }

  return {
    async doubt(definition, observation) {
      if (stopped || !isOfTheNetwork(observation.reason) || !isRemote(definition, observation)) return observation;
      const asked = probes();
      if (asked.length === 0) return observation;
      if (!blind) {
        const failed = await look(asked, observation.startedAt).failed;
        if (failed !== undefined) goBlind(failed);
      }
      return blind ? { ...observation, unknown: 'blind' } : observation;
    },
    blindness: () => blind,
    follow() {
      newest = undefined;
      if (blind && probes().length === 0) seeAgain();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
