/**
 * `docker`: one container of a Docker engine: running, healthy, its exit code, restarts, CPU and memory. An engine that
 * does not answer is the engine's fault, told apart from every fault of a container, and gives no fix a target.
 */
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import {
  containerName,
  DEFAULT_SOCKET,
  describeSocket,
  engineFault,
  engineSocket,
  openEngine,
} from '../shared/docker-engine.ts';
import { EventMemory } from '../shared/docker-events.ts';
import type { Past } from '../shared/docker-hand.ts';
import { interventionOf, removalOf } from '../shared/docker-hand.ts';
import { type Inspection, inspectContainer, settle } from '../shared/docker-inspect.ts';
import { fieldsOf, judge } from './docker-judge.ts';
import type { ReadStats } from './docker-stats.ts';
import { createStatsReader, STATS_FIELDS } from './docker-stats.ts';
import { followEngine } from './docker-watch.ts';

const spec = z.strictObject({ container: containerName(), socket: engineSocket() });
type DockerSpec = z.output<typeof spec>;

const fields: FieldDeclarations = {
  name: { type: 'string', summary: 'name of the container' },
  state: { type: 'string', summary: 'created, running, paused, restarting, removing, exited or dead' },
  health: { type: 'string', summary: 'healthy, unhealthy or starting; none without a HEALTHCHECK' },
  exit_code: { type: 'double', summary: 'of its last exit; 0 while it runs' },
  oom_killed: { type: 'bool', summary: 'its last exit was for want of memory; false while it runs' },
  restarts: { type: 'double', summary: 'how often the engine restarted it by its restart policy' },
  uptime_s: { type: 'double', unit: 's', summary: 'time since its start; absent unless it runs' },
  cpu_percent: { type: 'double', unit: 'percent', summary: 'of one core since the last run; absent unless it runs' },
  memory_bytes: { type: 'double', unit: 'bytes', summary: 'in use without the page cache; absent unless it runs' },
  image: { type: 'string', summary: 'image it was created from, as written' },
};

/** What is known from before, by engine and by probe. */
interface Memory {
  eventsOf(socket: string): EventMemory;
  readonly readStats: ReadStats;
}

/** A type of its own memory, which lives as long as the type: across runs and reloads. */
export function createDockerProbeType(): ProbeType<typeof spec> {
  const memory = createMemory();
  return {
    name: 'docker',
    summary:
      'One container of a Docker engine: state, health, exit code, restarts, CPU, memory. Reacts to engine events.',
    spec,
    mainOption: 'container',
    example: 'name: web-container\ndocker: { container: web }\nexpect:\n  - restarts < 5',
    fields,
    families: [],
    target: ({ container, socket }) =>
      socket === DEFAULT_SOCKET ? container : `${describeSocket(socket)}/${container}`,
    resource({ socket }, observed) {
      const name = observed['name'];
      return typeof name === 'string' ? { kind: 'container', name, at: socket } : undefined;
    },
    async run(spec, input, context) {
      try {
        return await observe(spec, input, memory, context);
      } catch (error) {
        const fault = engineFault(error, spec.socket, context.signal);
        if (!fault) throw error;
        return { ...fault, fields: {} };
      }
    },
    watch(probes, wake, context) {
      for (const socket of new Set(probes.map(({ spec }) => spec.socket))) {
        const here = probes.filter(({ spec }) => spec.socket === socket);
        const containers = here.map(({ probe, spec }) => ({ probe, container: spec.container }));
        void followEngine(socket, containers, wake, memory.eventsOf(socket), context);
      }
    },
  };
}

function createMemory(): Memory {
  const bySocket = new Map<string, EventMemory>();
  return {
    readStats: createStatsReader(),
    eventsOf(socket) {
      const events = bySocket.get(socket) ?? new EventMemory();
      bySocket.set(socket, events);
      return events;
    },
  };
}

async function observe(spec: DockerSpec, input: ProbeInput, memory: Memory, context: Context): Promise<ProbeOutput> {
  const { clock, signal } = context;
  const engine = await openEngine(spec.socket);
  const began = clock.monotonic();
  const first = await inspectContainer(engine, spec.container, signal);
  const latencyMs = clock.monotonic() - began;
  const past = { engine, events: memory.eventsOf(spec.socket), context };
  const seen = first && (await settle(first, engine, context, endedAlone(first, past)));
  if (!seen) return { ...(await missing(spec.container, past)), latencyMs };
  const intervention = await interventionOf(seen, past);
  const reads = (field: string) => input.reads?.has(field) ?? true;
  const measured = seen.state === 'running' && STATS_FIELDS.some(reads);
  const stats = measured ? await memory.readStats(input.probe, engine, seen.id, context) : {};
  return {
    ...judge(seen, intervention?.certain ?? false),
    fields: { ...fieldsOf(seen, clock.now()), ...stats },
    latencyMs,
    ...(intervention && { intervention }),
  };
}

/** By itself, and the engine does not start it again: what a person or a policy would do is not waited for. */
function endedAlone({ id, startedAt, restartsByPolicy }: Inspection, { events }: Past): boolean {
  return !restartsByPolicy && events.diedAlone(id, startedAt);
}

async function missing(container: string, past: Past): Promise<ProbeOutput> {
  const intervention = await removalOf(container, past);
  return { reason: 'not_found', fields: {}, error: `there is no container ${container}`, intervention };
}
