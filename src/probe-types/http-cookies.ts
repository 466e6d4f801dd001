/** The cookies of one run of several requests, RFC 6265: nothing of them outlives it. */
import { isIP } from 'node:net';

export interface CookieJar {
  /** What goes along to this place, as the value of a `Cookie` header. */
  cookiesFor(place: Place): string | undefined;
  /** Takes the `Set-Cookie` headers of an answer from this place. */
  store(place: Place, headers: readonly string[], now: number): void;
  /** The value of the youngest cookie of a name. */
  read(name: string): string | undefined;
}

/** Where a request goes. */
export interface Place {
  readonly isTls: boolean;
  readonly host: string;
  /** With its query. */
  readonly path: string;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  readonly isHostOnly: boolean;
  readonly path: string;
  readonly isSecure: boolean;
}

const MAX_COOKIES = 50;
const MAX_COOKIE_CHARS = 4 * 2 ** 10;

/**
 * @param home the host of the probe's URL: cookies of a domain are those of its site.
 * @param conceal told the value of each cookie.
 */
export function createCookieJar(home: string, conceal: (value: string) => void): CookieJar {
  let cookies: readonly Cookie[] = [];
  return {
    cookiesFor(place) {
      const fitting = cookies.filter((cookie) => fits(cookie, place));
      // Longer paths first, RFC 6265, 5.4; what is equal stays in order.
      const sorted = fitting.toSorted((one, other) => other.path.length - one.path.length);
      return sorted.length === 0 ? undefined : sorted.map(({ name, value }) => `${name}=${value}`).join('; ');
    },
    store(place, headers, now) {
      for (const header of headers.slice(0, MAX_COOKIES)) {
        const set = parseCookie(header, place, now, home.toLowerCase());
        if (!set) continue;
        cookies = set.hasEnded ? without(cookies, set.cookie) : withCookie(cookies, set.cookie);
        conceal(set.cookie.value);
      }
    },
    read: (name) => cookies.findLast((cookie) => cookie.name === name)?.value,
  };
}

function fits({ domain, isHostOnly, path, isSecure }: Cookie, place: Place): boolean {
  if (isSecure && !place.isTls) return false;
  const host = place.host.toLowerCase();
  if (host !== domain && (isHostOnly || !isBelow(host, domain))) return false;
  const asked = pathOf(place);
  return asked === path || (asked.startsWith(path) && (path.endsWith('/') || asked[path.length] === '/'));
}

function without(cookies: readonly Cookie[], ended: Cookie): readonly Cookie[] {
  return cookies.filter((cookie) => !isSame(cookie, ended));
}

/** In the place of the one that it replaces, or else behind all others. */
function withCookie(cookies: readonly Cookie[], set: Cookie): readonly Cookie[] {
  if (!cookies.some((cookie) => isSame(cookie, set))) return [...cookies, set].slice(-MAX_COOKIES);
  return cookies.map((cookie) => (isSame(cookie, set) ? set : cookie));
}

function isSame(one: Cookie, other: Cookie): boolean {
  return one.name === other.name && one.domain === other.domain && one.path === other.path;
}

/** RFC 6265, 5.2 and 5.3. undefined: it is none, or not for this place. */
function parseCookie(
  header: string,
  place: Place,
  now: number,
  home: string,
): { readonly cookie: Cookie; readonly hasEnded: boolean } | undefined {
  const [pair = '', ...written] = header.slice(0, 2 * MAX_COOKIE_CHARS).split(';');
  const [name, value] = cut(pair);
  if (name === '' || !pair.includes('=') || pair.length > MAX_COOKIE_CHARS) return undefined;
  const attributes = new Map(written.map(cut).map(([key, text]) => [key.toLowerCase(), text]));
  const host = place.host.toLowerCase();
  const domain = (attributes.get('domain') ?? '').replace(/^\./, '').toLowerCase();
  const isOwn = domain === '' || domain === host;
  // One for all of a top-level domain is no cookie of this place.
  if (!isOwn && !(isBelow(host, domain) && domain.includes('.'))) return undefined;
  const isHostOnly = isOwn || !isOfSite(domain, home);
  const path = attributes.get('path') ?? '';
  const cookie: Cookie = {
    name,
    value,
    domain: isHostOnly ? host : domain,
    isHostOnly,
    path: path.startsWith('/') ? path : defaultPath(place),
    isSecure: attributes.has('secure'),
  };
  return { cookie, hasEnded: hasEnded(attributes, now) };
}

function hasEnded(attributes: ReadonlyMap<string, string>, now: number): boolean {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0;
  return Date.parse(attributes.get('expires') ?? '') <= now;
}

/** At or below the home's host, or above it and no public suffix, as far as that can be told without a list of them. */
function isOfSite(domain: string, home: string): boolean {
  return domain === home || isBelow(domain, home) || (isBelow(home, domain) && !SUFFIX.test(domain));
}

/** Such as `co.uk` and `com.au`: a short word below a country. */
const SUFFIX = /^[^.]{1,3}\.[a-z]{2}$/;

function isBelow(host: string, domain: string): boolean {
  return isIP(host) === 0 && host.endsWith(`.${domain}`);
}

function pathOf({ path }: Place): string {
  return path.split('?', 1)[0] ?? '/';
}

/** The folder of what was asked for. */
function defaultPath(place: Place): string {
  const path = pathOf(place);
  const end = path.lastIndexOf('/');
  return end <= 0 ? '/' : path.slice(0, end);
}

/** `name=value`, without blanks around. */
function cut(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text.trim(), ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
