/** Celery's workers, asked by name: a ping into their mailbox, as `celery inspect ping` sends it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { answersIn, controlMessage, type Mailbox } from '../shared/celery-mailbox.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import type { Dialogue, Reply } from './redis-dialogue.ts';

/** Who answers when we are about to give up still gets a little. */
const SHORTEST_WAIT_S = 0.01;

const PING = { method: 'ping', arguments: {} };

export interface Roll {
  /** Workers that listen. */
  readonly connected: number;
  /** Those that answered. */
  readonly names: readonly string[];
}

/** @param waitMs how long to wait for workers that do not answer. @param now ms since the epoch. */
export async function callRoll(
  dialogue: Dialogue,
  mailbox: Mailbox,
  waitMs: number,
  now: number,
  line: Lifeline,
): Promise<Roll> {
  const cleanUp = [
    ['SREM', mailbox.bindings, mailbox.binding],
    ['DEL', mailbox.list],
  ];
  let isClean = false;
  try {
    const roll = await ask(dialogue, mailbox, waitMs, now, line);
    await dialogue.askAll(cleanUp);
    isClean = true;
    return roll;
  } finally {
    if (!isClean) dialogue.tell(cleanUp);
  }
}

async function ask(dialogue: Dialogue, mailbox: Mailbox, waitMs: number, now: number, line: Lifeline): Promise<Roll> {
  const ticket = randomUUID();
  const [, listeners] = await dialogue.askAll([
    ['SADD', mailbox.bindings, mailbox.binding],
    ['PUBLISH', mailbox.channel, controlMessage(PING, mailbox, ticket, (now + waitMs) / 1_000)],
  ]);
  const connected = Number(listeners);
  const names = new Set<string>();
  const giveUpAt = line.remainingMs() - waitMs;
  while (names.size < connected) {
    const leftSeconds = (line.remainingMs() - giveUpAt) / 1_000;
    if (leftSeconds < SHORTEST_WAIT_S) break;
    const popped = await dialogue.ask(['BRPOP', mailbox.list, leftSeconds.toFixed(3)]);
    if (popped === null) break;
    for (const name of namesIn(popped, ticket)) names.add(name);
  }
  return { connected, names: [...names].sort() };
}

const PONG = z.record(z.string(), z.looseObject({ ok: z.string().optional() }));

/** The workers that an answer speaks for: one. None when it answers an earlier run. */
function namesIn(popped: Reply, ticket: string): readonly string[] {
  const text = Array.isArray(popped) ? popped[1] : undefined;
  const pong = PONG.safeParse(answersIn(typeof text === 'string' ? text : '', ticket)).data;
  if (pong === undefined) throw new ProbeFailure('protocol', 'a worker answered, but not with a pong in JSON');
  return Object.entries(pong).flatMap(([name, { ok }]) => (ok === 'pong' ? [name] : []));
}
