/**
 * What the engine's events tell about how containers ended, kept in bounded memory: whether a person stopped one or it
 * died. The engine itself remembers 256 events and none across its own restart.
 */
import { z } from 'zod';
import type { Intervention } from '../model.ts';
import type { Engine } from '../shared/docker-engine.ts';
import { parseAnswer, withSignal } from '../shared/docker-engine.ts';
import { readJsonLines } from '../shared/docker-output.ts';

/** What changes how a container is judged; health checks also emit `exec_*`, which say nothing. */
export const WATCHED_ACTIONS = [
  'start',
  'die',
  'oom',
  'kill',
  'stop',
  'pause',
  'unpause',
  'destroy',
  'rename',
  'health_status',
] as const;

export interface ContainerEvent {
  readonly id: string;
  readonly name: string;
  readonly action: string;
  /** Clock of the engine, ms since the epoch, with fractions. */
  readonly at: number;
  /** Of a rename. */
  readonly oldName?: string;
}

const EVENT = z
  .object({
    Action: z.string(),
    timeNano: z.number(),
    Actor: z.object({
      ID: z.string(),
      Attributes: z.object({ name: z.string().default(''), oldName: z.string().optional() }),
    }),
  })
  .transform(
    ({ Action, timeNano, Actor }): ContainerEvent => ({
      id: Actor.ID,
      name: Actor.Attributes.name,
      // A health event reads `health_status: unhealthy`.
      action: Action.split(':')[0] ?? Action,
      at: timeNano / 1e6,
      ...(Actor.Attributes.oldName !== undefined && { oldName: Actor.Attributes.oldName.replace(/^\//, '') }),
    }),
  );

export interface EventQuery {
  /** ms since the epoch; without `until` the stream goes on as events happen. */
  readonly since: number;
  readonly until?: number;
}

/** Opens the engine's event stream; the events start with those it still remembers. */
export async function openEvents(
  engine: Engine,
  { since, until }: EventQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<ContainerEvent>> {
  const options = {
    // The engine takes 0 for "nothing from the past".
    since: Math.max(since, 1) / 1_000,
    ...(until !== undefined && { until: until / 1_000 }),
    filters: { type: ['container' as const], event: [...WATCHED_ACTIONS] },
    abortSignal: signal,
  };
  const stream = await withSignal(signal, engine.getEvents(options));
  return parseEvents(readJsonLines(stream as AsyncIterable<Buffer | string>));
}

async function* parseEvents(lines: AsyncIterable<unknown>): AsyncGenerator<ContainerEvent> {
  for await (const line of lines) yield parseAnswer(EVENT, line);
}

/** How the current life of a container ended. `doubtful`: around a restart of the engine, which stops containers too. */
export interface Fate {
  readonly kind: 'stopped' | 'died' | 'doubtful';
  readonly at: number;
}

interface Facts {
  stoppedAt: number;
  diedAt: number;
  doubtAt: number;
}

/** One engine's events, as far as they matter later. */
export interface EventMemory {
  /** The same event may come twice, and an older one after a newer one. */
  record(event: ContainerEvent): void;
  /** undefined: no event about the end of the life that started then is known. */
  fate(id: string, startedAt: number): Fate | undefined;
  /** How this name came to name nothing. */
  removal(name: string): Intervention | undefined;
  /** The engine went away: what it did just before may have been its own shutdown. False: it was away already. */
  engineLost(at: number): boolean;
  /** False: it was not away. */
  engineBack(at: number): boolean;
  /** How far the event stream was followed: the time of its newest event, 0 before the first. */
  followedTo(): number;
  markFollowed(at: number): void;
}

/** Containers, and names, remembered per engine. */
const CAPACITY = 1_000;
/** An engine that shuts down gives its containers 10 s to stop and itself 15 s (dockerd, `shutdown-timeout`). */
const SHUTDOWN_MS = 20_000;
/** `--rm` removes a container this soon after it died. */
const AUTO_REMOVE_MS = 1_000;

export function createEventMemory(): EventMemory {
  const facts = new Map<string, Facts>();
  const removals = new Map<string, Intervention>();
  let away = false;
  /** While the engine was last away, from the start of its shutdown. */
  let gap = { from: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY };
  let followed = 0;

  function factsOf(id: string): Facts {
    return facts.get(id) ?? keep(facts, id, { stoppedAt: 0, diedAt: 0, doubtAt: 0 });
  }

  function recordEnd(event: ContainerEvent, kind: 'stoppedAt' | 'diedAt'): void {
    const known = factsOf(event.id);
    const inGap = event.at >= gap.from && event.at <= gap.until;
    const key = inGap ? 'doubtAt' : kind;
    known[key] = Math.max(known[key], event.at);
  }

  function recordRemoval(event: ContainerEvent): void {
    const { stoppedAt, diedAt } = factsOf(event.id);
    const byItself = diedAt > stoppedAt && event.at - diedAt < AUTO_REMOVE_MS;
    const removed = { certain: !byItself, at: Math.floor(event.at), what: `docker rm of ${event.name}` };
    keep(removals, event.name, removed);
  }

  return {
    record(event) {
      if (event.action === 'stop') recordEnd(event, 'stoppedAt');
      if (event.action === 'die') recordEnd(event, 'diedAt');
      if (event.action === 'destroy') recordRemoval(event);
      if (event.action === 'rename' && event.oldName !== undefined) {
        const what = `docker rename of ${event.oldName} to ${event.name}`;
        keep(removals, event.oldName, { certain: true, at: Math.floor(event.at), what });
      }
    },
    fate(id, startedAt) {
      const known = facts.get(id);
      if (!known) return undefined;
      if (known.stoppedAt >= startedAt) return { kind: 'stopped', at: known.stoppedAt };
      if (known.doubtAt >= startedAt) return { kind: 'doubtful', at: known.doubtAt };
      return known.diedAt >= startedAt ? { kind: 'died', at: known.diedAt } : undefined;
    },
    removal: (name) => removals.get(name),
    engineLost(at) {
      if (away) return false;
      away = true;
      gap = { from: at - SHUTDOWN_MS, until: Number.POSITIVE_INFINITY };
      for (const known of facts.values()) doubt(known, gap.from);
      return true;
    },
    engineBack(at) {
      if (!away) return false;
      away = false;
      gap = { from: gap.from, until: at };
      return true;
    },
    followedTo: () => followed,
    markFollowed(at) {
      followed = Math.max(followed, at);
    },
  };
}

function doubt(known: Facts, from: number): void {
  const { stoppedAt, diedAt } = known;
  known.doubtAt = Math.max(known.doubtAt, ...[stoppedAt, diedAt].filter((at) => at >= from));
  if (stoppedAt >= from) known.stoppedAt = 0;
  if (diedAt >= from) known.diedAt = 0;
}

/** Sets an entry as the newest and forgets the oldest beyond the capacity. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > CAPACITY && !oldest.done) map.delete(oldest.value);
  return value;
}
