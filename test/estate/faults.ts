/**
 * What a fake channel does to its next requests, besides answering them.
 */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ChannelFault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** Reads the request and never answers. */
  | { readonly kind: 'hang' }
  /** Accepts and counts the message, then cuts the connection: the client never learns. */
  | { readonly kind: 'accept_then_cut' }
  /** Cuts the connection before anything is accepted. */
  | { readonly kind: 'cut' }
  /** Slack only: HTTP 200 with `ok: false` and this error. */
  | { readonly kind: 'answer'; readonly error: string };

export interface FaultSwitch {
  /** The fault for all requests, or for the next `times`; undefined mends it. */
  set(fault: ChannelFault | undefined, times?: number): void;
  take(): ChannelFault | undefined;
}

export function createFaultSwitch(): FaultSwitch {
  let current: ChannelFault | undefined;
  let left = 0;
  return {
    set(fault, times = Number.POSITIVE_INFINITY) {
      current = fault;
      left = times;
    },
    take() {
      if (current === undefined || left <= 0) return undefined;
      left -= 1;
      return current;
    },
  };
}

/** Answers for the faults that need no knowledge of the channel. False: the request is still to be served. */
export function applyFault(
  fault: ChannelFault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (fault?.kind === 'hang') return true;
  if (fault?.kind === 'cut') {
    request.socket.destroy();
    return true;
  }
  if (fault?.kind !== 'status') return false;
  response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { 'Retry-After': fault.retryAfter });
  response.end();
  return true;
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Listens on loopback; port 0 is an ephemeral one. */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Ends open connections too, hanging ones among them. Closing twice is fine. */
export async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
