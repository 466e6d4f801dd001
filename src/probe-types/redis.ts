/** Probe type `redis`: a login, what the server tells about itself, and a reading command of one's own. */
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { isReading } from './redis-commands.ts';
import type { Dialogue, Reply } from './redis-dialogue.ts';
import { infoFields, parseInfo, toFigures } from './redis-info.ts';
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
import { authorityOf } from './server-url.ts';

/** Characters of a text, and items of a list, that are observed. */
const MAX_TEXT = 64 * 2 ** 10;
const MAX_ITEMS = 100;

const redisSpec = z
  .strictObject({
    url: redisUrl().describe(
      'redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS; without a user only the password is sent',
    ),
    command: z
      .array(z.string())
      .min(1)
      .max(100)
      .refine(isReading, 'is not a command that only reads, such as [GET, key], [LLEN, queue] or [PING]')
      .optional()
      .describe('A command of your own that only reads, as a list of words; its reply is observed'),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name; needs rediss://'),
    ...routeOptions,
  })
  .refine(({ url, tls }) => tls === undefined || url.startsWith('rediss:'), {
    path: ['tls'],
    message: 'needs a URL that starts with rediss://',
  });
type RedisSpec = z.output<typeof redisSpec>;

interface Prepared {
  readonly spec: RedisSpec;
  readonly access: RedisAccess;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createRedis(resolver: NameResolver = createResolver()): ProbeType<typeof redisSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: RedisSpec) => ({ spec, access: redisAccess(spec.url, spec, createGuard) }));
  return {
    name: 'redis',
    summary: 'A Redis or Valkey server: memory, clients, evictions, replication, and a command of your own',
    spec: redisSpec,
    mainOption: 'url',
    example: `- name: queue
  redis:
    url: "redis://127.0.0.1:6379/0"
    command: [LLEN, jobs]
  expect:
    - value < 10000
  warn:
    - memory_percent == null || memory_percent < 90
`,
    fields: {
      ...infoFields,
      value: {
        type: 'dyn',
        summary:
          'Reply to your command: a text (double(value) makes it a number), a number, or a list; the first 100 items',
      },
      ...connectionFields(DATABASE_PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ url }) => printRedis(redisServerOf(url)),
    remote: ({ url }) => redisServerOf(url).host,
    resource({ url }) {
      const server = redisServerOf(url);
      return { kind: 'redis', name: `${authorityOf(server)}/${databaseOf(server)}` };
    },
    run: (spec, _input, context) => runRedis(prepare(spec), resolver, context),
  };
}

export const redis = createRedis();

async function runRedis({ spec, access }: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  return await runOverConnection(context, DATABASE_PHASES, async (line, findings) => {
    const dialogue = await enterRedis(access, resolver, context.clock.now(), line, findings.seen);
    await readFigures(access, dialogue, findings);
    if (spec.command) findings.fields['value'] = observed(await dialogue.ask(spec.command));
  });
}

async function readFigures({ server }: RedisAccess, { ask }: Dialogue, { fields }: Findings): Promise<void> {
  const reply = await ask(['INFO']);
  const info = typeof reply === 'string' ? parseInfo(reply) : undefined;
  if (!info) throw new ProbeFailure('protocol', 'what answers does not speak Redis: no answer to INFO');
  Object.assign(fields, toFigures(info, databaseOf(server)));
  if (info.get('loading') === '1') {
    throw new ProbeFailure('unhealthy', `still loads its data (${info.get('loading_loaded_perc') ?? '?'} %)`);
  }
}

/** What of a reply conditions may read. */
function observed(reply: Reply): Reply {
  if (typeof reply === 'string') return reply.slice(0, MAX_TEXT);
  if (typeof reply === 'number' || reply === null) return reply;
  return reply.slice(0, MAX_ITEMS).map(observed);
}
