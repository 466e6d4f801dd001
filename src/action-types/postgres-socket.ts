/** A connection to a PostgreSQL server, secured as its URL says, and gone at the deadline. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ExchangeFailure } from '../shared/exchange-failure.ts';
import { agreesOnTls } from '../shared/postgres-client.ts';
import type { PostgresServer } from '../shared/postgres-url.ts';

/** Errors: those of the socket, ExchangeFailure. At the abort of the signal the socket is destroyed. */
export async function openConnection(server: PostgresServer, signal: AbortSignal): Promise<Socket> {
  const { host, port, sslMode = 'prefer' } = server;
  const socket = connectTcp({ host, port });
  destroyAtDeadline(socket, signal);
  try {
    await happens(socket, 'connect');
    if (!(await agreesOnTls(socket, sslMode))) return socket;
    // libpq checks certificates only where it is told to.
    const name = isIP(host) === 0 ? { servername: host } : {};
    const secured = connectTls({ socket, host, ...name, rejectUnauthorized: sslMode === 'verify-full' });
    destroyAtDeadline(secured, signal);
    await happens(secured, 'secureConnect');
    return secured;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function destroyAtDeadline(socket: Socket, signal: AbortSignal): void {
  // Whoever waits for it is told; between two waits nobody is, and it is no reason to end the daemon.
  socket.on('error', () => undefined);
  const abort = () => socket.destroy(new ExchangeFailure('connection_closed', 'the deadline passed'));
  signal.addEventListener('abort', abort, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', abort));
  if (signal.aborted) abort();
}

function happens(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new ExchangeFailure('connection_closed', 'the connection was closed'));
    socket.once('error', reject).once('close', closed);
    socket.once(event, () => {
      socket.off('error', reject).off('close', closed);
      resolve();
    });
  });
}
