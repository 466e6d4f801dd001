/** WebSocket servers of a test's own: a real one, and answers and frames made by hand. Closed when the test ends. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import type { KeyPair } from './hostile-certificates.ts';
import { type Listening, listen, serveRaw } from './hostile-network.ts';

export interface WebsocketSetup {
  readonly tls?: KeyPair;
  /** Subprotocols that it speaks. */
  readonly subprotocols?: readonly string[];
  /** Decides whether a request may switch. Default: each may. */
  readonly admits?: (request: IncomingMessage) => boolean;
}

export async function serveWebsocket(
  onConnection: (client: WebSocket, request: IncomingMessage) => void = () => {},
  { tls, subprotocols = [], admits = () => true }: WebsocketSetup = {},
): Promise<Listening> {
  const server = tls ? createSecureServer(tls) : createServer();
  server.on('tlsClientError', () => {});
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }: { req: IncomingMessage }) => admits(req),
    handleProtocols: (asked) => subprotocols.find((name) => asked.has(name)) ?? false,
  });
  sockets.on('connection', (client, request) => {
    client.on('error', () => {});
    onConnection(client, request);
  });
  onTestFinished(() => {
    for (const client of sockets.clients) client.terminate();
  });
  return await listen(server);
}

/** Switches as RFC 6455 wants it, with these extra header lines, and goes on by hand. */
export async function serveFrames(
  afterwards: (socket: Socket) => void,
  head: (accept: string) => string = switching,
): Promise<Listening> {
  return await serveRaw((socket) => {
    socket.once('data', (request: Buffer) => {
      const key = /^sec-websocket-key: (.*)$/im.exec(request.toString())?.[1]?.trim() ?? '';
      socket.write(head(createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')));
      afterwards(socket);
    });
  });
}

/** The head of an answer that switches. */
export function switching(accept: string, ...lines: readonly string[]): string {
  const fixed = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  return [...fixed, `Sec-WebSocket-Accept: ${accept}`, ...lines, '', ''].join('\r\n');
}

/** One frame of a server (RFC 6455, 5.2): whole, and of at most 125 bytes unless `length` says otherwise. */
export function frame(opcode: number, payload: string | Buffer = '', length?: number): Buffer {
  const bytes = Buffer.from(payload as string);
  return Buffer.concat([Buffer.from([0x80 | opcode, length ?? bytes.length]), bytes]);
}
