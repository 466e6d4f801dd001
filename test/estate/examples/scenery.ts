/** What the example of a probe type needs around it to come true on this machine. */
import type { Server, Socket } from 'node:net';

export interface Scenery {
  /** What the example says, and what stands there instead: only where its target is found here. */
  readonly moved?: readonly (readonly [said: string, here: string])[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Further files of the home, by their paths. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Has something done when the example is over; what was asked for last is done first. */
export type Later = (end: () => unknown) => void;

/** Starts what the example needs. What it started is ended by `later`, also when it fails. */
export type SetScene = (later: Later) => Promise<Scenery>;

/** Listens on a free port of loopback until the example is over. */
export async function serve(server: Server, later: Later): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', listening);
  });
  later(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
