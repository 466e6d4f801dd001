/**
 * The probes that live in this process, kept in step with the configuration: what did not change is not disturbed.
 */
import { freshState } from '../engine/track.ts';
import { RetryableError } from '../errors.ts';
import type { Configuration, Probe, ProbeState } from '../model.ts';
import type { Clock, Store } from '../ports.ts';
import { notSet } from '../words.ts';
import type { Backlog } from './backlog.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createLiveProbe, isActive, type LiveProbe, redefine } from './live-probe.ts';
import { refillWindow } from './samples.ts';
import type { ScheduledProbe } from './scheduler.ts';

export interface ProbeSet {
  get(name: string): LiveProbe | undefined;
  all(): Iterable<LiveProbe>;
  /** False for one that was paused, removed, or is unconfigured now. */
  isWatched(probe: LiveProbe): boolean;
  /** The newest result that an earlier process stored. */
  lastResultAt(): number | undefined;
  /** Names of the probes that are new, changed or gone. */
  apply(configuration: Configuration): Promise<readonly string[]>;
  /** Closed by hand: the next confirmed failure counts from nothing. */
  forget(name: string): void;
  /** What the scheduler is to run. */
  scheduled(): readonly ScheduledProbe[];
}

interface Adjusted {
  /** New, changed or gone. */
  readonly changed: readonly string[];
  /** Whose stored results speak of the target that is watched now: their windows are filled from them. */
  readonly remembers: readonly string[];
}

export interface ProbeSetParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly desk: IncidentDesk;
  readonly backlog: Backlog;
}

export function createProbeSet({ store, clock, desk, backlog }: ProbeSetParts): ProbeSet {
  const probes = new Map<string, LiveProbe>();
  let lastRunAt = new Map<string, number>();
  let lastResultAt: number | undefined;

  async function begin(definitions: ReadonlyMap<string, Probe>): Promise<Adjusted> {
    const states = new Map((await store.probeStates()).map((state) => [state.probe, state]));
    lastRunAt = new Map(await store.lastResultTimes());
    for (const at of lastRunAt.values()) lastResultAt = Math.max(at, lastResultAt ?? at);
    for (const [name, definition] of definitions) {
      probes.set(name, createLiveProbe(definition, believed(states.get(name)), clock.now()));
    }
    const sameTarget = (name: string) =>
      (states.get(name)?.targetRevision ?? definitions.get(name)?.targetRevision) ===
      definitions.get(name)?.targetRevision;
    return {
      changed: [...probes.keys()],
      remembers: [...probes.keys()].filter(sameTarget),
    };
  }

  /** A bad state ends with its incident, as by hand or at a pause: without one it would never open another. */
  function believed(stored: ProbeState | undefined): ProbeState | undefined {
    return stored?.state === 'up' || (stored && desk.ofProbe(stored.probe)) ? stored : undefined;
  }

  /** Without a wait, so that no run ever sees half of a new configuration. */
  function adjust(definitions: ReadonlyMap<string, Probe>): Adjusted {
    const gone = [...probes.keys()].filter((name) => !definitions.has(name));
    for (const name of gone) probes.delete(name);
    const changed = [...gone];
    const remembers: string[] = [];
    for (const [name, definition] of definitions) {
      const live = probes.get(name);
      if (live && isSame(live.definition, definition)) {
        live.definition = definition;
        continue;
      }
      changed.push(name);
      lastRunAt.delete(name);
      if (live?.definition.targetRevision === definition.targetRevision) remembers.push(name);
      if (live) redefine(live, definition, clock.now());
      else probes.set(name, createLiveProbe(definition, undefined, clock.now()));
    }
    return { changed, remembers };
  }

  /** A probe that is gone, or not watched any more, cannot recover: its incident is closed for that reason. */
  async function closeUnwatched(): Promise<void> {
    await desk.settled();
    for (const incident of desk.open()) {
      if (incident.source !== 'probe') continue;
      const definition = probes.get(incident.subject)?.definition;
      if (definition && isActive(definition)) continue;
      const why = !definition
        ? 'its definition was removed'
        : definition.paused
          ? 'it was paused'
          : `${notSet(definition.unset)} any more`;
      await desk.close(incident.id, 'definition_removed', why);
    }
  }

  /** While the store is away windows fill by themselves: what is in it then is too old to be put before newer runs. */
  async function refill(names: readonly string[]): Promise<void> {
    try {
      for (const name of names) {
        const live = probes.get(name);
        if (live) await refillWindow(live, store, clock.now());
      }
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
    }
  }

  /** What is stored of probes that are not defined any more. */
  async function forgetGone(): Promise<void> {
    for (const { probe } of await store.probeStates()) if (!probes.has(probe)) await store.deleteProbeState(probe);
    await closeUnwatched();
  }

  return {
    get: (name) => probes.get(name),
    all: () => probes.values(),
    isWatched: (probe) => probes.get(probe.definition.name) === probe && isActive(probe.definition),
    lastResultAt: () => lastResultAt,
    async apply(configuration) {
      const first = probes.size === 0;
      const { changed, remembers } = first ? await begin(configuration.probes) : adjust(configuration.probes);
      await refill(remembers);
      await backlog.write({ key: 'definitions', write: forgetGone });
      return changed;
    },
    forget(name) {
      const live = probes.get(name);
      if (live && isActive(live.definition)) live.state = freshState(name, live.definition.targetRevision, clock.now());
    },
    scheduled: () =>
      [...probes.values()]
        .filter(({ definition }) => isActive(definition))
        .map(({ definition, last }) => {
          const { name, schedule, retryEveryMs } = definition;
          const ranAt = last?.observation.startedAt ?? lastRunAt.get(name);
          return {
            ...{ name, schedule, revision: definition.revision },
            ...(retryEveryMs !== undefined && { retryEveryMs }),
            // A definition that changed while we run is asked at once, whatever the old one saw.
            ...(ranAt !== undefined && !last && { lastRunAt: ranAt }),
          };
        }),
  };
}

function isSame(before: Probe, now: Probe): boolean {
  return before.revision === now.revision && before.unset.join() === now.unset.join();
}
