/** Probe type `redis`: a login, what the server tells about itself, and a reading command of one's own. */
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { authorityOf, parseServerUrl, type ServerUrl } from '../shared/server-url.ts';
import { open, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { isReading } from './redis-commands.ts';
import { type Ask, converse, type Reply } from './redis-dialogue.ts';
import { infoFields, parseInfo, toFigures } from './redis-info.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import {
  connectionFields,
  createGuards,
  DATABASE_PHASES,
  type Findings,
  type Guard,
  runOverConnection,
} from './server-run.ts';

/** Characters of a text, and items of a list, that are observed. */
const MAX_TEXT = 64 * 2 ** 10;
const MAX_ITEMS = 100;

const redisSpec = z
  .strictObject({
    url: z
      .string()
      .superRefine((text, context) => {
        const message = urlProblem(text);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .describe(
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
  readonly server: ServerUrl;
  readonly database: number;
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createRedis(resolver: NameResolver = createResolver()): ProbeType<typeof redisSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: RedisSpec): Prepared => {
    const server = serverOf(spec);
    const insecure = spec.tls?.insecure_skip_verify ?? false;
    const guard = server.scheme === 'rediss' ? createGuard(server.host, spec.tls, insecure) : undefined;
    return { spec, server, database: Number(server.path), guard };
  });
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
    target: (spec) => printable(serverOf(spec)),
    remote: (spec) => serverOf(spec).host,
    resource(spec) {
      const server = serverOf(spec);
      return { kind: 'redis', name: `${authorityOf(server)}/${Number(server.path)}` };
    },
    run: (spec, _input, context) => runRedis(prepare(spec), resolver, context),
  };
}

export const redis = createRedis();

async function runRedis(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  return await runOverConnection(context, DATABASE_PHASES, async (line, findings) => {
    const ask = await connect(plan, resolver, context.clock.now(), line, findings);
    line.enter('processing');
    await logIn(plan, ask);
    await readFigures(plan, ask, findings);
    const { command } = plan.spec;
    if (command) findings.fields['value'] = observed(await ask(command));
  });
}

async function connect(plan: Prepared, resolver: NameResolver, now: number, line: Lifeline, { seen }: Findings) {
  const { socket } = await open(plan.server, routeOf(plan.spec), line, resolver, seen);
  return converse(plan.guard ? await plan.guard(socket, line, seen, now) : socket, line);
}

async function logIn({ server, database }: Prepared, ask: Ask): Promise<void> {
  const { user, password } = server;
  if (password !== '') await ask(user === '' ? ['AUTH', password] : ['AUTH', user, password]);
  if (database !== 0) await ask(['SELECT', String(database)]);
}

async function readFigures({ database }: Prepared, ask: Ask, { fields }: Findings): Promise<void> {
  const reply = await ask(['INFO']);
  const info = typeof reply === 'string' ? parseInfo(reply) : undefined;
  if (!info) throw new ProbeFailure('protocol', 'what answers does not speak Redis: no answer to INFO');
  Object.assign(fields, toFigures(info, database));
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

const SCHEMES = ['redis', 'rediss'] as const;

function urlProblem(text: string): string | undefined {
  const server = parseServerUrl(text, SCHEMES, 6_379);
  if (!server) return 'is not a URL of one server; write redis://USER:PASSWORD@HOST:PORT/DATABASE';
  if (!/^\d{0,5}$/.test(server.path)) return 'names a database that is not a number; write redis://HOST:PORT/0';
  if (server.user !== '' && server.password === '') {
    return 'has a user without a password; a password alone is written redis://:PASSWORD@HOST';
  }
  return undefined;
}

function serverOf({ url }: RedisSpec): ServerUrl {
  return parseServerUrl(url, SCHEMES, 6_379) as ServerUrl;
}

function printable(server: ServerUrl): string {
  return `${server.scheme}://${authorityOf(server)}/${Number(server.path)}`;
}
