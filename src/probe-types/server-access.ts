/** A server that is named by a URL: the option, and the way to it. */
import type { Socket } from 'node:net';
import { z } from 'zod';
import { authorityOf, parseServerUrl, type ServerUrl } from '../shared/server-url.ts';
import { open, type Route } from './connection.ts';
import type { Lifeline } from './lifeline.ts';
import type { NameResolver } from './resolve.ts';
import type { Seen } from './secure.ts';
import type { Guard } from './server-run.ts';

/** Schemes of a protocol with their ports. */
export type Schemes = Readonly<Record<string, number>>;

/** @param problemOf says what is wrong with a URL of these schemes; undefined: nothing. */
export function serverUrl(schemes: Schemes, pattern: string, problemOf: (server: ServerUrl) => string | undefined) {
  return z.string().superRefine((text, context) => {
    const server = serverOf(text, schemes);
    const message = server ? problemOf(server) : `is not a URL of one server; write ${pattern}`;
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });
}

function serverOf(text: string, schemes: Schemes): ServerUrl | undefined {
  const scheme = /^[a-z]+/i.exec(text)?.[0].toLowerCase() ?? '';
  return parseServerUrl(text, Object.keys(schemes), schemes[scheme] ?? 0);
}

/** @param url one that `serverUrl` accepts. */
export function acceptedServer(url: string, schemes: Schemes): ServerUrl {
  return serverOf(url, schemes) as ServerUrl;
}

/** Without userinfo, path and parameters. */
export function printServer(server: ServerUrl): string {
  return `${server.scheme}://${authorityOf(server)}`;
}

export interface Access {
  readonly server: ServerUrl;
  readonly route: Route;
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
}

/** A connection to the server, behind TLS where it has to be. */
export async function reach(
  access: Access,
  resolver: NameResolver,
  now: number,
  line: Lifeline,
  seen: Seen,
): Promise<Socket> {
  const { socket, address } = await open(access.server, access.route, line, resolver);
  seen.ip = address;
  const secured = access.guard ? await access.guard(socket, line, seen, now) : socket;
  line.enter('processing');
  return secured;
}
