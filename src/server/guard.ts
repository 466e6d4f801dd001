/**
 * Who may ask for what. With a token, whoever has it. Without one the daemon listens on loopback only, and guards
 * against web pages of other origins: by Host against DNS rebinding, by Origin against forged requests.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type ProblemDetails, problemDetailsOf } from './problem.ts';
import type { Access } from './route.ts';

export interface GuardSettings {
  readonly token?: string;
  /** The address listened on, and the one that people use. */
  readonly host: string;
  readonly publicUrl: string;
}

/** Why the request is refused; undefined: it may pass. */
export type Guard = (access: Access, headers: IncomingHttpHeaders) => ProblemDetails | undefined;

export function createGuard({ token, host, publicUrl }: GuardSettings): Guard {
  const publicAddress = new URL(publicUrl);
  const hosts = new Set(['localhost', '127.0.0.1', '[::1]', bracketed(host), publicAddress.hostname]);
  return (access, headers) => {
    if (access === 'open') return undefined;
    const refused = token === undefined ? checkHost(headers, hosts) : checkToken(headers, token);
    if (refused !== undefined) return refused;
    return access === 'change' ? checkOrigin(headers, publicAddress.origin) : undefined;
  };
}

function checkToken({ authorization }: IncomingHttpHeaders, token: string): ProblemDetails | undefined {
  const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (given !== undefined && equal(given, token)) return undefined;
  return problemDetailsOf(401, 'token_required', 'send the token of http.token as Authorization: Bearer TOKEN');
}

/** In constant time, whatever the lengths. */
function equal(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

function checkHost({ host = '' }: IncomingHttpHeaders, hosts: ReadonlySet<string>): ProblemDetails | undefined {
  const name = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d+)?$/i.exec(host)?.[1];
  if (name !== undefined && hosts.has(name.toLowerCase())) return undefined;
  return problemDetailsOf(
    421,
    'host_refused',
    'without a token only loopback names and that of http.public_url are answered: ask for one of them, or set http.public_url',
  );
}

/** Programs send neither header; browsers always send one of them with a request that another page could forge. */
function checkOrigin(headers: IncomingHttpHeaders, publicOrigin: string): ProblemDetails | undefined {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const own =
    origin === undefined || origin === publicOrigin || origin === `http://${host}` || origin === `https://${host}`;
  if (own && (site === undefined || site === 'same-origin' || site === 'none')) return undefined;
  return problemDetailsOf(
    403,
    'origin_refused',
    'changes are accepted from the page at http.public_url and from programs only: open it there, or set http.public_url',
  );
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host.toLowerCase();
}
