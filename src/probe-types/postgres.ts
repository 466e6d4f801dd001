/** Probe type `postgres`: a login, what the server tells about itself, and a query of one's own. */
import type { Socket } from 'node:net';
import { z } from 'zod';
import type { Fields } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { open, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { figureFields, PRIVILEGED_FIELDS } from './postgres-figures.ts';
import { logIn, readFigures, readRows } from './postgres-session.ts';
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
import { authorityOf, parseServerUrl, type ServerUrl } from './server-url.ts';

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-full'] as const;
type SslMode = (typeof SSL_MODES)[number];
/** SSLRequest: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL */
const TLS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

const postgresSpec = z.strictObject({
  url: z
    .string()
    .superRefine((text, context) => {
      const message = urlProblem(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .describe(
      'postgres://USER:PASSWORD@HOST:PORT/DATABASE; of its parameters only sslmode is read (disable, prefer, require, ' +
        'verify-full), with the meaning that it has in libpq',
    ),
  query: z
    .string()
    .min(1)
    .optional()
    .describe('One SELECT of your own, run read-only; its first 100 rows are observed'),
  tls: tlsOptions.optional().describe('Client certificate, authorities, server name; with it TLS is always verified'),
  ...routeOptions,
});
type PostgresSpec = z.output<typeof postgresSpec>;

interface Prepared {
  readonly spec: PostgresSpec;
  readonly server: ServerUrl;
  readonly sslMode: SslMode;
  readonly guard: Guard;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createPostgres(resolver: NameResolver = createResolver()): ProbeType<typeof postgresSpec> {
  const createGuard = createGuards(['postgresql']);
  const prepare = oncePerSpec((spec: PostgresSpec): Prepared => {
    const server = serverOf(spec);
    const sslMode = sslModeOf(server) ?? (spec.tls ? 'verify-full' : 'prefer');
    const isVerified = spec.tls ? !spec.tls.insecure_skip_verify : sslMode === 'verify-full';
    return { spec, server, sslMode, guard: createGuard(server.host, spec.tls, !isVerified) };
  });
  return {
    name: 'postgres',
    summary: 'A PostgreSQL server (13 or later): sessions, locks, replication, size, and a query of your own',
    spec: postgresSpec,
    mainOption: 'url',
    example: `- name: orders
  postgres:
    url: "postgres://brainstem@127.0.0.1:5432/shop"
    query: select count(*) from pg_tables where schemaname = 'public'
  expect:
    - value > 0
    - connections_percent < 90
  warn:
    - longest_idle_in_transaction_s < 300
`,
    fields: {
      ...figureFields,
      rows: { type: 'dyn', summary: 'Rows of your query by column, the first 100; null without one' },
      value: { type: 'dyn', summary: 'First column of its first row' },
      row_count: { type: 'double', summary: 'How many rows there are in rows' },
      rows_truncated: { type: 'bool', summary: 'Your query has more rows than these' },
      ...connectionFields(DATABASE_PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: (spec) => printable(serverOf(spec)),
    remote: (spec) => serverOf(spec).host,
    resource(spec) {
      const server = serverOf(spec);
      return { kind: 'database', name: databaseOf(server), at: authorityOf(server) };
    },
    run: (spec, input, context) => runPostgres(prepare(spec), resolver, input, context),
  };
}

export const postgres = createPostgres();

async function runPostgres(
  plan: Prepared,
  resolver: NameResolver,
  { reads }: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const driver = await import('pg');
  return await runOverConnection(context, DATABASE_PHASES, async (line, findings) => {
    const socket = await connect(plan, resolver, context.clock.now(), line, findings);
    line.enter('processing');
    const client = await logIn(driver.default.Client, socket, plan.server, line);
    const { query } = plan.spec;
    const sized = reads === undefined || reads.has('database_bytes');
    Object.assign(findings.fields, await readFigures(client, sized, query !== undefined, line));
    if (query !== undefined) Object.assign(findings.fields, await readRows(client, query, line));
    demandPrivileges(plan.server, findings.fields, reads);
  });
}

async function connect(plan: Prepared, resolver: NameResolver, now: number, line: Lifeline, { seen }: Findings) {
  const { socket } = await open(plan.server, routeOf(plan.spec), line, resolver, seen);
  if (plan.sslMode === 'disable') return socket;
  line.enter('processing');
  if (await offersTls(socket, line)) return await plan.guard(socket, line, seen, now);
  if (plan.sslMode === 'prefer') return socket;
  throw new ProbeFailure('tls', 'the server does not offer TLS');
}

async function offersTls(socket: Socket, line: Lifeline): Promise<boolean> {
  const answer = await line.until<Buffer>((done) => {
    socket.once('data', done);
    socket.once('end', () =>
      line.fail(new ProbeFailure('protocol', 'the connection was closed before the answer was complete')),
    );
    socket.write(TLS_REQUEST);
  });
  // The whole answer: bytes behind the letter would be somebody's who is not behind the TLS.
  const letter = answer.toString('latin1');
  if (letter === 'S' || letter === 'N') return letter === 'S';
  throw new ProbeFailure('protocol', 'what answers does not speak PostgreSQL');
}

/** A condition on what the role may not see would fail without saying why. */
function demandPrivileges(server: ServerUrl, fields: Fields, reads: ReadonlySet<string> | undefined): void {
  const isBlind = fields['active'] === null;
  const replication = fields['role'] === 'primary' ? ['connected_replicas', 'replication_lag_s'] : [];
  const wanted = [...PRIVILEGED_FIELDS, ...replication].find((field) => reads?.has(field));
  if (!isBlind || wanted === undefined) return;
  throw new ProbeFailure('auth', `${wanted} is hidden from ${server.user}; run: GRANT pg_monitor TO "${server.user}"`);
}

function urlProblem(text: string): string | undefined {
  const server = parseServerUrl(text, ['postgres', 'postgresql'], 5_432);
  if (!server) return 'is not a URL of one server; write postgres://USER:PASSWORD@HOST:PORT/DATABASE';
  if (server.user === '') return 'names no user; write postgres://USER:PASSWORD@HOST:PORT/DATABASE';
  if (server.parameters.has('sslmode') && !sslModeOf(server))
    return `has an sslmode other than ${SSL_MODES.join(', ')}`;
  return undefined;
}

function serverOf({ url }: PostgresSpec): ServerUrl {
  return parseServerUrl(url, ['postgres', 'postgresql'], 5_432) as ServerUrl;
}

function sslModeOf({ parameters }: ServerUrl): SslMode | undefined {
  return SSL_MODES.find((mode) => mode === parameters.get('sslmode'));
}

/** As in libpq, the database is called like the user unless the URL names one. */
function databaseOf({ path, user }: ServerUrl): string {
  return path || user;
}

function printable(server: ServerUrl): string {
  return `postgres://${authorityOf(server)}/${databaseOf(server)}`;
}
