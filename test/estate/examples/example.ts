/** The example of a probe type, as its reader has it: a file of a home, loaded, run and judged. */
import { loadConfiguration } from '../../../src/config/load.ts';
import { NO_WINDOW } from '../../../src/engine/condition.ts';
import { judge } from '../../../src/engine/judge.ts';
import type { Observation, Probe, StateName, Verdict } from '../../../src/model.ts';
import type { Clock, HeardHeartbeat, Log } from '../../../src/ports.ts';
import { registries } from '../../../src/registries.ts';
import { createRunner } from '../../../src/runtime/runner.ts';
import { createHome } from '../daemon.ts';
import type { Later, Scenery } from './scenery.ts';
import { scenes } from './scenes.ts';

export interface Seen {
  readonly verdict: Verdict;
  readonly observation: Observation;
}

export interface Example {
  /** Of the probe of that type. */
  readonly probe: Probe;
  /** One run of every probe of the example, in order. */
  run(): Promise<Seen>;
  /** Ends everything that it needed. */
  close(): Promise<void>;
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const STATE_OF = { pass: 'up', warn: 'degraded', fail: 'down', unknown: 'unknown' } as const;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Errors: Error when the type has no scene, ConfigurationError when the example is not valid. */
export async function stageExample(type: string): Promise<Example> {
  const ends: (() => unknown)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await stage(type, (end) => void ends.push(end))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function stage(type: string, later: Later): Promise<Omit<Example, 'close'>> {
  const setScene = scenes[type];
  const text = registries.probeTypes[type]?.example;
  if (!setScene || text === undefined) throw new Error(`${type} has no scene for its example`);
  const scenery = await setScene(later);
  const home = await createHome({ ...scenery.files, 'probes/example.yaml': fileOf(text, scenery) });
  later(home.remove);
  const environment = { PATH: process.env['PATH'] ?? '', ...scenery.environment };
  const configuration = await loadConfiguration(home.path, { registries, environment });
  const probes = [...configuration.probes.values()];
  const probe = probes.find((one) => one.type === type);
  if (!probe) throw new Error(`the example of ${type} has none of that type`);
  if (probe.unset.length > 0) throw new Error(`the example of ${type} wants ${probe.unset.join(', ')}`);
  const run = runnerOf(probes, probe, home.path, environment);
  return { probe, run };
}

/** An example is a probe, or a list of them. */
function fileOf(example: string, { moved = [] }: Scenery): string {
  let text = example;
  for (const [said, here] of moved) {
    if (!text.includes(said)) throw new Error(`the example no longer says ${said}:\n${example}`);
    text = text.replace(said, () => here);
  }
  const entries = text.startsWith('- ') ? text : `- ${text.trim().replaceAll('\n', '\n  ')}`;
  return `probes:\n${entries.replace(/^(?=.)/gm, '  ')}\n`;
}

function runnerOf(
  probes: readonly Probe[],
  wanted: Probe,
  home: string,
  environment: Readonly<Record<string, string>>,
): Example['run'] {
  const states = new Map<string, StateName>();
  const run = createRunner({
    ...{ probeTypes: registries.probeTypes, clock, log: silent, environment, heartbeat, home: () => home },
    redact: (text) => text,
    stalls: { since: () => undefined },
    stateOf: (name) => states.get(name),
    onScarce: () => undefined,
    stopping: new AbortController().signal,
  });
  return async () => {
    let last: Seen | undefined;
    for (const probe of probes) {
      const observation = await run(probe);
      const verdict = judge(probe, observation, NO_WINDOW);
      states.set(probe.name, STATE_OF[verdict.kind]);
      if (probe === wanted) last = { verdict, observation };
    }
    if (!last) throw new Error(`${wanted.name} did not run`);
    return last;
  };
}

/** A job that told a minute ago that it went well. */
async function heartbeat(keyHash: string): Promise<HeardHeartbeat> {
  const now = clock.now();
  const at = now - MINUTE_MS;
  const known = { keyHash, createdAt: now - DAY_MS, lastPingAt: at, lastKind: 'success', lastSuccessAt: at } as const;
  return { heartbeat: known, listeningSince: now - DAY_MS };
}

/** One run, whose exchange must succeed; what it saw may be that the machine is busy. */
export async function runOnce(example: Example): Promise<void> {
  const { observation, verdict } = await example.run();
  if (observation.reason !== 'ok') throw new Error(`${example.probe.name}: ${verdict.summary}`);
}

/** Why it is not up; undefined: it is. What only says that the machine is busy is no reason. */
export function whyNotUp({ verdict, observation }: Seen): string | undefined {
  const busy = /_ms\b|\b(cpu|memory)_percent\b/;
  const isFine = verdict.decidedBy.every(({ source, result }) => result.outcome !== 'false' || busy.test(source));
  if (verdict.kind === 'pass' || (verdict.kind === 'warn' && isFine)) return undefined;
  return `${verdict.kind}: ${verdict.summary}; ${observation.error ?? ''} ${JSON.stringify(observation.fields)}`;
}
