/** What JetStream tells about a stream and a consumer: https://docs.nats.io/reference/reference-protocols/nats_api_reference */
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import { shortened } from '../words.ts';
import { ProbeFailure } from './failure.ts';
import { request } from './nats-session.ts';
import type { Wire } from './wire.ts';

const count = z.number().nonnegative();
const streamInfo = z.object({ state: z.object({ messages: count, bytes: count, consumer_count: count }) });
const consumerInfo = z.object({
  num_pending: count,
  num_ack_pending: count,
  num_redelivered: count,
  num_waiting: count.default(0),
});
const refusal = z.object({ error: z.object({ code: z.number(), description: z.string().default('') }) });

export const jetStreamFields: FieldDeclarations = {
  depth: {
    type: 'double',
    summary:
      'Messages that wait: for the `consumer`, or all that the `stream` holds without one; null without a stream',
  },
  consumers: { type: 'double', summary: 'Consumers of the stream' },
  stream_bytes: { type: 'double', unit: 'B', summary: 'Size of the messages that the stream holds' },
  unacknowledged: { type: 'double', summary: 'Messages that the consumer was given and has not acknowledged' },
  redelivered: { type: 'double', summary: 'Messages that the consumer was given more than once' },
  waiting_pulls: { type: 'double', summary: 'Workers that ask the consumer for messages right now' },
};

export interface Place {
  readonly stream: string;
  readonly consumer: string | undefined;
  readonly domain: string | undefined;
}

/** @param fields gets what is learnt, also when a later question fails. */
export async function readJetStream(wire: Wire, place: Place, fields: Record<string, unknown>): Promise<void> {
  const { stream, consumer, domain } = place;
  const api = domain === undefined ? '$JS.API' : `$JS.${domain}.API`;
  const { state } = read(streamInfo, await ask(wire, `${api}.STREAM.INFO.${stream}`, 'the stream'));
  Object.assign(fields, { depth: state.messages, consumers: state.consumer_count, stream_bytes: state.bytes });
  if (consumer === undefined) return;
  const told = read(consumerInfo, await ask(wire, `${api}.CONSUMER.INFO.${stream}.${consumer}`, 'the consumer'));
  Object.assign(fields, {
    depth: told.num_pending,
    unacknowledged: told.num_ack_pending,
    redelivered: told.num_redelivered,
    waiting_pulls: told.num_waiting,
  });
}

async function ask(wire: Wire, subject: string, what: string): Promise<unknown> {
  const answer = await request(wire, subject);
  const { error } = refusal.safeParse(answer).data ?? {};
  if (!error) return answer;
  const reason = error.code === 404 ? 'not_found' : error.code >= 500 ? 'unhealthy' : 'body';
  throw new ProbeFailure(reason, `${what}: ${shortened(error.description, 300)} (${error.code})`);
}

function read<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const { data } = schema.safeParse(answer);
  if (data === undefined) throw new ProbeFailure('protocol', 'what answers is not the API of JetStream');
  return data;
}
