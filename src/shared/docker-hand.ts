/** Whether a person's hand is why a container does not run: what the engine remembers, and what we do. */
import type { Intervention } from '../model.ts';
import type { Context } from '../ports.ts';
import type { Engine } from './docker-engine.ts';
import { engineFault } from './docker-engine.ts';
import type { EventMemory, EventQuery, Fate } from './docker-events.ts';
import { openEvents } from './docker-events.ts';
import type { Inspection } from './docker-inspect.ts';
import { hasEnded } from './docker-inspect.ts';

export interface Past {
  readonly engine: Engine;
  readonly events: EventMemory;
  readonly context: Context;
}

/** A person's hand, when the container is not running because of one, or perhaps because of one. */
export async function interventionOf(seen: Inspection, past: Past): Promise<Intervention | undefined> {
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

/** How a container came to be gone. */
export async function removalOf(container: string, past: Past): Promise<Intervention> {
  await recall(past, 0);
  const forgotten = `container ${container} is gone, and the engine does not remember why`;
  return past.events.removal(container) ?? { certain: false, at: past.context.clock.now(), what: forgotten };
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
