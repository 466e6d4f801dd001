/** The address of a PostgreSQL server as a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE`. */
import { z } from 'zod';
import { authorityOf, parseServerUrl } from './server-url.ts';

/** Their meaning is that of libpq. */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface PostgresServer {
  /** A name, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** As in libpq, it is called like the user unless the URL names one. */
  readonly database: string;
  /** Absent: the URL does not say. */
  readonly sslMode: SslMode | undefined;
  /** `host:port`, as in a URL. */
  readonly authority: string;
}

const WRITE = 'write postgres://USER:PASSWORD@HOST:PORT/DATABASE';

export function postgresUrl() {
  return z.string().superRefine(checkPostgresUrl).meta({
    writeOnly: true,
    description: 'postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE (default: prefer)',
  });
}

export function checkPostgresUrl(text: string, context: z.RefinementCtx): void {
  const message = problemOf(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
}

/** Of a URL that passed the check. */
export function serverOf(text: string): PostgresServer {
  const server = parse(text);
  if (!server) throw new TypeError('the URL of a PostgreSQL server was not checked');
  const { host, port, user, password, path, parameters } = server;
  const sslMode = SSL_MODES.find((mode) => mode === parameters.get('sslmode'));
  return { host, port, user, password, database: path || user, sslMode, authority: authorityOf(server) };
}

function parse(text: string) {
  return parseServerUrl(text, ['postgres', 'postgresql'], 5_432);
}

function problemOf(text: string): string | undefined {
  const server = parse(text);
  if (!server) return `is not a URL of one server; ${WRITE}`;
  if (server.user === '') return `names no user; ${WRITE}`;
  const mode = server.parameters.get('sslmode');
  if (mode === null || SSL_MODES.some((known) => known === mode)) return undefined;
  return `has an sslmode other than ${SSL_MODES.join(', ')}`;
}
