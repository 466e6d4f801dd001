/** URLs of databases: `scheme://user:password@host:port/path?parameters`. */
import { domainToASCII } from 'node:url';

export interface ServerUrl {
  readonly scheme: string;
  /** A name, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Without its leading slash. */
  readonly path: string;
  readonly parameters: URLSearchParams;
}

/** undefined: it is not a URL with one of these schemes and a host. */
export function parseServerUrl(text: string, schemes: readonly string[], defaultPort: number): ServerUrl | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.includes(scheme) || url.hostname === '') return undefined;
  const host = decodePercents(url.hostname).replace(/^\[|\]$/g, '');
  return {
    scheme,
    host: host.includes(':') ? host : domainToASCII(host) || host,
    port: url.port === '' ? defaultPort : Number(url.port),
    user: decodePercents(url.username),
    password: decodePercents(url.password),
    path: decodePercents(url.pathname.slice(1)),
    parameters: url.searchParams,
  };
}

/** `host:port`, as in a URL. */
export function authorityOf({ host, port }: Pick<ServerUrl, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Userinfo with a stray percent sign stands for itself. */
export function decodePercents(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => Buffer.from(escaped.replaceAll('%', ''), 'hex').toString());
}
