/** A syslog server as Papertrail runs them: datagrams, or lines over TCP and TLS. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { KeyPair } from './hostile-certificates.ts';

export interface SyslogServerOptions {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** Default: a free one. */
  readonly port?: number;
  /** For TLS. */
  readonly keyPair?: KeyPair;
  /** It accepts this many connections of which it never reads a byte. Default 0. */
  readonly deaf?: number;
}

export interface SyslogServer {
  readonly port: number;
  /** Whole messages, in the order of their arrival. */
  messages(): readonly string[];
  /** How many connections there were; TLS: with a completed handshake. */
  connections(): number;
  /** Stops to read, and reads on. */
  pause(): void;
  resume(): void;
  /** Cuts every connection and listens no more. */
  stop(): Promise<void>;
}

export function startSyslogServer(options: SyslogServerOptions): Promise<SyslogServer> {
  return options.protocol === 'udp' ? startDatagrams(options) : startLines(options);
}

async function startDatagrams({ port = 0 }: SyslogServerOptions): Promise<SyslogServer> {
  const messages: string[] = [];
  const socket = createSocket('udp4', (message) => messages.push(message.toString()));
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return {
    port: socket.address().port,
    messages: () => messages,
    connections: () => 0,
    pause: () => undefined,
    resume: () => undefined,
    stop: () => new Promise((stopped) => socket.close(stopped)),
  };
}

async function startLines({ protocol, port = 0, keyPair, deaf = 0 }: SyslogServerOptions): Promise<SyslogServer> {
  const messages: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const serve = (socket: Socket) => {
    connections += 1;
    // A client that is killed resets its connection.
    socket.on('error', () => undefined);
    if (connections <= deaf) socket.pause();
    else takeLines(socket, messages);
  };
  const server: Server = protocol === 'tls' ? createTlsServer({ ...keyPair }, serve) : createServer(serve);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    messages: () => messages,
    connections: () => connections,
    pause: () => sockets.forEach((socket) => void socket.pause()),
    resume: () => sockets.forEach((socket) => void socket.resume()),
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function takeLines(socket: Socket, messages: string[]): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    messages.push(...lines);
  });
}
