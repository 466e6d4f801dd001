/**
 * `docker`: one container of a Docker engine: running, healthy, its exit code, restarts, CPU and memory. An engine that
 * does not answer is the engine's fault, told apart from every fault of a container, and gives no fix a target.
 */
import { z } from 'zod';
import type { FieldDeclarations, Resource } from '../model.ts';
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
import { namesMatching, selectorOption } from './docker-selector.ts';
import type { ReadStats } from './docker-stats.ts';
import { createStatsReader, STATS_FIELDS } from './docker-stats.ts';
import { followEngine } from './docker-watch.ts';
import { ProbeFailure } from './failure.ts';
import { gather, itemFields, type SeenItem } from './items.ts';

const spec = z
  .strictObject({
    container: containerName().optional(),
    selector: selectorOption().optional(),
    socket: engineSocket(),
  })
  .refine(({ container, selector }) => (container === undefined) !== (selector === undefined), {
    message: 'needs container, or selector for several',
  });

const fields: FieldDeclarations = {
  name: { type: 'string', summary: 'name of the container' },
  state: { type: 'string', summary: 'created, running, paused, restarting, removing, exited or dead' },
  health: { type: 'string', summary: 'healthy, unhealthy or starting; none without a HEALTHCHECK' },
  exit_code: { type: 'double', summary: 'of its last exit; 0 while it runs' },
  oom_killed: { type: 'bool', summary: 'its last exit was for want of memory; false while it runs' },
  restarts: { type: 'double', summary: 'how often the engine restarted it by its restart policy' },
  uptime_s: { type: 'double', unit: 's', summary: 'time since its start; absent unless it runs' },
  cpu_percent: { type: 'double', unit: '%', summary: 'of one core since the last run; absent unless it runs' },
  memory_bytes: { type: 'double', unit: 'B', summary: 'in use without the page cache; absent unless it runs' },
  image: { type: 'string', summary: 'image it was created from, as written' },
  ...itemFields,
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
    target({ container, selector, socket }) {
      const what = container ?? selector?.join(',') ?? '';
      return socket === DEFAULT_SOCKET ? what : `${describeSocket(socket)}/${what}`;
    },
    resource({ socket }, observed) {
      const name = observed['name'];
      return typeof name === 'string' ? containerAt(name, socket) : undefined;
    },
    async run(spec, input, context) {
      const { container, selector = [], socket } = spec;
      try {
        if (container === undefined) return await observeAll(selector, socket, input, memory, context);
        return await observe(container, socket, input, memory, context);
      } catch (error) {
        if (error instanceof ProbeFailure) return { reason: error.reason, fields: {}, error: error.message };
        const fault = engineFault(error, spec.socket, context.signal);
        if (!fault) throw error;
        return { ...fault, fields: {} };
      }
    },
    watch(probes, wake, context) {
      for (const socket of new Set(probes.map(({ spec }) => spec.socket))) {
        const here = probes.filter(({ spec }) => spec.socket === socket);
        const containers = here.map(({ probe, spec: { container, selector } }) => ({ probe, container, selector }));
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

function containerAt(name: string, socket: string): Resource {
  return { kind: 'container', name, at: socket };
}

/** Containers that are looked at together. */
const AT_ONCE = 10;

async function observeAll(
  selector: readonly string[],
  socket: string,
  input: ProbeInput,
  memory: Memory,
  context: Context,
): Promise<ProbeOutput> {
  const names = await namesMatching(await openEngine(socket), selector, context.signal);
  if (names.length === 0) {
    const fields = { items: {}, total: 0, failing: [] };
    return { reason: 'not_found', fields, error: `no container has the label ${selector.join(' and ')}` };
  }
  // Whoever reads `items` may read any figure of one.
  const wanted = input.reads?.has('items') === false ? [] : STATS_FIELDS;
  const all: SeenItem[] = [];
  for (let from = 0; from < names.length; from += AT_ONCE) {
    const some = names.slice(from, from + AT_ONCE).map(async (item) => {
      const asked = { ...input, probe: `${input.probe}/${item}`, reads: new Set<string>(wanted) };
      const seen = await observe(item, socket, asked, memory, context);
      return { item, seen, resource: containerAt(item, socket) };
    });
    all.push(...(await Promise.all(some)));
  }
  return gather(all);
}

async function observe(
  container: string,
  socket: string,
  input: ProbeInput,
  memory: Memory,
  context: Context,
): Promise<ProbeOutput> {
  const { clock, signal } = context;
  const engine = await openEngine(socket);
  const began = clock.monotonic();
  const first = await inspectContainer(engine, container, signal);
  const latencyMs = clock.monotonic() - began;
  const past = { engine, events: memory.eventsOf(socket), context };
  const seen = first && (await settle(first, engine, context, endedAlone(first, past)));
  if (!seen) return { ...(await missing(container, past)), latencyMs };
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
