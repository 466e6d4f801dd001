/**
 * A word to Celery's workers over their Redis broker, and what they answer: kombu's mailbox (kombu/pidbox.py), without Python.
 * https://docs.celeryq.dev/en/stable/userguide/workers.html#remote-control
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../ports.ts';
import { type Ask, RedisFailure } from './redis-client.ts';

const REPLY_EXCHANGE = 'reply.celery.pidbox';
/** kombu puts these between the parts of a binding. */
const SEPARATOR = '\x06\x16';

export interface Control {
  readonly method: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Names of workers. Absent: all of them. */
  readonly destination?: readonly string[];
}

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
  const id = randomUUID();
  const list = `${id}.${REPLY_EXCHANGE}`;
  const bindings = `_kombu.binding.${REPLY_EXCHANGE}`;
  const binding = [id, '', list].join(SEPARATOR);
  const ticket = randomUUID();
  await ask(['SADD', bindings, binding]);
  try {
    const message = messageOf(control, id, ticket, (clock.now() + waitMs) / 1_000);
    const listening = Number(await ask(['PUBLISH', `/${database}.celery.pidbox`, message]));
    const wanted = control.destination?.length ?? listening;
    return { listening, answers: await hear(ask, list, ticket, Math.min(wanted, listening), waitMs, clock) };
  } finally {
    await ask(['SREM', bindings, binding]);
    await ask(['DEL', list]);
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
    for (const [name, answer] of Object.entries(answerIn(String(popped[1]), ticket))) answers.set(name, answer);
  }
  return answers;
}

function messageOf(control: Control, id: string, ticket: string, expiresAtSeconds: number): string {
  const body = {
    method: control.method,
    arguments: control.arguments,
    destination: control.destination ?? null,
    ...{ pattern: null, matcher: null, ticket },
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

const ENVELOPE = z.object({
  body: z.string(),
  headers: z.object({ ticket: z.string() }),
  properties: z.object({ body_encoding: z.string().optional() }),
});
const ANSWER = z.record(z.string(), z.unknown());

/** By worker; empty when it answers something else. */
function answerIn(text: string, ticket: string): Readonly<Record<string, unknown>> {
  try {
    const { headers, properties, body } = ENVELOPE.parse(JSON.parse(text));
    if (headers.ticket !== ticket) return {};
    const isEncoded = properties.body_encoding === 'base64';
    return ANSWER.parse(JSON.parse(isEncoded ? Buffer.from(body, 'base64').toString() : body));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new RedisFailure('a worker answered, but not in JSON', { cause: error });
  }
}
