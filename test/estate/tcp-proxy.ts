/** A TCP proxy on loopback that can be slow, or keep everything to itself as a cut cable does. */
import { once } from 'node:events';
import { createServer, type Socket, connect as tcpConnect } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Nothing that either side sends arrives any more, and nobody is told; new connections are accepted and stay silent. */
  swallow(): void;
  /** What was swallowed is lost: connections of before stay dead, new ones work. */
  restore(): void;
  /** Every message arrives this much later. */
  delay(ms: number): void;
  /** Resets every connection. */
  cut(): void;
  stop(): Promise<void>;
}

interface Pair {
  readonly sockets: readonly [Socket, Socket];
  isDead: boolean;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let isSwallowing = false;
  let delayMs = 0;
  const server = createServer((client) => {
    const target = tcpConnect(targetPort, '127.0.0.1');
    const pair: Pair = { sockets: [client, target], isDead: isSwallowing };
    pairs.add(pair);
    forward(pair, client, target);
    forward(pair, target, client);
  });

  function forward(pair: Pair, from: Socket, to: Socket): void {
    const later = (work: () => void) => {
      if (delayMs === 0) work();
      else setTimeout(work, delayMs);
    };
    from.on('data', (bytes) => {
      if (!pair.isDead) later(() => to.write(bytes));
    });
    // An error is followed by `close`.
    from.on('error', () => undefined);
    from.on('close', () => {
      if (pair.isDead) return;
      pairs.delete(pair);
      later(() => to.destroy());
    });
  }

  function cut(): void {
    for (const { sockets } of pairs) for (const socket of sockets) socket.resetAndDestroy();
    pairs.clear();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    swallow() {
      isSwallowing = true;
      for (const pair of pairs) pair.isDead = true;
    },
    restore() {
      isSwallowing = false;
    },
    delay(ms) {
      delayMs = ms;
    },
    cut,
    async stop() {
      cut();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
