/** One request of a run and its redirects, up to an answer whose body can be read. */
import type { IncomingMessage } from 'node:http';
import { ProbeFailure } from './failure.ts';
import { readBody } from './http-body.ts';
import type { CookieJar } from './http-cookies.ts';
import { type Access, type Exchange, send } from './http-exchange.ts';
import type { Sighting } from './http-fields.ts';
import { firstHop, type Hop, nextHop, printable, urlOf } from './http-request.ts';
import type { HttpSpec } from './http-spec.ts';
import type { TokenSource } from './http-token.ts';

/** What a spec means, worked out once: no URL is parsed on the way of a plain run. */
export interface Plan {
  readonly spec: HttpSpec;
  readonly hop: Hop;
  readonly target: string;
  readonly access: Access;
  readonly tokens: TokenSource | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** @param jar cookies go along and are taken; undefined: neither. */
export async function visit(
  plan: Plan,
  sighting: Sighting,
  exchange: Exchange,
  keepBytes: number,
  jar?: CookieJar,
): Promise<void> {
  const { spec, access, tokens } = plan;
  const token = await tokens?.authorization({ ...exchange, seen: { ip: undefined, peer: undefined } });
  let hop = token === undefined ? plan.hop : firstHop(spec, token, plan.hop.isHome);
  for (;;) {
    const response = await send(jar ? withCookies(hop, jar) : hop, access, exchange);
    note(sighting, response);
    jar?.store(hop, response.headers['set-cookie'] ?? [], exchange.now);
    if (response.statusCode === 401) tokens?.refused();
    const { location } = response.headers;
    if (spec.redirects === 0 || location === undefined || !REDIRECTS.has(sighting.status ?? 0)) {
      const { max_body: maxBytes, encoding } = spec;
      sighting.body = await readBody(response, { maxBytes, keepBytes, encoding }, exchange.line);
      return;
    }
    hop = nextHop(spec, hop, sighting.status ?? 0, location, token);
    exchange.line.release();
    if (sighting.redirects === spec.redirects) throw tooMany(spec.redirects, hop);
    leave(sighting, hop);
  }
}

/** A `Cookie` header that was written wins. */
function withCookies(hop: Hop, jar: CookieJar): Hop {
  const cookies = jar.cookiesFor(hop);
  if (cookies === undefined) return hop;
  const isWritten = hop.headers.some((text, index) => index % 2 === 0 && text.toLowerCase() === 'cookie');
  return isWritten ? hop : { ...hop, headers: [...hop.headers, 'Cookie', cookies] };
}

function tooMany(limit: number, next: Hop): ProbeFailure {
  return new ProbeFailure('protocol', `more than ${limit} redirects; the next one leads to ${printable(urlOf(next))}`);
}

function note(sighting: Sighting, response: IncomingMessage): void {
  sighting.status = response.statusCode;
  sighting.httpVersion = Number(response.httpVersion);
  sighting.headers = response.headers;
}

/** What was left is no answer: the next hop may have none. */
function leave(sighting: Sighting, next: Hop): void {
  sighting.redirects += 1;
  sighting.finalUrl = printable(urlOf(next));
  sighting.status = sighting.httpVersion = sighting.headers = undefined;
}

export function emptySighting(target: string): Sighting {
  return {
    ip: undefined,
    peer: undefined,
    status: undefined,
    httpVersion: undefined,
    headers: undefined,
    body: undefined,
    redirects: 0,
    finalUrl: target,
  };
}
