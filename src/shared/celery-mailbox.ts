/**
 * What is said to Celery's workers over their Redis broker, and how their answers come back, without Python: kombu's mailbox
 * (kombu/pidbox.py, kombu/transport/redis.py). The question is published to all workers; each answers into a list that belongs
 * to whoever asked, as long as that list is bound.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';

const REPLY_EXCHANGE = 'reply.celery.pidbox';
/** kombu puts these between the parts of a binding. */
const SEPARATOR = '\x06\x16';

/** Where answers come to. */
export interface Mailbox {
  readonly id: string;
  readonly list: string;
  readonly bindings: string;
  readonly binding: string;
  /** What workers listen to. */
  readonly channel: string;
}

/** @param separator of the transport's settings. Default: that of kombu. */
export function createMailbox(database: number, separator = SEPARATOR): Mailbox {
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

export interface Control {
  readonly method: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Names of workers. Absent: all of them. */
  readonly destination?: readonly string[];
}

/** https://docs.celeryq.dev/en/stable/userguide/workers.html#remote-control, in kombu's envelope. */
export function controlMessage(control: Control, { id }: Mailbox, ticket: string, expiresAtSeconds: number): string {
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

/**
 * What each worker of an answer says, by its name; empty when it answers something else. undefined: it is not JSON, or not an
 * answer.
 */
export function answersIn(text: string, ticket: string): Readonly<Record<string, unknown>> | undefined {
  const envelope = ENVELOPE.safeParse(json(text)).data;
  if (envelope === undefined) return undefined;
  const { headers, properties, body } = envelope;
  if (headers.ticket !== ticket) return {};
  return ANSWER.safeParse(json(properties.body_encoding === 'base64' ? Buffer.from(body, 'base64').toString() : body))
    .data;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
