/**
 * Follows one engine's events for all probes of its containers, and wakes a probe at once when its container changes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import type { Context, Wake } from '../ports.ts';
import { describeSocket, isCalled, openEngine } from '../shared/docker-engine.ts';
import type { ContainerEvent, EventMemory } from '../shared/docker-events.ts';
import { openEvents } from '../shared/docker-events.ts';
import { isSelected } from './docker-selector.ts';

export interface WatchedContainer {
  readonly probe: string;
  /** Name or id. Absent: those that the selector names. */
  readonly container?: string | undefined;
  readonly selector?: readonly string[] | undefined;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
/** A burst of events of one container wakes its probe at its start and once at the end of this. */
const BURST_MS = 250;

/** Ends when `context.signal` aborts, and never throws. */
export async function followEngine(
  socket: string,
  containers: readonly WatchedContainer[],
  wake: Wake,
  memory: EventMemory,
  context: Context,
): Promise<void> {
  const { signal, clock } = context;
  const log = context.log.child({ engine: describeSocket(socket) });
  const wakeSoon = createBurstWake(wake, signal);
  const wakeAll = (why: string) => {
    for (const { probe } of containers) wakeSoon(probe, why);
  };
  let retryMs = FIRST_RETRY_MS;

  const onOpen = () => {
    log.debug('docker_events_open');
    retryMs = FIRST_RETRY_MS;
    if (!memory.engineBack(clock.now())) return;
    log.info('docker_events_back');
    wakeAll('engine is back');
  };
  const onEvent = (event: ContainerEvent) => {
    for (const watched of containers) {
      if (concerns(event, watched)) wakeSoon(watched.probe, `container ${event.action}`);
    }
  };

  while (!signal.aborted) {
    const error = await followOnce(socket, memory, onOpen, onEvent, context);
    if (signal.aborted) return;
    if (memory.engineLost(clock.now())) {
      log.warn('docker_events_lost', { error });
      wakeAll('engine went away');
    }
    await pause(retryMs, signal);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  }
}

/** One life of the event stream. Returns why it ended; whatever that was, the stream is opened again. */
async function followOnce(
  socket: string,
  memory: EventMemory,
  onOpen: () => void,
  onEvent: (event: ContainerEvent) => void,
  { signal, clock }: Context,
): Promise<string> {
  try {
    const { followedTo } = memory;
    const newSince = followedTo === 0 ? clock.now() : followedTo;
    const events = await openEvents(await openEngine(socket), { since: followedTo }, signal);
    onOpen();
    for await (const event of events) {
      memory.record(event);
      memory.markFollowed(event.at);
      // What the engine repeats from before we ever looked is memory, not news.
      if (event.at > newSince) onEvent(event);
    }
    return 'the engine closed the stream';
  } catch (error) {
    return messageOf(error);
  }
}

function concerns(event: ContainerEvent, { container, selector }: WatchedContainer): boolean {
  if (container === undefined) return selector !== undefined && isSelected(event, selector);
  return event.oldName === container || isCalled(event, container);
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

/** Wakes at once, and once more at the end of a burst if more came in it. */
function createBurstWake(wake: Wake, signal: AbortSignal): Wake {
  const bursts = new Map<string, { more?: string; readonly timer: NodeJS.Timeout }>();
  signal.addEventListener('abort', () => {
    for (const { timer } of bursts.values()) clearTimeout(timer);
    bursts.clear();
  });
  return (probe, why) => {
    const burst = bursts.get(probe);
    if (burst) {
      burst.more = why;
      return;
    }
    const end = () => {
      const more = bursts.get(probe)?.more;
      bursts.delete(probe);
      if (more !== undefined) wake(probe, more);
    };
    bursts.set(probe, { timer: setTimeout(end, BURST_MS) });
    wake(probe, why);
  };
}
