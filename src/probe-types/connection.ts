/** A TCP connection to a host by name or address, within a run's deadline. */
import { connect, isIP, type Socket } from 'node:net';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { type Family, type NameResolver, NoAddress } from './resolve.ts';

export interface Endpoint {
  /** A name, or a literal address without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface Route {
  /** Families in order of preference. */
  readonly families: readonly Family[];
  /** `address:port` of a name server to ask instead of the system's. */
  readonly nameServer: string | undefined;
  /** Address of this machine to connect from; undefined: the system's choice. */
  readonly source: string | undefined;
}

/** Told of each address before it is tried, so that one that does not answer is known too. */
export interface Tried {
  ip: string | undefined;
}

interface Connection {
  readonly socket: Socket;
  /** The address that answered. */
  readonly address: string;
}

const FAMILIES = { any: [4, 6], prefer_ip6: [6, 4], ip4: [4], ip6: [6] } as const;

/** The options that every probe of a network address has. */
export const routeOptions = {
  ip_protocol: z
    .enum(['any', 'prefer_ip6', 'ip4', 'ip6'])
    .default('any')
    .describe('Address family. any: IPv4, then IPv6; prefer_ip6: the other way round; ip4, ip6: this one only'),
  resolver: z
    .string()
    .refine(isNameServer, 'is not a name server; write an address and a port: 127.0.0.1:53 or [::1]:53')
    .optional()
    .describe('Name server to ask, as address:port. Default: /etc/hosts, then the servers of /etc/resolv.conf'),
  source_address: z
    .string()
    .refine((text) => isIP(text) > 0, 'is not an address')
    .optional()
    .describe('Address of this machine to connect from. Default: as the system chooses'),
};

export function routeOf(spec: {
  readonly ip_protocol: keyof typeof FAMILIES;
  readonly resolver?: string | undefined;
  readonly source_address?: string | undefined;
}): Route {
  return { families: FAMILIES[spec.ip_protocol], nameServer: spec.resolver, source: spec.source_address };
}

function isNameServer(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  return match !== null && isIP(match[1] ?? match[2] ?? '') > 0 && port > 0 && port < 65_536;
}

/** A host as people write it (`bücher.example`, `[::1]`) as names and addresses are asked for. */
export function asciiHost(written: string): string {
  const host = written.replace(/^\[|\]$/g, '');
  return domainToASCII(host) || host;
}

/** `host:port`, or `[::1]:port`; undefined: it is something else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]\s]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) return undefined;
  return { host: asciiHost(match[1] ?? match[2] ?? ''), port };
}

/** `host:port`, with brackets around an IPv6 address. */
export function printEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The first address of a host, in the order of the route's families. Rejects with a ProbeFailure (`dns`). */
export async function addressOf(host: string, route: Route, line: Lifeline, resolver: NameResolver): Promise<string> {
  if (isIP(host) > 0) return host;
  line.enter('resolve');
  for (const family of route.families) {
    try {
      const [address] = await resolver.resolve(host, family, route.nameServer, line.signal);
      if (address !== undefined) return address;
    } catch (error) {
      if (!(error instanceof NoAddress) || route.families.length === 1) throw error;
    }
  }
  throw new ProbeFailure('dns', `${host} has no address`);
}

/**
 * Connects to the first address that answers. The next family is tried when the first has no address or is refused
 * at once, not when it swallows the deadline. Rejects with the first family's failure.
 */
export async function open(
  endpoint: Endpoint,
  route: Route,
  line: Lifeline,
  resolver: NameResolver,
  tried: Tried = { ip: undefined },
): Promise<Connection> {
  const from = { source: route.source, line, tried };
  if (isIP(endpoint.host) > 0) return await attempt(endpoint.host, endpoint.port, from);
  let first: ProbeFailure | undefined;
  for (const family of route.families) {
    try {
      line.enter('resolve');
      const addresses = await resolver.resolve(endpoint.host, family, route.nameServer, line.signal);
      return await openAny(addresses, endpoint.port, from);
    } catch (error) {
      // An address that refuses says more than a family that has none, or whose question fails.
      const isAnswered = first !== undefined && !(first instanceof NoAddress);
      if (isAnswered && error instanceof ProbeFailure && error.reason === 'dns') throw first;
      if (!allowsAnother(error)) throw error;
      if (!isAnswered) first = error;
      line.release();
    }
  }
  if (first && (route.families.length === 1 || !(first instanceof NoAddress))) throw first;
  throw new ProbeFailure('dns', `${endpoint.host} has no address`, { cause: first });
}

function allowsAnother(error: unknown): error is ProbeFailure {
  if (!(error instanceof ProbeFailure)) return false;
  return error instanceof NoAddress || error.reason === 'connect_refused' || error.reason === 'unreachable';
}

/** Each address but the last gets an equal share of the time that is left, so that a dead one cannot hide the others. */
async function openAny(addresses: readonly string[], port: number, from: From): Promise<Connection> {
  const { line } = from;
  const others = addresses.slice(0, -1);
  for (const [index, address] of others.entries()) {
    const shareMs = line.remainingMs() / (addresses.length - index);
    try {
      return await attempt(address, port, from, shareMs);
    } catch (error) {
      if (line.signal.aborted || !(error instanceof ProbeFailure)) throw error;
      line.release();
    }
  }
  return await attempt(addresses.at(-1) ?? '', port, from);
}

interface From {
  readonly source: string | undefined;
  readonly line: Lifeline;
  readonly tried: Tried;
}

async function attempt(address: string, port: number, from: From, withinMs?: number): Promise<Connection> {
  const { line, tried, source } = from;
  tried.ip = address;
  line.enter('connect');
  let timer: NodeJS.Timeout | undefined;
  try {
    return await line.until((done) => {
      const socket = connect({ host: address, port, ...(source !== undefined && { localAddress: source }) });
      line.hold(socket);
      socket.on('error', line.fail);
      socket.once('connect', () => done({ socket, address }));
      if (withinMs === undefined) return;
      timer = setTimeout(() => line.fail(new ProbeFailure('connect_timeout', `no answer from ${address}`)), withinMs);
    });
  } finally {
    clearTimeout(timer);
  }
}
