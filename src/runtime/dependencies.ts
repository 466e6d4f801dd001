/**
 * What a probe depends on, and whether a failure of it is really a failure of one of those.
 */
import type { Probe } from '../model.ts';
import type { Clock } from '../ports.ts';
import { isActive, type LiveProbe } from './live-probe.ts';

export interface DependencyParts {
  readonly clock: Clock;
  live(name: string): LiveProbe | undefined;
  all(): Iterable<LiveProbe>;
  /** Runs a probe now and processes what it saw; joins a run under way. */
  runNow(name: string): Promise<void>;
}

export type DependencyCheck =
  | { readonly answer: 'go'; readonly root: LiveProbe | undefined }
  /** A dependency fails but is not confirmed: wait for it, at most until then (monotonic ms). */
  | { readonly answer: 'wait'; readonly until: number };

/** However many children ask, a dependency is probed for them at most this often. */
const FRESH_MS = 2_000;

export function createDependencies({ clock, live, all, runNow }: DependencyParts) {
  /** When a check last ran a dependency, monotonic ms. */
  const checkedAt = new WeakMap<LiveProbe, number>();

  /** Every active probe that this one stands on, nearest first. */
  function transitive(definition: Probe): LiveProbe[] {
    const found = new Map<string, LiveProbe>();
    const queue = [...definition.dependsOn];
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const dependency = live(name);
      if (!dependency || found.has(name)) continue;
      found.set(name, dependency);
      queue.push(...dependency.definition.dependsOn);
    }
    return [...found.values()].filter(({ definition }) => isActive(definition));
  }

  /** What was seen before the child began to fail says nothing about why it does, unless it was just asked for. */
  function isFresh(dependency: LiveProbe, child: LiveProbe): boolean {
    const { endedAt, last } = dependency;
    const now = clock.monotonic();
    if (endedAt === undefined || last === undefined || now - endedAt > FRESH_MS) return false;
    const sawTheFailure = last.observation.startedAt >= (child.firstFailureAt ?? Number.NEGATIVE_INFINITY);
    return sawTheFailure || now - (checkedAt.get(dependency) ?? Number.NEGATIVE_INFINITY) <= FRESH_MS;
  }

  async function probeNow(dependency: LiveProbe): Promise<void> {
    checkedAt.set(dependency, clock.monotonic());
    await runNow(dependency.definition.name);
  }

  /** The dependency that is DOWN and stands on nothing else that is DOWN. */
  function downRoot(definition: Probe): LiveProbe | undefined {
    const isDown = ({ state }: LiveProbe) => state.state === 'down';
    const down = transitive(definition).filter(isDown);
    return down.find((dependency) => !transitive(dependency.definition).some(isDown));
  }

  async function check(probe: LiveProbe): Promise<DependencyCheck> {
    const dependencies = transitive(probe.definition);
    await Promise.all(dependencies.filter((dependency) => !isFresh(dependency, probe)).map(probeNow));
    const root = downRoot(probe.definition);
    if (root) return { answer: 'go', root };
    const waits = dependencies.filter(({ state }) => state.streaks.failing > 0).map(confirmationMs);
    const now = clock.monotonic();
    probe.confirmBy ??= waits.length > 0 ? now + Math.max(...waits) : now;
    return waits.length > 0 && now < probe.confirmBy
      ? { answer: 'wait', until: probe.confirmBy }
      : { answer: 'go', root: undefined };
  }

  /** Names of all probes that stand on this one, directly or not, nearest first. */
  function dependants(name: string): string[] {
    const found: string[] = [];
    for (const { definition } of all()) {
      if (definition.dependsOn.length === 0) continue;
      if (transitive(definition).some((dependency) => dependency.definition.name === name)) found.push(definition.name);
    }
    const depth = (probe: string) => transitive(live(probe)?.definition as Probe).length;
    return found.sort((one, other) => depth(one) - depth(other));
  }

  return { check, downRoot, dependants };
}

export type Dependencies = ReturnType<typeof createDependencies>;

/** How long a dependency needs, at most, to be confirmed from now on. */
function confirmationMs({ definition, state }: LiveProbe): number {
  const everyMs = definition.schedule.kind === 'interval' ? definition.schedule.everyMs : 60_000;
  const missing = Math.max(1, definition.failAfter - state.streaks.failing);
  return missing * (definition.retryEveryMs ?? everyMs) + definition.timeoutMs;
}
