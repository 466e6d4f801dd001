/**
 * The way to a PostgreSQL server over a connection that is open already: TLS as the URL says, and a driver that cannot throw
 * into the event loop, whatever answers.
 */
import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { loadLibrary } from '../library.ts';
import { DriverStream, type Line } from './driver-stream.ts';
import { ExchangeFailure } from './exchange-failure.ts';
import { createFrameCutter } from './postgres-frames.ts';
import type { PostgresServer, SslMode } from './postgres-url.ts';

/** SSLRequest: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL */
const TLS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Whether the handshake may follow. Errors: ExchangeFailure, and what the socket says. */
export async function agreesOnTls(socket: Socket, sslMode: SslMode): Promise<boolean> {
  if (sslMode === 'disable') return false;
  const isOffered = await offersTls(socket);
  if (!isOffered && sslMode !== 'prefer') throw new ExchangeFailure('tls_not_offered', 'the server does not offer TLS');
  return isOffered;
}

function offersTls(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const closed = () =>
      reject(new ExchangeFailure('connection_closed', 'the connection was closed before the answer was complete'));
    socket.once('error', reject).once('end', closed).once('close', closed);
    socket.once('data', (answer: Buffer) => {
      socket.off('error', reject).off('end', closed).off('close', closed);
      // The whole answer: bytes behind the letter would be somebody's who is not behind the TLS.
      const letter = answer.toString('latin1');
      if (letter === 'S' || letter === 'N') resolve(letter === 'S');
      else reject(new ExchangeFailure('protocol_broken', 'what answers does not speak PostgreSQL'));
    });
    socket.write(TLS_REQUEST);
  });
}

/** Loaded with the first session, so that a daemon without such probes and fixes does not carry it. */
export function loadDriver() {
  return loadLibrary<typeof import('pg')>('pg');
}

export interface ClientOptions {
  readonly server: PostgresServer;
  /** By it the server, and our own fixes, know whose session this is. */
  readonly applicationName: string;
  /** What one session reads at most. */
  readonly maxBytes: number;
  readonly line: Line;
}

/** A client that has not logged in. What goes wrong on the way in is told to the line; the client tells of it as well. */
export function createClient(socket: Socket, { server, applicationName, maxBytes, line }: ClientOptions): Client {
  const { host, port, user, database, password } = server;
  const stream = new DriverStream(socket, line, 'PostgreSQL', createFrameCutter(maxBytes), maxBytes);
  const { Client } = loadDriver();
  return new Client({
    // What stays unset here the driver takes from the environment and from ~/.pgpass.
    ...{ host, port, user, database, ssl: false, application_name: applicationName },
    password() {
      if (password !== '') return password;
      throw new ExchangeFailure('password_missing', 'the server wants a password, and there is none in the URL');
    },
    stream: () => stream,
  });
}
