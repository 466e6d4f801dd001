/** What watches, put together: the schedule, the runs, what is judged of them, and ourselves. */
import { isUnjudged } from '../engine/track.ts';
import type { Configuration } from '../model.ts';
import type { MemberState, RunOnDemand, Store } from '../ports.ts';
import type { Backlog } from './backlog.ts';
import { createGroups, type Groups } from './groups.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createOnDemand } from './on-demand.ts';
import { createPings, type Pings } from './pings.ts';
import { createPipeline, type Pipeline, type PipelineParts } from './pipeline.ts';
import { createProbeSet, type ProbeSet } from './probe-set.ts';
import { createResultBuffer, type ResultBuffer } from './result-buffer.ts';
import { createRunner } from './runner.ts';
import type { RuntimeParts } from './runtime-parts.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { createSelfWatch, type SelfWatch } from './self-watch.ts';
import { createTargetWatch, type TargetWatch } from './target-watch.ts';
import { createVantage, type Vantage } from './vantage.ts';

export interface Watching {
  readonly probes: ProbeSet;
  readonly results: ResultBuffer;
  readonly pings: Pings;
  readonly selfWatch: SelfWatch;
  readonly vantage: Vantage;
  readonly pipeline: Pipeline;
  readonly scheduler: Scheduler;
  readonly targets: TargetWatch;
  readonly groups: Groups;
  /** Probes what `/probe` asks for. */
  readonly onDemand: RunOnDemand;
  /** The HTTP server listens: pings can reach us from now on. */
  listening(): void;
}

export interface WatchingParts
  extends Pick<RuntimeParts, 'registries' | 'clock' | 'log' | 'meter' | 'environment' | 'redact' | 'process'>,
    Pick<PipelineParts, 'holdUntil' | 'onChanged' | 'stopping'> {
  readonly store: Store;
  readonly backlog: Backlog;
  readonly desk: IncidentDesk;
  configuration(): Configuration;
  /** This process stood still: what was seen before it is not acted on. */
  onResumed(): void;
  /** Sight is back, and what was not judged is being asked again. */
  onSight(): void;
}

export function createWatching(parts: WatchingParts): Watching {
  const { store, backlog, desk, registries, clock, log, meter, environment, redact, configuration, stopping } = parts;
  const { probeTypes } = registries;
  let listeningSince = Number.POSITIVE_INFINITY;

  const probes = createProbeSet({ store, clock, desk, backlog });
  const results = createResultBuffer({ store, log, meter });
  const pings = createPings({
    ...{ store, backlog, clock, probeTypes, redact, listeningSince: () => listeningSince },
    heardUntil: () => probes.lastResultAt(),
    probes: () => configuration().probes.values(),
    wake: (probe) => scheduler.wake(probe),
  });
  const selfWatch = createSelfWatch({
    ...{ clock, log, meter, desk, backlog, process: parts.process, onResumed: parts.onResumed },
  });
  const run = createRunner({
    ...{ probeTypes, clock, log, stalls: selfWatch.stalls, redact, heartbeat: pings.heartbeat, environment, stopping },
    stateOf: memberState,
    home: () => configuration().settings.home,
    onScarce: selfWatch.scarce,
  });
  const vantage = createVantage({
    ...{ clock, log, meter, run, redact, selfWatch, configuration, probeTypes },
    onSight() {
      askBlind();
      parts.onSight();
    },
  });
  const pipeline = createPipeline({
    ...{ clock, log, meter, desk, results, backlog, run, redact, stopping, live: probes.get, all: probes.all },
    ...{ doubt: vantage.doubt, holdUntil: parts.holdUntil },
    onChanged(probe) {
      parts.onChanged(probe);
      groups.changed(probe);
    },
    wake: (name) => scheduler.wake(name),
  });
  const scheduler = createScheduler({ clock, log, meter, run: pipeline.runNow });
  const groups = createGroups({ probeTypes, wake: scheduler.wake });
  const targets = createTargetWatch({
    ...{ probeTypes, clock, log },
    wake(probe, why) {
      log.debug('probe_woken', { probe, why });
      scheduler.wake(probe);
    },
  });

  const onDemand = createOnDemand({ run, probeTypes, clock, redact, configuration });

  function memberState(probe: string): MemberState | undefined {
    const live = probes.get(probe);
    return live && (isUnjudged(live.state, live.definition) ? 'unjudged' : live.state.state);
  }

  /** What was not judged while we were blind. */
  function askBlind(): void {
    for (const { definition, last } of probes.all()) {
      if (last?.verdict.unknown === 'blind') scheduler.wake(definition.name);
    }
  }

  return {
    ...{ probes, results, pings, selfWatch, vantage, pipeline, scheduler, targets, groups, onDemand },
    listening() {
      listeningSince = clock.now();
    },
  };
}
