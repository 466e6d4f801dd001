/** One request and the head of its answer, over a connection of its own: reusing one would prove less. */
import { type ClientRequest, type ClientRequestArgs, type IncomingMessage, request } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { open, type Route } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { type Hop, userinfoAuthorization } from './http-request.ts';
import type { Lifeline } from './lifeline.ts';
import type { NameResolver } from './resolve.ts';
import { type ContextSource, type Seen, secure } from './secure.ts';

/** Node's own default of 16 KiB is less than some honest sites send. */
const MAX_HEADER_BYTES = 64 * 2 ** 10;
/** Interim answers (1xx) beyond this are a flood. */
const MAX_INTERIM_ANSWERS = 16;

/** How a spec reaches its targets; prepared once. */
export interface Access {
  readonly route: Route;
  readonly proxy: Proxy | undefined;
  /** The context for a hop: a client certificate is shown at home alone. */
  contextFor(hop: Hop): ReturnType<ContextSource>;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

export interface Proxy {
  readonly host: string;
  readonly port: number;
  /** Header and value, or nothing. */
  readonly headers: readonly string[];
}

export interface Exchange {
  readonly line: Lifeline;
  readonly resolver: NameResolver;
  readonly now: number;
  /** Told what is learnt on the way, also when the exchange fails. */
  readonly seen: Seen;
}

/** Sends the hop's request and resolves with the head of the answer. Rejects with a ProbeFailure. */
export async function send(hop: Hop, access: Access, exchange: Exchange): Promise<IncomingMessage> {
  const { line, resolver, seen } = exchange;
  seen.peer = undefined;
  const connection = await open(access.proxy ?? hop, access.route, line, resolver, seen);
  if (!hop.isTls) return await converse(connection.socket, hop, access.proxy, line);
  if (access.proxy) await tunnel(connection.socket, hop, access.proxy, line);
  const secured = await secure(connection.socket, handshakeFor(hop, access, exchange), line);
  return await converse(secured, hop, undefined, line);
}

function handshakeFor(hop: Hop, access: Access, exchange: Exchange) {
  return {
    host: (hop.isHome ? access.serverName : undefined) ?? hop.host,
    context: access.contextFor(hop),
    insecure: access.insecure,
    protocols: ['http/1.1'],
    now: exchange.now,
    seen: exchange.seen,
  };
}

/** Sends over a socket that is connected. @param proxy the proxy at the other end of the socket, which wants the whole URL in the request line. */
export function converse(socket: Socket, hop: Hop, proxy: Proxy | undefined, line: Lifeline): Promise<IncomingMessage> {
  line.enter('processing');
  return line.until((done) => {
    const outgoing = requestOver(socket, line, {
      method: hop.method,
      path: proxy ? `http://${hop.authority}${hop.path}` : hop.path,
      headers: proxy ? [...hop.headers, ...proxy.headers] : hop.headers,
    });
    outgoing.once('response', done);
    outgoing.end(hop.body);
  });
}

/** `CONNECT host:port`, RFC 9110, 9.3.6. Afterwards the socket is one to the target. */
async function tunnel(socket: Socket, hop: Hop, proxy: Proxy, line: Lifeline): Promise<void> {
  line.enter('processing');
  const authority = `${isIP(hop.host) === 6 ? `[${hop.host}]` : hop.host}:${hop.port}`;
  const status = await line.until<number>((done) => {
    const outgoing = requestOver(socket, line, {
      method: 'CONNECT',
      path: authority,
      headers: ['Host', authority, ...proxy.headers],
    });
    outgoing.once('connect', (answer) => done(answer.statusCode ?? 0));
    outgoing.end();
  });
  if (status === 407) throw new ProbeFailure('auth', 'the proxy wants other credentials (407)');
  if (status < 200 || status > 299) throw new ProbeFailure('protocol', `the proxy refused to connect (${status})`);
}

function requestOver(socket: Socket, line: Lifeline, options: ClientRequestArgs): ClientRequest {
  // Without an agent: `agent: false` would build a whole one for every request.
  const outgoing = request({ ...options, maxHeaderSize: MAX_HEADER_BYTES, createConnection: () => socket });
  let interim = 0;
  let answer: IncomingMessage | undefined;
  outgoing.on('response', (response) => {
    answer = response;
  });
  // What follows a complete answer is not listened to, however it is cut into packets.
  outgoing.on('error', (error) => {
    if (!answer?.complete) line.fail(error);
  });
  outgoing.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM_ANSWERS) line.fail(new ProbeFailure('protocol', 'a flood of interim answers (1xx)'));
  });
  outgoing.on('upgrade', () => line.fail(new ProbeFailure('protocol', 'switches to another protocol unasked (101)')));
  return outgoing;
}

export function proxyOf(url: string | undefined): Proxy | undefined {
  if (url === undefined) return undefined;
  const parsed = new URL(url);
  const authorization = userinfoAuthorization(parsed);
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 80 : Number(parsed.port),
    headers: authorization === undefined ? [] : ['Proxy-Authorization', authorization],
  };
}
