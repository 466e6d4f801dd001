/** A Redis server as a spec names it: its URL, a connection, a login. */
import { z } from 'zod';
import { authorityOf, parseServerUrl, type ServerUrl } from '../shared/server-url.ts';
import { open, routeOf, type routeOptions } from './connection.ts';
import type { Lifeline } from './lifeline.ts';
import { converse, type Dialogue } from './redis-dialogue.ts';
import type { NameResolver } from './resolve.ts';
import type { Seen, tlsOptions } from './secure.ts';
import type { createGuards, Guard } from './server-run.ts';

const SCHEMES = ['redis', 'rediss'] as const;

export function redisUrl() {
  return z.string().superRefine((text, context) => {
    const message = urlProblem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

function urlProblem(text: string): string | undefined {
  const server = parseServerUrl(text, SCHEMES, 6_379);
  if (!server) return 'is not a URL of one server; write redis://USER:PASSWORD@HOST:PORT/DATABASE';
  if (!/^\d{0,5}$/.test(server.path)) return 'names a database that is not a number; write redis://HOST:PORT/0';
  if (server.user !== '' && server.password === '') {
    return 'has a user without a password; a password alone is written redis://:PASSWORD@HOST';
  }
  return undefined;
}

/** Of a URL that `redisUrl()` took. */
export function redisServerOf(url: string): ServerUrl {
  return parseServerUrl(url, SCHEMES, 6_379) as ServerUrl;
}

export function databaseOf({ path }: ServerUrl): number {
  return Number(path);
}

/** Without credentials. */
export function printRedis(server: ServerUrl): string {
  return `${server.scheme}://${authorityOf(server)}/${databaseOf(server)}`;
}

type TlsOptions = z.output<typeof tlsOptions> | undefined;
type RouteSpec = z.output<z.ZodObject<typeof routeOptions>>;

/** How a spec reaches its server; prepared once. */
export interface RedisAccess {
  readonly server: ServerUrl;
  readonly route: ReturnType<typeof routeOf>;
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
}

export function redisAccess(
  url: string,
  spec: RouteSpec & { readonly tls?: TlsOptions },
  createGuard: ReturnType<typeof createGuards>,
): RedisAccess {
  const server = redisServerOf(url);
  const insecure = spec.tls?.insecure_skip_verify ?? false;
  const guard = server.scheme === 'rediss' ? createGuard(server.host, spec.tls, insecure) : undefined;
  return { server, route: routeOf(spec), guard };
}

/** Connects, logs in and chooses the database. */
export async function enterRedis(
  { server, route, guard }: RedisAccess,
  resolver: NameResolver,
  now: number,
  line: Lifeline,
  seen: Seen,
): Promise<Dialogue> {
  const { socket } = await open(server, route, line, resolver, seen);
  const dialogue = converse(guard ? await guard(socket, line, seen, now) : socket, line);
  line.enter('processing');
  const { user, password } = server;
  if (password !== '') await dialogue.ask(user === '' ? ['AUTH', password] : ['AUTH', user, password]);
  if (databaseOf(server) !== 0) await dialogue.ask(['SELECT', String(databaseOf(server))]);
  return dialogue;
}
