/** Probe type `mysql`: a login, what the server tells about itself, and a query of one's own. */
import { z } from 'zod';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { authorityOf, parseServerUrl, type ServerUrl } from '../shared/server-url.ts';
import { open, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { MysqlRefusal, PRIVILEGE_MISSING, UNKNOWN_VARIABLE } from './mysql-failure.ts';
import {
  figureFields,
  isMariadb,
  REPLICATION_FIELDS,
  replicationQuery,
  SETTINGS_QUERY,
  STATUS_QUERY,
  toFigures,
  toReplication,
} from './mysql-figures.ts';
import { readGreeting } from './mysql-packets.ts';
import { isReading } from './mysql-reading.ts';
import { loadDriver, logIn, MAX_ROWS, type Session } from './mysql-session.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
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

const SSL_MODES = ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_IDENTITY'] as const;
type SslMode = (typeof SSL_MODES)[number];
/** The server gives up a little before we do, so that its own word is heard. */
const MARGIN_MS = 50;

const mysqlSpec = z.strictObject({
  url: z
    .string()
    .superRefine((text, context) => {
      const message = urlProblem(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .describe(
      'mysql://USER:PASSWORD@HOST:PORT/DATABASE; of its parameters only ssl-mode is read (DISABLED, PREFERRED, ' +
        'REQUIRED, VERIFY_IDENTITY), with the meaning that it has for the mysql program',
    ),
  query: z
    .string()
    .max(10_000)
    .refine(isReading, 'is not one SELECT or SHOW that only reads')
    .optional()
    .describe('One SELECT of your own, run read-only; its first 100 rows are observed'),
  tls: tlsOptions.optional().describe('Client certificate, authorities, server name; with it TLS is always verified'),
  ...routeOptions,
});
type MysqlSpec = z.output<typeof mysqlSpec>;

interface Prepared {
  readonly spec: MysqlSpec;
  readonly server: ServerUrl;
  readonly sslMode: SslMode;
  readonly guard: Guard;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createMysql(resolver: NameResolver = createResolver()): ProbeType<typeof mysqlSpec> {
  const createGuard = createGuards([]);
  const prepare = oncePerSpec((spec: MysqlSpec): Prepared => {
    const server = serverOf(spec);
    const sslMode = sslModeOf(server) ?? (spec.tls ? 'VERIFY_IDENTITY' : 'PREFERRED');
    const isVerified = spec.tls ? !spec.tls.insecure_skip_verify : sslMode === 'VERIFY_IDENTITY';
    return { spec, server, sslMode, guard: createGuard(server.host, spec.tls, !isVerified) };
  });
  return {
    name: 'mysql',
    summary: 'A MySQL or MariaDB server: sessions, statements, replication, and a query of your own',
    spec: mysqlSpec,
    mainOption: 'url',
    example: `- name: orders
  mysql:
    url: "mysql://brainstem@127.0.0.1:3306/shop"
    query: select count(*) from orders where created_at > now() - interval 1 hour
  expect:
    - value > 0
    - connections_percent < 90
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
    target: (spec) => `mysql://${authorityOf(serverOf(spec))}/${serverOf(spec).path}`,
    remote: (spec) => serverOf(spec).host,
    run: (spec, input, context) => runMysql(prepare(spec), resolver, input, context),
  };
}

export const mysql = createMysql();

async function runMysql(
  plan: Prepared,
  resolver: NameResolver,
  { reads }: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const driver = loadDriver();
  return await runOverConnection(context, DATABASE_PHASES, async (line, findings) => {
    const session = await beginSession(plan, driver, resolver, context.clock.now(), line, findings);
    await readFigures(session, findings);
    await readReplication(session, findings, reads);
    const isWhole = await readRows(plan, session, findings, line);
    if (isWhole) session.quit();
  });
}

async function beginSession(
  { spec, server, sslMode, guard }: Prepared,
  driver: Parameters<typeof logIn>[0],
  resolver: NameResolver,
  now: number,
  line: Lifeline,
  { seen }: Findings,
): Promise<Session> {
  const { socket } = await open(server, routeOf(spec), line, resolver, seen);
  line.enter('processing');
  const greeting = await readGreeting(socket, line);
  if (!greeting.offersTls && sslMode !== 'DISABLED' && sslMode !== 'PREFERRED') {
    throw new ProbeFailure('tls', 'the server does not offer TLS');
  }
  const isTls = greeting.offersTls && sslMode !== 'DISABLED';
  const upgrade = isTls ? (plain: typeof socket) => guard(plain, line, seen, now) : undefined;
  return await logIn(driver, socket, greeting, server, upgrade, line);
}

async function readFigures(session: Session, { fields }: Findings): Promise<void> {
  const settings = await session.ask(SETTINGS_QUERY);
  Object.assign(fields, toFigures(settings, await session.ask(STATUS_QUERY)));
}

/** Asked for only when a condition reads it: it wants a privilege, and waits for whoever stops or starts a replica. */
async function readReplication(
  session: Session,
  { fields }: Findings,
  reads: ReadonlySet<string> | undefined,
): Promise<void> {
  if (reads !== undefined && !REPLICATION_FIELDS.some((field) => reads.has(field))) return;
  const version = String(fields['version']);
  const answer = await session.tryAsk(replicationQuery(version));
  if (answer instanceof MysqlRefusal) {
    if (answer.number !== PRIVILEGE_MISSING) throw answer;
    if (reads === undefined) return;
    const privilege = isMariadb(version) ? 'SLAVE MONITOR' : 'REPLICATION CLIENT';
    throw new ProbeFailure('auth', `replication is hidden from this user; run: GRANT ${privilege} ON *.* TO …`);
  }
  const { trouble, ...replication } = toReplication(answer);
  Object.assign(fields, replication);
  // Its lag is unknown then, and a condition that allows for null would pass.
  if (replication.replication_running === false && reads?.has('replication_lag_s')) {
    throw new ProbeFailure('unhealthy', `replication does not run${trouble === undefined ? '' : `: ${trouble}`}`);
  }
}

/** False: there are more rows than were read, and the session is in the middle of them. */
async function readRows({ spec }: Prepared, session: Session, { fields }: Findings, line: Lifeline): Promise<boolean> {
  if (spec.query === undefined) return true;
  await limit(session, String(fields['version']), line);
  await session.ask('start transaction read only');
  const { columns, rows, isTruncated } = await session.ask(spec.query);
  Object.assign(fields, {
    rows: rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]]))),
    value: rows[0]?.[0] ?? null,
    row_count: rows.length,
    rows_truncated: isTruncated,
  });
  return !isTruncated;
}

