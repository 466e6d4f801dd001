/** One way to the destination, as long as it holds. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { finished } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Destination, Patience } from './protocol.ts';

export interface Connection {
  /** How much is best sent at once, at least one message. What was begun when it breaks is sent again. */
  readonly pieceBytes: number;
  /** False: another one is needed, although nothing has failed. */
  isUsable(): boolean;
  /** Resolves when this machine's side has taken them; rejects when the connection is lost. */
  send(messages: readonly string[]): Promise<void>;
  /** What was taken goes out first. */
  end(): Promise<void>;
}

const PIECE_BYTES = 8 * 1024;
const KEEP_ALIVE_MS = 60_000;
/** Nothing tells a sender of datagrams that the name means another address by now. */
const ADDRESS_AGE_MS = 5 * 60_000;

/** Rejects when there is no way. */
export function open(destination: Destination, patience: Patience): Promise<Connection> {
  return destination.protocol === 'udp' ? openUdp(destination) : openStream(destination, patience);
}

/** Datagrams: what is on its way may be lost, and nobody hears of it. */
async function openUdp({ host, port }: Destination): Promise<Connection> {
  const { address, family } = await lookup(host);
  const openedAt = performance.now();
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  socket.bind();
  await once(socket, 'listening');
  let failed: Error | undefined;
  socket.on('error', (error) => {
    failed ??= error;
  });
  const send = (message: string) =>
    new Promise<void>((resolve, reject) => {
      socket.send(message, port, address, (error) => (error ? reject(error) : resolve()));
    });
  return {
    pieceBytes: 0,
    isUsable: () => performance.now() - openedAt < ADDRESS_AGE_MS,
    async send(messages) {
      if (failed) throw failed;
      for (const message of messages) await send(message);
    },
    end: () => new Promise((resolve) => socket.close(resolve)),
  };
}

async function openStream(destination: Destination, { connectMs, stallMs }: Patience): Promise<Connection> {
  const socket = await connectStream(destination, connectMs);
  let lost: Error | undefined;
  const lose = (error: Error) => {
    lost ??= error;
    socket.destroy(lost);
  };
  socket.on('error', lose);
  socket.on('end', () => lose(new Error('the other side closed the connection')));
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  // Nothing is expected from there; but unread, it would hide the end.
  socket.resume();
  return {
    pieceBytes: PIECE_BYTES,
    isUsable: () => lost === undefined,
    async send(messages) {
      const stalled = setTimeout(() => lose(new Error(`nothing was taken for ${stallMs} ms`)), stallMs);
      try {
        await new Promise<void>((resolve, reject) => {
          socket.write(`${messages.join('\n')}\n`, (error) => {
            // Node calls back without an error for what was under way when a socket is destroyed.
            if (lost ?? error) reject(lost ?? error);
            else resolve();
          });
        });
      } finally {
        clearTimeout(stalled);
      }
    },
    end: () =>
      new Promise((resolve) => {
        finished(socket, { readable: false }, () => resolve());
        socket.end();
      }),
  };
}

/** A connection on which lines can go out: with TLS, the peer has proven who it is. */
async function connectStream({ protocol, host, port, ca }: Destination, connectMs: number): Promise<Socket> {
  const authorities = ca?.startsWith('/') ? await readFile(ca, 'utf8') : ca;
  const socket =
    protocol === 'tls'
      ? connectTls({ host, port, ...(authorities !== undefined && { ca: authorities }) })
      : connectTcp({ host, port });
  socket.setNoDelay(true);
  const late = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
  try {
    await once(socket, protocol === 'tls' ? 'secureConnect' : 'connect');
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
}
