/**
 * `docker`: one container of a Docker engine: running, healthy, its exit code, restarts, CPU and memory. An engine that
 * does not answer is the engine's fault, told apart from every fault of a container, and gives no fix a target.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { FieldDeclarations, Intervention } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import type { Engine } from '../shared/docker-engine.ts';
import {
  containerName,
  DEFAULT_SOCKET,
  describeSocket,
  engineFault,
  engineSocket,
  openEngine,
} from '../shared/docker-engine.ts';
import type { EventQuery, Fate } from './docker-events.ts';
import { EventMemory, openEvents } from './docker-events.ts';
import type { Inspection } from './docker-inspect.ts';
import { fieldsOf, hasEnded, inspectContainer, judge, settleMs } from './docker-inspect.ts';
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
  const seen = first && (await settle(first, spec.container, engine, context));
  const past = { engine, events: memory.eventsOf(spec.socket), context };
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

/** A container that has just ended is looked at again: it may be on its way up already. */
async function settle(first: Inspection, container: string, engine: Engine, { clock, signal, timeoutMs }: Context) {
  const waitMs = Math.min(settleMs(first, clock.now()), timeoutMs / 2);
  if (waitMs === 0) return first;
  await sleep(waitMs, undefined, { signal });
  return inspectContainer(engine, container, signal);
}

interface Past {
  readonly engine: Engine;
  readonly events: EventMemory;
  readonly context: Context;
}

async function missing(container: string, past: Past): Promise<ProbeOutput> {
  await recall(past, 0);
  const intervention = past.events.removal(container) ?? {
    certain: false,
    at: past.context.clock.now(),
    what: `container ${container} is gone, and the engine does not remember why`,
  };
  return { reason: 'not_found', fields: {}, error: `there is no container ${container}`, intervention };
}

/** A person's hand, when the container is not running because of one, or perhaps because of one. */
async function interventionOf(seen: Inspection, past: Past): Promise<Intervention | undefined> {
  if (seen.state === 'created' && seen.startError === '') {
    return {
      certain: false,
      at: past.context.clock.now(),
      what: `container ${seen.name} was created and never started`,
    };
  }
  // The engine restarts nothing that a person stopped, so a container in the middle of it was not.
  if (!hasEnded(seen.state) || seen.state === 'restarting') return undefined;
  const known = past.events.fate(seen.id, seen.startedAt);
  if (known?.kind !== 'stopped') await recall(past, seen.startedAt);
  return toIntervention(seen, past.events.fate(seen.id, seen.startedAt));
}

function toIntervention({ name, finishedAt }: Inspection, fate: Fate | undefined): Intervention | undefined {
  switch (fate?.kind) {
    case 'died':
      return undefined;
    case 'stopped':
      return { certain: true, at: Math.floor(fate.at), what: `docker stop of ${name}` };
    case 'doubtful':
      return { certain: false, at: Math.floor(fate.at), what: `container ${name} ended while the engine restarted` };
    default:
      return { certain: false, at: finishedAt, what: `container ${name} ended, and the engine does not remember how` };
  }
}

/** Reads what the engine still remembers. When it cannot tell, what is in memory already has to do. */
async function recall({ engine, events, context }: Past, since: number): Promise<void> {
  const query: EventQuery = { since, until: context.clock.now() };
  try {
    for await (const event of await openEvents(engine, query, context.signal)) events.record(event);
  } catch (error) {
    if (!engineFault(error, '', context.signal)) throw error;
    context.log.debug('docker_events_unread', { error: String(error) });
  }
}
