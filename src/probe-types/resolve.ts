/**
 * Names to addresses without `dns.lookup`: that one runs on libuv's four threads, where a few slow names stall files,
 * the store and every other probe. Order: loopback names, `/etc/hosts`, then c-ares within the run's deadline.
 */
import { Resolver } from 'node:dns';
import { isIP } from 'node:net';
import { codeOf } from '../errors.ts';
import { cachedFile } from './cached-file.ts';
import { ProbeFailure } from './failure.ts';

export type Family = 4 | 6;

export interface NameResolver {
  /**
   * Addresses of a name in one family, never empty. Rejects with a ProbeFailure (`dns`), also when the signal aborts.
   * @param server `address:port` to ask instead of the hosts file and the servers of `/etc/resolv.conf`.
   */
  resolve(name: string, family: Family, server: string | undefined, signal: AbortSignal): Promise<readonly string[]>;
  /** Address of the first name server in `/etc/resolv.conf`. */
  systemServer(): string;
}

/** A name that exists but has no address of the family that was asked for: another family may do. */
export class NoAddress extends ProbeFailure {}

interface Servers {
  readonly addresses: readonly string[];
  readonly search: readonly string[];
  readonly ndots: number;
  readonly timeoutMs: number;
  readonly tries: number;
}

/** Idle resolvers kept for the next run: making one costs 65 µs. */
const MAX_IDLE = 32;

/** @param files where the system's name configuration stands; both are read again when they change. */
export function createResolver(
  files: { readonly hosts: string; readonly resolv: string } = { hosts: '/etc/hosts', resolv: '/etc/resolv.conf' },
): NameResolver {
  const hosts = cachedFile(files.hosts, parseHosts);
  const configuration = cachedFile(files.resolv, parseResolvConf);
  const pool = new ResolverPool();
  return {
    // parseResolvConf never leaves the list empty.
    systemServer: () => configuration().addresses[0] as string,
    async resolve(name, family, server, signal) {
      const key = name.toLowerCase().replace(/\.$/, '');
      if (key === 'localhost' || key.endsWith('.localhost')) return [family === 4 ? '127.0.0.1' : '::1'];
      const known = server === undefined ? hosts().get(key) : undefined;
      const listed = known?.filter((address) => isIP(address) === family) ?? [];
      if (listed.length > 0) return listed;
      if (known) throw new NoAddress('dns', `${name} has no IPv${family} address in ${files.hosts}`);
      const system = configuration();
      const servers = server === undefined ? system : { ...system, addresses: [server] };
      return await ask(pool, candidates(name, servers), family, servers, signal);
    },
  };
}

/** Tries the names of the search list in turn, on a resolver that no other run uses meanwhile. */
async function ask(
  pool: ResolverPool,
  names: readonly string[],
  family: Family,
  servers: Servers,
  signal: AbortSignal,
) {
  const resolver = pool.take(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    let missing: ProbeFailure | undefined;
    for (const name of names) {
      const answer = await query(resolver, name, family, signal);
      if (!(answer instanceof ProbeFailure)) return answer;
      // A name with other records beats one that does not exist: the caller may ask for another family.
      if (missing === undefined || answer instanceof NoAddress) missing = answer;
    }
    throw missing ?? new ProbeFailure('dns', 'empty name');
  } finally {
    signal.removeEventListener('abort', cancel);
    pool.giveBack(servers, resolver);
  }
}

/** Addresses, or the failure when this name has none; any other failure rejects. */
function query(resolver: Resolver, name: string, family: Family, signal: AbortSignal) {
  return new Promise<readonly string[] | ProbeFailure>((resolve, reject) => {
    const settle = (error: NodeJS.ErrnoException | null, addresses: string[]) => {
      if (!error && addresses.length > 0) return resolve(addresses);
      const code = codeOf(error);
      const options = { cause: error };
      if (code === 'ENOTFOUND') return resolve(new ProbeFailure('dns', `${name} does not exist`, options));
      if (!error || code === 'ENODATA') {
        return resolve(new NoAddress('dns', `${name} has no IPv${family} address`, options));
      }
      reject(new ProbeFailure('dns', `${name}: ${describe(code, signal)}`, options));
    };
    if (signal.aborted) return settle(Object.assign(new Error('cancelled'), { code: 'ECANCELLED' }), []);
    if (family === 4) resolver.resolve4(name, settle);
    else resolver.resolve6(name, settle);
  });
}

function describe(code: string | undefined, signal: AbortSignal): string {
  if (signal.aborted) return 'no answer from the name server before the deadline';
  if (code === 'ETIMEOUT') return 'no answer from the name server';
  if (code === 'ECONNREFUSED') return 'no name server can be reached';
  if (code === 'ESERVFAIL') return 'the name server failed (SERVFAIL)';
  if (code === 'EREFUSED') return 'the name server refused to answer (REFUSED)';
  return `the name server's answer is unusable (${code})`;
}

/** One resolver a run, because `cancel` ends everything that a resolver has under way. */
class ResolverPool {
  readonly #idle = new Map<string, Resolver[]>();

  take(servers: Servers): Resolver {
    const idle = this.#idle.get(servers.addresses.join())?.pop();
    if (idle) return idle;
    const resolver = new Resolver({ timeout: servers.timeoutMs, tries: servers.tries });
    resolver.setServers(servers.addresses);
    return resolver;
  }

  giveBack(servers: Servers, resolver: Resolver): void {
    const key = servers.addresses.join();
    const idle = this.#idle.get(key);
    if (!idle) this.#idle.set(key, [resolver]);
    else if (idle.length < MAX_IDLE) idle.push(resolver);
  }
}

/** Names to ask for, in order, as resolv.conf(5) describes `search` and `ndots`. */
function candidates(name: string, servers: Servers): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const searched = servers.search.map((domain) => `${name}.${domain}`);
  const dots = name.split('.').length - 1;
  return dots >= servers.ndots ? [name, ...searched] : [...searched, name];
}

function parseHosts(text = ''): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = wordsOf(line);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      const addresses = hosts.get(key);
      if (addresses) addresses.push(address);
      else hosts.set(key, [address]);
    }
  }
  return hosts;
}

/** resolv.conf(5), with its defaults: the server on loopback, ndots 1, 5 s, 2 attempts. */
function parseResolvConf(text = ''): Servers {
  const addresses: string[] = [];
  let search: readonly string[] = [];
  const options = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [keyword, ...values] = wordsOf(line);
    // c-ares takes no zone (`fe80::1%eth0`).
    if (keyword === 'nameserver') addresses.push(...values.filter((value) => isIP(value) > 0 && !value.includes('%')));
    if (keyword === 'search' || keyword === 'domain') search = values.map((domain) => domain.replace(/\.$/, ''));
    if (keyword === 'options') for (const value of values) setOption(options, value);
  }
  return {
    addresses: addresses.length > 0 ? addresses : ['127.0.0.1'],
    search: search.filter((domain) => domain !== ''),
    ndots: options.get('ndots') ?? 1,
    timeoutMs: (options.get('timeout') ?? 5) * 1_000,
    tries: options.get('attempts') ?? 2,
  };
}

function setOption(options: Map<string, number>, option: string): void {
  const [name = '', value = ''] = option.split(':');
  if (/^\d+$/.test(value)) options.set(name, Number(value));
}

function wordsOf(line: string): string[] {
  return line
    .replace(/[#;].*/, '')
    .split(/\s+/)
    .filter((word) => word !== '');
}
