/**
 * Celery's workers, asked by name: a ping into their mailbox, as `celery inspect ping` sends it, without Python.
 *
 * kombu's mailbox on Redis (kombu/pidbox.py, kombu/transport/redis.py): the question is published to all workers; each answers
 * into a list that belongs to whoever asked, as long as that list is bound.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import type { Dialogue, Reply } from './redis-dialogue.ts';

const REPLY_EXCHANGE = 'reply.celery.pidbox';
/** Who answers when we are about to give up still gets a little. */
const SHORTEST_WAIT_S = 0.01;

/** Where answers come to. */
export interface Mailbox {
  readonly id: string;
  readonly list: string;
  readonly bindings: string;
  readonly binding: string;
  /** What workers listen to. */
  readonly channel: string;
}

/** One for the life of a definition: what a run that died could not remove, the next one does. */
export function createMailbox(database: number, separator: string): Mailbox {
  const id = randomUUID();
  const list = `${id}.${REPLY_EXCHANGE}`;
  return {
    id,
    list,
    bindings: `_kombu.binding.${REPLY_EXCHANGE}`,
    binding: [id, '', list].join(separator),
    channel: `/${database}.celery.pidbox`,
  };
}

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
    ['PUBLISH', mailbox.channel, pingMessage(mailbox, ticket, (now + waitMs) / 1_000)],
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

/** https://docs.celeryq.dev/en/stable/userguide/workers.html#ping, in kombu's envelope. */
function pingMessage({ id }: Mailbox, ticket: string, expiresAtSeconds: number): string {
  const body = {
    method: 'ping',
    arguments: {},
    destination: null,
    pattern: null,
    matcher: null,
    ticket,
    reply_to: { exchange: REPLY_EXCHANGE, routing_key: id },
  };
  return JSON.stringify({
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { clock: 1, expires: expiresAtSeconds },
    properties: {
      delivery_mode: 2,
      delivery_info: { exchange: 'celery.pidbox', routing_key: '' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  });
}

const envelope = z.object({
  body: z.string(),
  headers: z.object({ ticket: z.string() }),
  properties: z.object({ body_encoding: z.string().optional() }),
});
const pong = z.record(z.string(), z.looseObject({ ok: z.string().optional() }));

/** The workers that an answer speaks for: one. None when it answers an earlier run. */
function namesIn(popped: Reply, ticket: string): readonly string[] {
  const text = Array.isArray(popped) ? popped[1] : undefined;
  const { headers, properties, body } = parsed(envelope, typeof text === 'string' ? text : '');
  if (headers.ticket !== ticket) return [];
  const isEncoded = properties.body_encoding === 'base64';
  const answer = parsed(pong, isEncoded ? Buffer.from(body, 'base64').toString() : body);
  return Object.entries(answer).flatMap(([name, { ok }]) => (ok === 'pong' ? [name] : []));
}

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new ProbeFailure('protocol', 'a worker answered, but not with a pong in JSON', { cause: error });
  }
}
