/** A connection to a PostgreSQL server that a driver can use: open, secured as the URL says, capped, gone at the deadline. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AppError } from '../errors.ts';
import type { PostgresServer } from '../shared/postgres-url.ts';

/** The server did not do what was asked of it, in words for people. Never leaves an action. */
export class SessionFailure extends AppError {
  /** Five characters of SQLSTATE, when the server said no itself. */
  readonly state: string | undefined;
  /** The commit was asked for and not answered. */
  readonly mayHaveCommitted: boolean;

  constructor(message: string, { state, mayHaveCommitted = false, ...options }: SessionFailureOptions = {}) {
    super('postgres_session', message, options);
    this.state = state;
    this.mayHaveCommitted = mayHaveCommitted;
  }
}

interface SessionFailureOptions {
  readonly cause?: unknown;
  readonly state?: string | undefined;
  readonly mayHaveCommitted?: boolean;
}

/** SSLRequest: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL */
const TLS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
/** What one session reads at most. */
const MAX_BYTES = 8 * 2 ** 20;

/** Errors of the socket, or SessionFailure. At the abort of the signal the socket is destroyed. */
export async function openConnection(server: PostgresServer, signal: AbortSignal): Promise<Socket> {
  const socket = connectTcp({ host: server.host, port: server.port });
  destroyAtDeadline(socket, signal);
  try {
    await happens(socket, 'connect');
    const secured = server.sslMode === 'disable' ? socket : await secure(socket, server, signal);
    capped(secured);
    return asNew(secured);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function destroyAtDeadline(socket: Socket, signal: AbortSignal): void {
  // Whoever waits for it is told; between two waits nobody is, and it is no reason to end the daemon.
  socket.on('error', () => undefined);
  const abort = () => socket.destroy(new SessionFailure('the deadline passed'));
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  if (signal.aborted) abort();
}

async function secure(socket: Socket, { host, sslMode, authority }: PostgresServer, signal: AbortSignal) {
  socket.write(TLS_REQUEST);
  const answer = String(await happens(socket, 'data'));
  // More than the one letter would be somebody's who is not behind the TLS.
  if (answer !== 'S' && answer !== 'N') throw new SessionFailure(`what answers at ${authority} is not PostgreSQL`);
  if (answer === 'N' && sslMode === 'prefer') return socket;
  if (answer === 'N') throw new SessionFailure(`${authority} does not offer TLS`);
  // libpq checks certificates only where it is told to.
  const name = isIP(host) === 0 ? { servername: host } : {};
  const secured = connectTls({ socket, host, ...name, rejectUnauthorized: sslMode === 'verify-full' });
  destroyAtDeadline(secured, signal);
  await happens(secured, 'secureConnect');
  return secured;
}

function happens(socket: Socket, event: 'connect' | 'secureConnect' | 'data'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new SessionFailure('the connection was closed'));
    socket.once('error', reject).once('close', closed);
    socket.once(event, (value: unknown) => {
      socket.off('error', reject).off('close', closed);
      resolve(value);
    });
  });
}

function capped(socket: Socket): void {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) socket.destroy(new SessionFailure(`the answer is larger than ${MAX_BYTES >> 20} MiB`));
  });
}

/** The driver wants to connect what it is given: this one is connected already. */
function asNew(socket: Socket): Socket {
  return Object.assign(socket, {
    connect() {
      process.nextTick(() => socket.emit('connect'));
      return socket;
    },
  });
}
