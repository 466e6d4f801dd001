/** Probe type `rabbitmq`: a login at a broker, and how much waits in its queues. */
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import type { ServerUrl } from '../shared/server-url.ts';
import { AmqpSession, type LoginFrames, loginFrames, type QueueFigures, QueueRefusal } from './amqp-session.ts';
import { routeOf, routeOptions } from './connection.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { type Access, acceptedServer, printServer, reach, serverUrl } from './server-access.ts';
import { connectionFields, createGuards, DATABASE_PHASES, runOverConnection } from './server-run.ts';
import { Wire } from './wire.ts';

const SCHEMES = { amqp: 5_672, amqps: 5_671 };
const MAX_QUEUES = 100;
/** Of a name, in bytes: it stands behind a length of one byte. */
const MAX_NAME_BYTES = 255;

const rabbitmqSpec = z
  .strictObject({
    url: serverUrl(SCHEMES, 'amqp://USER:PASSWORD@HOST:PORT/VHOST', urlProblem).describe(
      'amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS. Defaults: user and password guest, virtual host /',
    ),
    queues: z
      .array(z.string().min(1).refine(fits, 'is longer than 255 bytes'))
      .max(MAX_QUEUES)
      .default([])
      .describe('Queues to look at; none is ever made'),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name; needs amqps://'),
    ...routeOptions,
  })
  .refine(({ url, tls }) => tls === undefined || /^amqps:/i.test(url), {
    path: ['tls'],
    message: 'needs a URL that starts with amqps://',
  });
type RabbitmqSpec = z.output<typeof rabbitmqSpec>;

const rabbitmqFields: FieldDeclarations = {
  connected: { type: 'bool', summary: 'The broker accepted the login and opened the virtual host' },
  depth: { type: 'double', summary: 'Messages that wait in the `queues`, together' },
  consumers: { type: 'double', summary: 'Consumers of the `queues`, together' },
  queues: {
    type: 'map',
    summary: 'Each of the `queues` by its name: `queues["jobs"].depth`, `queues["jobs"].consumers`',
  },
  version: { type: 'string', summary: 'Version of the broker' },
  product: { type: 'string', summary: 'What it calls itself, such as RabbitMQ' },
  cluster: { type: 'string', summary: 'Name of its cluster' },
};

interface Prepared {
  readonly spec: RabbitmqSpec;
  readonly access: Access;
  readonly login: LoginFrames;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createRabbitmq(resolver: NameResolver = createResolver()): ProbeType<typeof rabbitmqSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: RabbitmqSpec): Prepared => {
    const server = acceptedServer(spec.url, SCHEMES);
    const insecure = spec.tls?.insecure_skip_verify ?? false;
    const guard = server.scheme === 'amqps' ? createGuard(server.host, spec.tls, insecure) : undefined;
    return { spec, access: { server, route: routeOf(spec), guard }, login: loginFrames(loginOf(server)) };
  });
  return {
    name: 'rabbitmq',
    summary: 'A RabbitMQ broker, over AMQP 0-9-1: that it accepts a login, and the depth and consumers of queues',
    spec: rabbitmqSpec,
    mainOption: 'url',
    example: `- name: job-queues
  rabbitmq:
    url: "amqp://127.0.0.1:5672"
    queues: [jobs, mails]
  expect:
    - queues["jobs"].consumers >= 1
    - depth < 10000
`,
    fields: { ...rabbitmqFields, ...connectionFields(DATABASE_PHASES) },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ url }) => targetOf(acceptedServer(url, SCHEMES)),
    remote: ({ url }) => acceptedServer(url, SCHEMES).host,
    run: (spec, _input, context) => runRabbitmq(prepare(spec), resolver, context),
  };
}

export const rabbitmq = createRabbitmq();

async function runRabbitmq(
  { spec, access, login }: Prepared,
  resolver: NameResolver,
  context: Context,
): Promise<ProbeOutput> {
  return await runOverConnection(context, DATABASE_PHASES, async (line, { seen, fields }) => {
    fields['connected'] = false;
    const socket = await reach(access, resolver, context.clock.now(), line, seen);
    const session = new AmqpSession(new Wire(socket, line, 'AMQP'));
    const told = await session.open(login);
    Object.assign(fields, {
      connected: true,
      version: told.get('version'),
      product: told.get('product'),
      cluster: told.get('cluster_name'),
    });
    const refusal = await lookAt(session, spec.queues, fields);
    await session.close();
    if (refusal) throw refusal;
  });
}

/** Looks at all queues, also when one of them is refused; resolves with the first refusal. */
async function lookAt(session: AmqpSession, names: readonly string[], fields: Record<string, unknown>) {
  const found = new Map<string, QueueFigures>();
  let refusal: QueueRefusal | undefined;
  for (const name of names) {
    try {
      found.set(name, await session.look(name));
    } catch (error) {
      if (!(error instanceof QueueRefusal)) throw error;
      refusal ??= error;
    }
  }
  fields['queues'] = Object.fromEntries(found);
  if (refusal || names.length === 0) return refusal;
  fields['depth'] = sum([...found.values()].map(({ depth }) => depth));
  fields['consumers'] = sum([...found.values()].map(({ consumers }) => consumers));
  return undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= MAX_NAME_BYTES;
}

function urlProblem({ path, user, password }: ServerUrl): string | undefined {
  if (!fits(path)) return 'names a virtual host that is longer than 255 bytes';
  if (user === '' && password !== '') return 'has a password without a user';
  return undefined;
}

/** What RabbitMQ's own clients do where the URL says nothing. */
function loginOf({ user, password, path }: ServerUrl) {
  const anonymous = user === '';
  return {
    user: anonymous ? 'guest' : user,
    password: anonymous ? 'guest' : password,
    virtualHost: path === '' ? '/' : path,
  };
}

function targetOf(server: ServerUrl): string {
  return server.path === '' ? printServer(server) : `${printServer(server)}/${encodeURIComponent(server.path)}`;
}
