/**
 * What the engine's events tell about how containers ended, kept in bounded memory: whether a person stopped one or it
 * died. The engine itself remembers 256 events and none across its own restart.
 */
import { z } from 'zod';
import type { Intervention } from '../model.ts';
import type { Engine } from './docker-engine.ts';
import { parseAnswer, withSignal } from './docker-engine.ts';
import { readJsonLines } from './docker-output.ts';

/** What changes how a container is judged; health checks also emit `exec_*`, which say nothing. */
const WATCHED_ACTIONS = [
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
  /** Of the container, and what else the engine tells of the event. */
  readonly labels: Readonly<Record<string, unknown>>;
}

const EVENT = z
  .object({
    Action: z.string(),
    timeNano: z.number(),
    Actor: z.object({
      ID: z.string(),
      Attributes: z.looseObject({ name: z.string().default(''), oldName: z.string().optional() }),
    }),
  })
  .transform(
    ({ Action, timeNano, Actor }): ContainerEvent => ({
      id: Actor.ID,
      name: Actor.Attributes.name,
      // A health event reads `health_status: unhealthy`.
      action: Action.split(':')[0] ?? Action,
      at: timeNano / 1e6,
      labels: Actor.Attributes,
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
  killedAt: number;
  stoppedAt: number;
  diedAt: number;
  doubtAt: number;
}

/** Containers, and names, remembered per engine. */
const CAPACITY = 1_000;
/** An engine that shuts down gives its containers 10 s to stop and itself 15 s (dockerd, `shutdown-timeout`). */
const SHUTDOWN_MS = 20_000;
/** `--rm` removes a container this soon after it died. */
const AUTO_REMOVE_MS = 1_000;

/** One engine's events, as far as they matter later; it lives as long as the daemon, across reloads. */
export class EventMemory {
  readonly #facts = new Map<string, Facts>();
  readonly #removals = new Map<string, Intervention>();
  #away = false;
  /** While the engine was last away, from the start of its shutdown. */
  #gap = { from: Number.POSITIVE_INFINITY, until: Number.POSITIVE_INFINITY };
  #followedTo = 0;

  /** The same event may come twice, and an older one after a newer one. */
  record(event: ContainerEvent): void {
    if (event.action === 'kill') this.#recordKill(event);
    if (event.action === 'stop') this.#recordEnd(event, 'stoppedAt');
    if (event.action === 'die') this.#recordEnd(event, 'diedAt');
    if (event.action === 'destroy') this.#recordRemoval(event);
    if (event.action === 'rename' && event.oldName !== undefined) {
      const what = `docker rename of ${event.oldName} to ${event.name}`;
      keep(this.#removals, event.oldName, { certain: true, at: Math.floor(event.at), what });
    }
  }

  /** undefined: no event about the end of the life that started then is known. */
  fate(id: string, startedAt: number): Fate | undefined {
    const known = this.#facts.get(id);
    if (!known) return undefined;
    if (known.stoppedAt >= startedAt) return { kind: 'stopped', at: known.stoppedAt };
    if (known.doubtAt >= startedAt) return { kind: 'doubtful', at: known.doubtAt };
    return known.diedAt >= startedAt ? { kind: 'died', at: known.diedAt } : undefined;
  }

  /** How this name came to name nothing. */
  removal(name: string): Intervention | undefined {
    return this.#removals.get(name);
  }

  /** The engine went away: what it did just before may have been its own shutdown. False: it was away already. */
  engineLost(at: number): boolean {
    if (this.#away) return false;
    this.#away = true;
    this.#gap = { from: at - SHUTDOWN_MS, until: Number.POSITIVE_INFINITY };
    for (const known of this.#facts.values()) doubt(known, this.#gap.from);
    return true;
  }

  /** False: it was not away. */
  engineBack(at: number): boolean {
    if (!this.#away) return false;
    this.#away = false;
    this.#gap = { from: this.#gap.from, until: at };
    return true;
  }

  /** How far the event stream was followed: the time of its newest event, 0 before the first. */
  get followedTo(): number {
    return this.#followedTo;
  }

  markFollowed(at: number): void {
    this.#followedTo = Math.max(this.#followedTo, at);
  }

  /**
   * The life that started then ended without a command to the engine, as far as its events were followed: what stops or
   * restarts a container begins with a `kill`.
   */
  diedAlone(id: string, startedAt: number): boolean {
    const known = this.#facts.get(id);
    return !this.#away && known !== undefined && known.diedAt >= startedAt && known.killedAt < startedAt;
  }

  #recordKill({ id, at }: ContainerEvent): void {
    const known = this.#factsOf(id);
    known.killedAt = Math.max(known.killedAt, at);
  }

  #factsOf(id: string): Facts {
    return this.#facts.get(id) ?? keep(this.#facts, id, { killedAt: 0, stoppedAt: 0, diedAt: 0, doubtAt: 0 });
  }

  #recordEnd(event: ContainerEvent, kind: 'stoppedAt' | 'diedAt'): void {
    const known = this.#factsOf(event.id);
    const inGap = event.at >= this.#gap.from && event.at <= this.#gap.until;
    const key = inGap ? 'doubtAt' : kind;
    known[key] = Math.max(known[key], event.at);
  }

  #recordRemoval(event: ContainerEvent): void {
    const { stoppedAt, diedAt } = this.#factsOf(event.id);
    const byItself = diedAt > stoppedAt && event.at - diedAt < AUTO_REMOVE_MS;
    const removed = { certain: !byItself, at: Math.floor(event.at), what: `docker rm of ${event.name}` };
    keep(this.#removals, event.name, removed);
  }
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
