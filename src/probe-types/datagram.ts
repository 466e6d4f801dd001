/** A UDP socket that speaks with one address alone, within a run's deadline. */
import { createSocket, type Socket } from 'node:dgram';
import { addressOf, type Endpoint, type Route } from './connection.ts';
import { classify } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import type { NameResolver } from './resolve.ts';
import type { Seen } from './secure.ts';

/**
 * Connected: datagrams of others do not come in, and a refusal (ICMP) does. It comes after something was sent, and ends
 * the step in flight as `connect_refused`.
 */
export async function openDatagram(
  endpoint: Endpoint,
  route: Route,
  line: Lifeline,
  resolver: NameResolver,
  seen: Pick<Seen, 'ip'>,
): Promise<Socket> {
  const address = await addressOf(endpoint.host, route, line, resolver);
  seen.ip = address;
  line.enter('connect');
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  line.hold({ destroy: () => socket.close() });
  socket.on('error', (error) => line.fail(classify(error, 'connect')));
  await line.until<void>((done) => {
    socket.once('connect', done);
    const connect = () => socket.connect(endpoint.port, address);
    if (route.source === undefined) connect();
    else socket.bind(0, route.source, connect);
  });
  return socket;
}
