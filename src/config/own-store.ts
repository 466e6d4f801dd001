/**
 * A fix for the PostgreSQL that holds our own store: while that is away nothing can be written down before it is acted upon, so
 * such a fix would never run when it is needed. It may be watched.
 */
import type { Problem } from '../model.ts';
import type { Definitions } from './references.ts';

/** As far as names can be compared: the same host and port, or a container called as the host of the URL. */
export function ownStoreHealed({ probes, remediations }: Definitions, storeUrl: string | undefined): Problem[] {
  const own = storeUrl === undefined ? undefined : serverOf(storeUrl);
  if (own === undefined) return [];
  const message = `the PostgreSQL at ${own} holds Brainstem's own store: it is watched, but it cannot be healed from here`;
  const healed = probes.filter(({ probe }) => probe.remediate.length > 0 && names(probe.spec, own));
  const healing = remediations.filter(({ remediation: { spec }, type }) => names(spec, own) && !type?.readsOnly(spec));
  return [
    ...healed.map(({ place }) => ({ location: place(['remediate']), message })),
    ...healing.map(({ remediation: { location } }) => ({ location, message })),
  ];
}

/** True when this server stands anywhere in a spec. */
function names(spec: unknown, server: string): boolean {
  if (typeof spec === 'string') return serverOf(spec) === server || isContainerOf(spec, server);
  if (typeof spec !== 'object' || spec === null) return false;
  if ('host' in spec && 'port' in spec && address(String(spec.host), String(spec.port)) === server) return true;
  return Object.values(spec).some((value) => names(value, server));
}

/** In a network of containers the name of one is its host's. */
function isContainerOf(name: string, server: string): boolean {
  return name !== 'localhost' && server.startsWith(`${name}:`);
}

/** `HOST:PORT` of a PostgreSQL URL. */
function serverOf(text: string): string | undefined {
  if (!/^postgres(ql)?:/.test(text) || !URL.canParse(text)) return undefined;
  const { hostname, port, searchParams } = new URL(text);
  return address(searchParams.get('host') ?? hostname, port || '5432');
}

/** Every name of this machine's loopback is one. */
function address(host: string, port: string): string {
  return `${LOOPBACK.test(host) ? 'localhost' : host.toLowerCase()}:${port}`;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/i;
