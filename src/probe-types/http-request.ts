/** What is sent: one hop of a run, prepared as far as it can be before the run. */
import { ProbeFailure } from './failure.ts';
import type { HttpSpec } from './http-spec.ts';

export interface Hop {
  readonly isTls: boolean;
  /** Host, and port unless it is the scheme's own, as in a URL. */
  readonly authority: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** What stands in the request line when no proxy is asked. */
  readonly path: string;
  /** Name, value, name, value …, as node:http takes them without looking at them again. */
  readonly headers: readonly string[];
  readonly body: Buffer | undefined;
  /** The origin that the request was written for, reached without a detour: only there its credentials go. */
  readonly isTrusted: boolean;
  /** That is the origin of the definition's URL: only there a client certificate and a server name are meant for. */
  readonly isHome: boolean;
}

/** Configured headers that say nothing about who asks: they go to other origins too. */
const PUBLIC_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'content-type',
  'user-agent',
]);

const SENSIBLE_HEADERS = { 'User-Agent': 'Brainstem', Accept: '*/*' };

/** @param token an `Authorization` that was fetched; undefined: what the spec says by itself. */
export function firstHop(spec: HttpSpec, token?: string, isHome = true): Hop {
  const url = new URL(spec.url);
  const body = spec.body === undefined ? undefined : Buffer.from(spec.body);
  const request = { url, method: spec.method, body, isTrusted: true, isHome };
  return makeHop(spec, request, token ?? staticAuthorization(spec));
}

/**
 * The request that a redirect asks for, RFC 9110, 15.4. Rejects what must not be followed: another scheme than HTTP,
 * a downgrade that is not allowed, a body for another origin.
 */
export function nextHop(spec: HttpSpec, hop: Hop, status: number, location: string, token: string | undefined): Hop {
  const from = urlOf(hop);
  const url = redirectTarget(from, location);
  if (hop.isTls && url.protocol === 'http:' && !spec.allow_downgrade) {
    throw refusal(`from https to http (${printable(url)}); allow_downgrade: true follows it`);
  }
  const isTrusted = hop.isTrusted && url.origin === from.origin;
  const becomesGet = hop.method !== 'HEAD' && (status === 303 || (status <= 302 && hop.method === 'POST'));
  const method = becomesGet ? 'GET' : hop.method;
  const body = becomesGet ? undefined : hop.body;
  if (body && !isTrusted) throw refusal(`that would send the body to another origin (${printable(url)})`);
  const request = { url, method, body, isTrusted, isHome: hop.isHome && isTrusted };
  return makeHop(spec, request, token ?? staticAuthorization(spec));
}

/** Not kept with the hop: a URL object for each probe would weigh more than all the rest of it. */
export function urlOf({ isTls, authority, path }: Hop): URL {
  return new URL(`${isTls ? 'https' : 'http'}://${authority}${path}`);
}

function redirectTarget(from: URL, location: string): URL {
  // Node hands header bytes over as Latin-1; what is not ASCII in a URL is UTF-8.
  const text = Buffer.from(location, 'latin1').toString();
  if (!URL.canParse(text, from.href)) throw refusal('to something that is not a URL');
  const url = new URL(text, from);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refusal(`to the scheme ${url.protocol.slice(0, 20)}`);
  return url;
}

function refusal(what: string): ProbeFailure {
  return new ProbeFailure('protocol', `refused a redirect ${what}`);
}

/** A URL without userinfo, query and fragment: what may be shown. */
export function printable(url: URL): string {
  return `${url.origin}${url.pathname}`.slice(0, 500);
}

function makeHop(
  spec: HttpSpec,
  request: Pick<Hop, 'method' | 'body' | 'isTrusted' | 'isHome'> & { readonly url: URL },
  authorization: string | undefined,
): Hop {
  const { url, method, body, isTrusted, isHome } = request;
  const isTls = url.protocol === 'https:';
  // Spelt out: what starts with a spread gets a hidden class of its own, half a kilobyte for each probe.
  return {
    method,
    body,
    isTrusted,
    isHome,
    isTls,
    authority: url.host,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    path: url.pathname + url.search,
    headers: headersFor(spec, url, body, isTrusted, isTrusted ? authorization : undefined),
  };
}

function headersFor(
  spec: HttpSpec,
  url: URL,
  body: Buffer | undefined,
  isTrusted: boolean,
  authorization: string | undefined,
): readonly string[] {
  const headers = new Map<string, readonly [string, string]>();
  const set = (name: string, value: string) => headers.set(name.toLowerCase(), [name, value]);
  set('Host', url.host);
  set('Connection', 'close');
  for (const [name, value] of Object.entries(SENSIBLE_HEADERS)) set(name, value);
  if (authorization !== undefined) set('Authorization', authorization);
  for (const [name, value] of Object.entries(spec.headers)) {
    if (value && (isTrusted || PUBLIC_HEADERS.has(name.toLowerCase()))) set(name, value);
  }
  if (body !== undefined) set('Content-Length', String(body.length));
  // A copy has no room to grow.
  return [...headers.values()].flat().slice();
}

/** What is known without asking anybody: basic, bearer, or the userinfo of the URL. */
function staticAuthorization({ auth, url }: HttpSpec): string | undefined {
  if (auth?.basic) return basicAuthorization(auth.basic.username, auth.basic.password);
  if (auth?.bearer) return `Bearer ${auth.bearer}`;
  return auth ? undefined : userinfoAuthorization(new URL(url));
}

export function userinfoAuthorization(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  return basicAuthorization(decodePercents(url.username), decodePercents(url.password));
}

/** Userinfo with a stray percent sign stands for itself. */
export function decodePercents(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => Buffer.from(escaped.replaceAll('%', ''), 'hex').toString());
}

/** RFC 7617, in UTF-8. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
