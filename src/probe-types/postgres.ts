/** Probe type `postgres`: a login, what the server tells about itself, and a query of one's own. */
import { z } from 'zod';
import type { Fields } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { agreesOnTls, loadDriver } from '../shared/postgres-client.ts';
import { checkPostgresUrl, type PostgresServer, type SslMode, serverOf } from '../shared/postgres-url.ts';
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

const postgresSpec = z.strictObject({
  url: z
    .string()
    .superRefine(checkPostgresUrl)
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
  readonly server: PostgresServer;
  readonly sslMode: SslMode;
  readonly guard: Guard;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createPostgres(resolver: NameResolver = createResolver()): ProbeType<typeof postgresSpec> {
  const createGuard = createGuards(['postgresql']);
  const prepare = oncePerSpec((spec: PostgresSpec): Prepared => {
    const server = serverOf(spec.url);
    const sslMode = server.sslMode ?? (spec.tls ? 'verify-full' : 'prefer');
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
    target: ({ url }) => printable(serverOf(url)),
    remote: ({ url }) => serverOf(url).host,
    resource({ url }) {
      const { database, authority } = serverOf(url);
      return { kind: 'database', name: database, at: authority };
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
  // Before anything is opened: should it fail, nobody has been troubled.
  loadDriver();
  return await runOverConnection(context, DATABASE_PHASES, async (line, findings) => {
    const socket = await connect(plan, resolver, context.clock.now(), line, findings);
    line.enter('processing');
    const client = await logIn(socket, plan.server, line);
    const { query } = plan.spec;
    const sized = reads === undefined || reads.has('database_bytes');
    Object.assign(findings.fields, await readFigures(client, sized, query !== undefined, line));
    if (query !== undefined) Object.assign(findings.fields, await readRows(client, query, line));
    demandPrivileges(plan.server, findings.fields, reads);
  });
}

async function connect(plan: Prepared, resolver: NameResolver, now: number, line: Lifeline, { seen }: Findings) {
  const { socket } = await open(plan.server, routeOf(plan.spec), line, resolver, seen);
  line.enter('processing');
  const isSecure = await line.until<boolean>((done) => void agreesOnTls(socket, plan.sslMode).then(done, line.fail));
  return isSecure ? await plan.guard(socket, line, seen, now) : socket;
}

/** A condition on what the role may not see would fail without saying why. */
function demandPrivileges({ user }: PostgresServer, fields: Fields, reads: ReadonlySet<string> | undefined): void {
  const isBlind = fields['active'] === null;
  const replication = fields['role'] === 'primary' ? ['connected_replicas', 'replication_lag_s'] : [];
  const wanted = [...PRIVILEGED_FIELDS, ...replication].find((field) => reads?.has(field));
  if (!isBlind || wanted === undefined) return;
  throw new ProbeFailure('auth', `${wanted} is hidden from ${user}; run: GRANT pg_monitor TO "${user}"`);
}

function printable({ authority, database }: PostgresServer): string {
  return `postgres://${authority}/${database}`;
}
