/** How prober `http` proves who asks, and by which way it gets there. */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { httpUrl } from '../shared/http-options.ts';
import { secret } from '../spec.ts';
import { fileName, tlsConfig, unsupported } from './options.ts';
import type { FileReader } from './prober.ts';

const basicAuth = z.strictObject({
  username: z.string().min(1),
  password: secret().optional(),
  password_file: fileName().optional(),
  username_file: unsupported('write "username"'),
});

const authorization = z.strictObject({
  type: z
    .string()
    .min(1)
    .default('Bearer')
    .refine((type) => type.toLowerCase() !== 'basic', 'is Basic; write it as "basic_auth"'),
  credentials: secret().optional(),
  credentials_file: fileName().optional(),
});

const oauth2 = z.strictObject({
  client_id: z.string().min(1),
  client_secret: secret().optional(),
  client_secret_file: fileName().optional(),
  token_url: httpUrl(['http:', 'https:']),
  scopes: z.array(z.string().min(1)).default([]),
  endpoint_params: z.record(z.string(), z.string()).default({}),
  tls_config: unsupported('the token is fetched with the authorities of the system'),
  proxy_url: unsupported('the token is fetched as the target is asked'),
  no_proxy: unsupported('remove it'),
  proxy_from_environment: unsupported('remove it'),
  proxy_connect_header: unsupported('remove it'),
});

export const accessOptions = {
  basic_auth: basicAuth.optional(),
  authorization: authorization.optional(),
  bearer_token: secret().optional(),
  bearer_token_file: fileName().optional(),
  oauth2: oauth2.optional(),
  tls_config: tlsConfig,
  proxy_url: httpUrl(['http:']).optional(),
  no_proxy: z.string().optional().describe('Hosts, domains, addresses and networks, between commas'),
  proxy_from_environment: unsupported('name the proxy in "proxy_url"'),
  proxy_connect_header: unsupported('write userinfo into "proxy_url" when the proxy wants credentials'),
};
const access = z.object(accessOptions);
type AccessOptions = z.output<typeof access>;

export function checkAccess(given: AccessOptions, complain: (path: string, message: string) => void): void {
  const { basic_auth: basic, authorization: header, bearer_token: token, bearer_token_file: file, oauth2 } = given;
  const ways = { basic_auth: basic, authorization: header, bearer_token: token, bearer_token_file: file, oauth2 };
  const [first, second] = Object.entries(ways).flatMap(([name, way]) => (way === undefined ? [] : [name]));
  if (first !== undefined && second !== undefined) complain(second, `cannot stand beside "${first}"`);
  if (basic?.password !== undefined && basic.password_file !== undefined)
    complain('basic_auth', 'has both password and password_file');
  if (header && (header.credentials === undefined) === (header.credentials_file === undefined))
    complain('authorization', 'needs either credentials or credentials_file');
  if (oauth2 && (oauth2.client_secret === undefined) === (oauth2.client_secret_file === undefined))
    complain('oauth2', 'needs either client_secret or client_secret_file');
  if (given.no_proxy !== undefined && given.proxy_url === undefined) complain('no_proxy', 'needs "proxy_url"');
}

interface Access {
  /** The `auth` of a spec. */
  readonly auth?: Record<string, unknown>;
  /** A header of a scheme that a spec has no name for. */
  readonly authorization?: string;
}

/** What proves who asks. */
export function accessSpec(given: AccessOptions, files: FileReader): Access {
  const one = (inline: string | undefined, file: string | undefined) =>
    inline ?? (file === undefined ? '' : files.secret(file));
  const { basic_auth: basic, authorization: header, oauth2 } = given;
  if (basic) {
    return { auth: { basic: { username: basic.username, password: one(basic.password, basic.password_file) } } };
  }
  if (header) {
    const credentials = one(header.credentials, header.credentials_file);
    return header.type === 'Bearer'
      ? { auth: { bearer: credentials } }
      : { authorization: `${header.type} ${credentials}` };
  }
  if (given.bearer_token !== undefined || given.bearer_token_file !== undefined) {
    return { auth: { bearer: one(given.bearer_token, given.bearer_token_file) } };
  }
  if (!oauth2) return {};
  const { client_id, client_secret, client_secret_file, token_url, scopes, endpoint_params: parameters } = oauth2;
  const secretText = one(client_secret, client_secret_file);
  return { auth: { oauth2: { token_url, client_id, client_secret: secretText, scopes, parameters } } };
}

/** The proxy for this target; undefined: none. */
export function proxyFor({ proxy_url: proxy, no_proxy: except }: AccessOptions, target: URL): string | undefined {
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const isExcepted = (except ?? '').split(',').some((entry) => isMeant(entry.trim().toLowerCase(), host, target));
  return isExcepted ? undefined : proxy;
}

/** As Go reads NO_PROXY: `*`, an address, a network, a name and what is below it; `.name` is only what is below it. */
function isMeant(entry: string, host: string, { port, protocol }: URL): boolean {
  if (entry === '' || entry === '*') return entry === '*';
  const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (isIP(address) > 0) return isIP(host) === isIP(address) && isWithin(host, address, Number(prefix));
  const [, bracketed, plain, wanted] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  const name = bracketed ?? plain ?? entry;
  if (wanted !== undefined && wanted !== (port || (protocol === 'https:' ? '443' : '80'))) return false;
  if (name.startsWith('.')) return host.endsWith(name);
  return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
}

function isWithin(host: string, address: string, prefix: number): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (prefix > (family === 'ipv6' ? 128 : 32)) return false;
  const network = new BlockList();
  network.addSubnet(address, prefix, family);
  return network.check(host, family);
}
