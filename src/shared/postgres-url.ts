/** The address of a PostgreSQL server as a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE`. */
import { z } from 'zod';

/** Their meaning is that of libpq. */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-full'] as const;

export interface PostgresServer {
  /** A name, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** As in libpq, it is called like the user unless the URL names one. */
  readonly database: string;
  readonly sslMode: (typeof SSL_MODES)[number];
  /** `host:port`, as in a URL. */
  readonly authority: string;
}

const WRITE = 'write postgres://USER:PASSWORD@HOST:PORT/DATABASE';

export function postgresUrl() {
  return z
    .string()
    .superRefine((text, context) => {
      const message = problemOf(text);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .meta({
      writeOnly: true,
      description: 'postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE (default: prefer)',
    });
}

/** Of a URL that `postgresUrl()` took. */
export function serverOf(text: string): PostgresServer {
  const url = new URL(text);
  const host = plain(url.hostname).replace(/^\[|\]$/g, '');
  const port = url.port === '' ? 5_432 : Number(url.port);
  const [user, password] = [plain(url.username), plain(url.password)];
  const sslMode = SSL_MODES.find((mode) => mode === url.searchParams.get('sslmode')) ?? 'prefer';
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return { host, port, user, password, database: plain(url.pathname.slice(1)) || user, sslMode, authority };
}

function problemOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isServer = url !== undefined && ['postgres:', 'postgresql:'].includes(url.protocol) && url.hostname !== '';
  if (!isServer) return `is not a URL of one server; ${WRITE}`;
  if (url.username === '') return `names no user; ${WRITE}`;
  const mode = url.searchParams.get('sslmode');
  if (mode === null || SSL_MODES.some((known) => known === mode)) return undefined;
  return `has an sslmode other than ${SSL_MODES.join(', ')}`;
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
