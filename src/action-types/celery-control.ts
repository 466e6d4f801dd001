/** A word to Celery's workers over their Redis broker, and what they answer. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../ports.ts';
import { answersIn, type Control, controlMessage, createMailbox } from '../shared/celery-mailbox.ts';
import { type Ask, RedisFailure } from './redis-client.ts';

export interface Heard {
  /** Workers that listen. */
  readonly listening: number;
  /** What each answered, by its name. */
  readonly answers: ReadonlyMap<string, unknown>;
}

/** Waits until everybody who was asked has answered, or for `waitMs`. Errors: RedisFailure. */
export async function tellWorkers(
  ask: Ask,
  database: number,
  control: Control,
  waitMs: number,
  clock: Clock,
): Promise<Heard> {
  const mailbox = createMailbox(database);
  const ticket = randomUUID();
  await ask(['SADD', mailbox.bindings, mailbox.binding]);
  try {
    const message = controlMessage(control, mailbox, ticket, (clock.now() + waitMs) / 1_000);
    const listening = Number(await ask(['PUBLISH', mailbox.channel, message]));
    const wanted = control.destination?.length ?? listening;
    return { listening, answers: await hear(ask, mailbox.list, ticket, Math.min(wanted, listening), waitMs, clock) };
  } finally {
    await ask(['SREM', mailbox.bindings, mailbox.binding]);
    await ask(['DEL', mailbox.list]);
  }
}

async function hear(ask: Ask, list: string, ticket: string, wanted: number, waitMs: number, clock: Clock) {
  const answers = new Map<string, unknown>();
  const until = clock.monotonic() + waitMs;
  while (answers.size < wanted) {
    const leftSeconds = (until - clock.monotonic()) / 1_000;
    if (leftSeconds < 0.01) break;
    const popped = await ask(['BRPOP', list, leftSeconds.toFixed(3)]);
    if (!Array.isArray(popped)) break;
    const said = answersIn(String(popped[1]), ticket);
    if (said === undefined) throw new RedisFailure('a worker answered, but not in JSON');
    for (const [name, answer] of Object.entries(said)) answers.set(name, answer);
  }
  return answers;
}
