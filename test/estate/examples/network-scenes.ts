/** Scenes of what is asked over other protocols of the network. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { freePort } from '../daemon.ts';
import { createAuthority } from '../hostile-certificates.ts';
import { startMailServer } from '../mail-server.ts';
import { accepts, serverProcess } from '../server-process.ts';
import { type SetScene, serve } from './scenery.ts';

export const dnsScene: SetScene = async (later) => {
  const port = await freePort();
  const server = serverProcess({
    command: 'dnsmasq',
    arguments: [
      ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--port=${port}`],
      ...['--listen-address=127.0.0.1', '--bind-interfaces', '--mx-host=example.org,mail.example.org,10'],
    ],
    ready: () => accepts(port),
  });
  later(() => server.end('SIGTERM'));
  await server.start();
  return { moved: [['127.0.0.1:53', `127.0.0.1:${port}`]] };
};

export const tlsScene: SetScene = async (later) => {
  const authority = await createAuthority();
  later(authority.remove);
  const pair = await authority.issue('mail', { names: 'DNS:mail.example.org', days: 60 });
  const server = createTlsServer(pair);
  server.on('tlsClientError', () => undefined);
  const port = await serve(server, later);
  return { moved: [['port: 993', `port: ${port}, ca: "${join(authority.folder, 'ca.pem')}"`]] };
};

export const udpScene: SetScene = async (later) => {
  const server = createSocket('udp4');
  server.on('message', (_question, { port, address }) => server.send('players 7\n', port, address));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  later(() => new Promise<void>((closed) => server.close(closed)));
  return { moved: [['port: 27960', `port: ${server.address().port}`]] };
};

export const smtpScene: SetScene = async (later) => {
  const server = await startMailServer();
  later(server.close);
  return { moved: [['127.0.0.1:2525', `127.0.0.1:${server.port}`]] };
};

export const groupScene: SetScene = async (later) => {
  const [one, two] = [await serve(createServer(), later), await serve(createServer(), later)];
  return {
    moved: [
      ['port: 8081', `port: ${one}`],
      ['port: 8082', `port: ${two}`],
    ],
  };
};
