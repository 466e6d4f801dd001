/** Probe type `nats`: a login, what the server tells about itself, and how far a JetStream consumer is behind. */
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import type { ServerUrl } from '../shared/server-url.ts';
import { secret } from '../spec.ts';
import { open, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { jetStreamFields, readJetStream } from './nats-jetstream.ts';
import { credentialsLogin, keyLogin, type Login, passwordLogin } from './nats-login.ts';
import { type Greeting, greet, logIn, ping } from './nats-session.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { type Seen, tlsOptions } from './secure.ts';
import { acceptedServer, printServer, serverUrl } from './server-access.ts';
import { connectionFields, createGuards, DATABASE_PHASES, type Guard, runOverConnection } from './server-run.ts';
import { Wire } from './wire.ts';

const SCHEMES = { nats: 4_222, tls: 4_222 };

/** A part of a subject: no dots, wildcards or blanks. */
const token = z
  .string()
  .regex(/^[^\s.*>/\\]+$/, 'is not the name of a stream, consumer or domain: no dots, blanks, *, >');

const natsSpec = z
  .strictObject({
    url: serverUrl(SCHEMES, 'nats://USER:PASSWORD@HOST:PORT', ({ path }) =>
      path === '' ? undefined : 'has a path, which means nothing to NATS',
    ).describe(
      'nats://USER:PASSWORD@HOST:PORT or nats://TOKEN@HOST:PORT; tls:// insists on TLS, nats:// uses it where the server requires it',
    ),
    nkey: secret()
      .refine((seed) => keyLogin(seed) !== undefined, 'is not the seed of a user: it begins with SU')
      .optional()
      .describe('Seed of an NKEY, instead of a user in the URL'),
    credentials: secret()
      .refine((text) => credentialsLogin(text) !== undefined, 'is not a credentials file of NATS: a JWT and a seed')
      .optional()
      .describe('A credentials file, as ${file:/run/secrets/nats.creds}, instead of a user in the URL'),
    stream: token.optional().describe('JetStream stream whose messages and consumers are observed'),
    consumer: token.optional().describe('Consumer of that stream: depth is then what it has still to be given'),
    domain: token.optional().describe('JetStream domain, where there are several'),
    tls: tlsOptions.optional().describe('Insists on TLS: client certificate, authorities, server name'),
    ...routeOptions,
  })
  .refine(({ stream, consumer, domain }) => stream !== undefined || (consumer === undefined && domain === undefined), {
    path: ['stream'],
    message: 'is missing: consumer and domain belong to one',
  })
  .refine(({ url, nkey, credentials }) => [url.includes('@'), nkey, credentials].filter(Boolean).length <= 1, {
    message: 'wants one of a user in the URL, nkey and credentials',
  });
type NatsSpec = z.output<typeof natsSpec>;

interface Prepared {
  readonly spec: NatsSpec;
  readonly server: ServerUrl;
  /** Never goes on without TLS. */
  readonly insists: boolean;
  readonly guard: Guard;
  readonly login: Login;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createNats(resolver: NameResolver = createResolver()): ProbeType<typeof natsSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: NatsSpec): Prepared => {
    const server = acceptedServer(spec.url, SCHEMES);
    const guard = createGuard(server.host, spec.tls, spec.tls?.insecure_skip_verify ?? false);
    const insists = server.scheme === 'tls' || spec.tls !== undefined;
    return { spec, server, insists, guard, login: loginOf(spec, server) };
  });
  return {
    name: 'nats',
    summary: 'A NATS server: that it accepts a login and answers, and how many messages wait in JetStream',
    spec: natsSpec,
    mainOption: 'url',
    example: `- name: orders-stream
  nats:
    url: "nats://127.0.0.1:4222"
    stream: ORDERS
    consumer: billing
  expect:
    - depth < 1000
  warn:
    - unacknowledged < 100
`,
    fields: {
      connected: { type: 'bool', summary: 'The server accepted the login' },
      round_trip_ms: { type: 'double', unit: 'ms', summary: 'PING until PONG, logged in' },
      version: { type: 'string', summary: 'Version of the server' },
      server_name: { type: 'string', summary: 'Name of the server within its cluster' },
      max_payload_bytes: { type: 'double', unit: 'B', summary: 'The largest message that it takes' },
      jetstream: { type: 'bool', summary: 'JetStream is enabled on this server' },
      lame_duck: { type: 'bool', summary: 'It is about to shut down, and sends its clients elsewhere' },
      ...jetStreamFields,
      ...connectionFields(DATABASE_PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ url }) => printServer(acceptedServer(url, SCHEMES)),
    remote: ({ url }) => acceptedServer(url, SCHEMES).host,
    run: (spec, _input, context) => runNats(prepare(spec), resolver, context),
  };
}

export const nats = createNats();

async function runNats(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const { clock } = context;
  return await runOverConnection(context, DATABASE_PHASES, async (line, { seen, fields }) => {
    fields['connected'] = false;
    const greeted = await approach(plan, resolver, line, seen);
    Object.assign(fields, toFields(greeted.greeting));
    const { wire, isSecured } = await protect(plan, greeted, clock.now(), line, seen);
    await logIn(wire, plan.login(greeted.greeting.nonce), isSecured);
    fields['connected'] = true;
    const askedAt = clock.monotonic();
    await ping(wire);
    fields['round_trip_ms'] = clock.monotonic() - askedAt;
    const { stream, consumer, domain } = plan.spec;
    if (stream !== undefined) await readJetStream(wire, { stream, consumer, domain }, fields);
  });
}

interface Greeted {
  readonly wire: Wire;
  readonly greeting: Greeting;
}

async function approach(plan: Prepared, resolver: NameResolver, line: Lifeline, seen: Seen): Promise<Greeted> {
  const { socket, address } = await open(plan.server, routeOf(plan.spec), line, resolver);
  seen.ip = address;
  line.enter('processing');
  const wire = new Wire(socket, line, 'NATS');
  return { wire, greeting: await greet(wire) };
}

/** TLS begins behind the greeting, before any credentials. */
async function protect(
  { insists, guard }: Prepared,
  { wire, greeting }: Greeted,
  now: number,
  line: Lifeline,
  seen: Seen,
) {
  if (!insists && !greeting.tls_required) return { wire, isSecured: false };
  if (!greeting.tls_required && !greeting.tls_available) {
    throw new ProbeFailure('tls', 'the server offers no TLS, and the definition insists on it');
  }
  const secured = await guard(wire.release(), line, seen, now);
  line.enter('processing');
  return { wire: new Wire(secured, line, 'NATS'), isSecured: true };
}

function loginOf({ nkey, credentials }: NatsSpec, server: ServerUrl): Login {
  const own = credentials === undefined ? nkey !== undefined && keyLogin(nkey) : credentialsLogin(credentials);
  return own || passwordLogin(server);
}

function toFields(greeting: Greeting) {
  return {
    version: greeting.version,
    server_name: greeting.server_name,
    max_payload_bytes: greeting.max_payload,
    jetstream: greeting.jetstream,
    lame_duck: greeting.ldm,
  };
}
