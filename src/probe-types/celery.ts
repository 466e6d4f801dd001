/** Probe type `celery`: workers that answer, and tasks that wait, over the Redis between them. */
import { z } from 'zod';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { createMailbox, type Mailbox } from '../shared/celery-mailbox.ts';
import { type Layout, layOut, readOldest, readQueues } from './celery-queues.ts';
import { callRoll, type Roll } from './celery-workers.ts';
import { routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import type { Dialogue } from './redis-dialogue.ts';
import {
  databaseOf,
  enterRedis,
  printRedis,
  type RedisAccess,
  redisAccess,
  redisServerOf,
  redisUrl,
} from './redis-server.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { connectionFields, createGuards, DATABASE_PHASES, type Findings, runOverConnection } from './server-run.ts';

/** Of the time that is left when they are asked, workers that do not answer get this share. */
const WAIT_SHARE = 0.5;
/** kombu's own, and what its documentation counts up to. */
const PRIORITY_STEPS = [0, 3, 6, 9];
const SEPARATOR = '\x06\x16';

const celerySpec = z
  .strictObject({
    broker: redisUrl().describe('redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS; Redis 6 or later'),
    queues: z.array(z.string().min(1)).min(1).max(50).default(['celery']).describe('Queues whose tasks are counted'),
    ping: z
      .boolean()
      .default(true)
      .describe('Ask the workers, and fail when none answers. false: only the queues are looked at'),
    expect_workers: z
      .array(z.string().min(1))
      .max(1_000)
      .default([])
      .describe('Names of workers that must answer, such as celery@host. Default: any one'),
    priority_steps: z
      .array(z.number().int().min(0).max(255))
      .min(1)
      .max(20)
      .default(PRIORITY_STEPS)
      .describe("priority_steps of the application's broker_transport_options. Default: Celery's own"),
    separator: z
      .string()
      .min(1)
      .optional()
      .describe("sep of the application's broker_transport_options. Default: Celery's own, the bytes 6 and 22"),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name; needs rediss://'),
    ...routeOptions,
  })
  .refine(({ broker, tls }) => tls === undefined || broker.startsWith('rediss:'), {
    path: ['tls'],
    message: 'needs a broker that starts with rediss://',
  })
  .refine(({ ping, expect_workers: expected }) => ping || expected.length === 0, {
    path: ['expect_workers'],
    message: 'needs ping: workers that are not asked do not answer',
  });
type CelerySpec = z.output<typeof celerySpec>;

interface Prepared {
  readonly spec: CelerySpec;
  readonly access: RedisAccess;
  readonly layout: Layout;
  readonly mailbox: Mailbox;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createCelery(resolver: NameResolver = createResolver()): ProbeType<typeof celerySpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: CelerySpec): Prepared => {
    const access = redisAccess(spec.broker, spec, createGuard);
    const separator = spec.separator ?? SEPARATOR;
    return {
      spec,
      access,
      layout: layOut(spec.queues, spec.priority_steps, separator),
      mailbox: createMailbox(databaseOf(access.server), separator),
    };
  });
  return {
    name: 'celery',
    summary: 'Celery on Redis: workers that answer a ping, and the tasks that wait in its queues',
    spec: celerySpec,
    mainOption: 'broker',
    example: `- name: tasks
  celery:
    broker: "redis://127.0.0.1:6379/0"
    queues: [celery, mail]
  expect:
    - workers >= 2
    - queues.mail < 100
  warn:
    - depth < 1000
`,
    fields: {
      workers: { type: 'double', summary: 'Workers that answered; null with ping: false' },
      worker_names: { type: 'list', summary: 'Their names, such as celery@host' },
      workers_connected: {
        type: 'double',
        summary: 'Workers that are connected to the broker; one that hangs is among these alone',
      },
      depth: { type: 'double', summary: 'Tasks that wait in all of the queues, of any priority' },
      queues: { type: 'map', summary: 'Tasks that wait, by queue: queues.celery' },
      unacked: { type: 'double', summary: 'Tasks that workers have taken and not finished, of any queue' },
      oldest_unacked_s: { type: 'double', unit: 's', summary: 'How long ago the first of them was taken' },
      oldest_s: {
        type: 'double',
        unit: 's',
        summary:
          'Age of the oldest task that waits, where a header says when it was sent (enqueued_at); else null, as for ' +
          'messages over 1 MiB',
      },
      ...connectionFields(DATABASE_PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ broker }) => printRedis(redisServerOf(broker)),
    remote: ({ broker }) => redisServerOf(broker).host,
    run: (spec, input, context) => runCelery(prepare(spec), resolver, input, context),
  };
}

export const celery = createCelery();

async function runCelery(
  { spec, access, layout, mailbox }: Prepared,
  resolver: NameResolver,
  { reads }: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const { clock } = context;
  return await runOverConnection(context, DATABASE_PHASES, async (line, { seen, fields }) => {
    const dialogue = await enterRedis(access, resolver, clock.now(), line, seen);
    const { waitingIn, ...figures } = await readQueues(dialogue, layout, clock.now());
    Object.assign(fields, figures);
    const roll = spec.ping ? await readRoll(dialogue, mailbox, clock.now(), line, fields) : undefined;
    // The last question: an answer that is too large ends the dialogue.
    if (reads === undefined || reads.has('oldest_s')) {
      fields['oldest_s'] = await readOldest(dialogue, waitingIn, clock.now());
    }
    if (roll) demandWorkers(roll, spec.expect_workers);
  });
}

async function readRoll(
  dialogue: Dialogue,
  mailbox: Mailbox,
  now: number,
  line: Lifeline,
  fields: Findings['fields'],
): Promise<Roll> {
  const roll = await callRoll(dialogue, mailbox, line.remainingMs() * WAIT_SHARE, now, line);
  const { connected, names } = roll;
  Object.assign(fields, { workers: names.length, worker_names: names, workers_connected: connected });
  return roll;
}

function demandWorkers({ connected, names }: Roll, expected: readonly string[]): void {
  const missing = expected.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new ProbeFailure('unhealthy', `no answer from ${missing.slice(0, 10).join(', ')}`);
  if (names.length > 0) return;
  throw new ProbeFailure(
    'unhealthy',
    connected === 0
      ? 'no worker is connected'
      : `${connected} ${connected === 1 ? 'worker is' : 'workers are'} connected, and none answers`,
  );
}