/** Whatever happens to us, no statement of ours runs on after the deadline. */
async function limit(session: Session, version: string, line: Lifeline): Promise<void> {
  const remainingMs = Math.max(1, Math.floor(line.remainingMs()) - MARGIN_MS);
  const setting = isMariadb(version)
    ? `max_statement_time = ${remainingMs / 1_000}`
    : `max_execution_time = ${remainingMs}`;
  const answer = await session.tryAsk(`set session sql_select_limit = ${MAX_ROWS + 1}, ${setting}`);
  // What only speaks MySQL's protocol may know of none.
  if (answer instanceof MysqlRefusal && answer.number !== UNKNOWN_VARIABLE) throw answer;
}

function urlProblem(text: string): string | undefined {
  const server = parseServerUrl(text, ['mysql', 'mariadb'], 3_306);
  if (!server) return 'is not a URL of one server; write mysql://USER:PASSWORD@HOST:PORT/DATABASE';
  if (server.user === '') return 'names no user; write mysql://USER:PASSWORD@HOST:PORT/DATABASE';
  if (server.parameters.has('ssl-mode') && !sslModeOf(server)) {
    return `has an ssl-mode other than ${SSL_MODES.join(', ')}`;
  }
  return undefined;
}

function serverOf({ url }: MysqlSpec): ServerUrl {
  return parseServerUrl(url, ['mysql', 'mariadb'], 3_306) as ServerUrl;
}

function sslModeOf({ parameters }: ServerUrl): SslMode | undefined {
  return SSL_MODES.find((mode) => mode === parameters.get('ssl-mode')?.toUpperCase());
}
