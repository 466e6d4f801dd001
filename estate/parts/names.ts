/**
 * A name server with the domains of the estate, and a TLS server for each of them, with certificates of several ages. The daemon runs
 * with a file of hosts of its own, in a mount namespace, so that it finds them where it looks: at port 443.
 */

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { freePort } from '../../test/estate/daemon.ts';
import { createAuthority } from '../../test/estate/hostile-certificates.ts';
import { accepts, serverProcess } from '../../test/estate/server-process.ts';
import type { Ground, Part, StartedPart } from '../part.ts';

/** Days that the certificate of each still lasts. */
const DOMAINS = { 'backend.test': 90, 'myroofgenius.test': 60, 'weathercraft.test': 30, 'task-os.test': 20 };
export type Domain = keyof typeof DOMAINS;

export interface Names extends StartedPart {
  /** Program and arguments before those of the daemon. */
  readonly before: readonly string[];
  /** Of the daemon's process, not of .env. */
  readonly processEnvironment: Readonly<Record<string, string>>;
  /** Names that the server does not know from now on; none: it knows all. */
  forget(...domains: readonly Domain[]): Promise<void>;
  /** The name server ends. */
  end(): Promise<void>;
  /** Shows a certificate that lasts so many more days; negative: that has ended. */
  certify(domain: Domain, days: number): Promise<void>;
  /** All as it was. */
  mend(): Promise<void>;
}

async function start({ folder }: Ground): Promise<Names> {
  const authority = await createAuthority();
  const servers = new Map<string, Server>();
  let issued = 0;
  const issue = (domain: string, days: number) => {
    issued += 1;
    const age = days < 0 ? { days: 1, agoDays: 1 - days } : { days };
    return authority.issue(`${domain}-${issued}`, { names: `DNS:${domain}`, ...age });
  };
  const hosts = ['127.0.0.1 localhost'];
  for (const [index, [domain, days]] of Object.entries(DOMAINS).entries()) {
    const server = createServer(await issue(domain, days), (socket) => socket.on('error', () => undefined).end());
    server.on('tlsClientError', () => undefined);
    hosts.push(`${await listenSomewhere(server, 10 + 20 * index)} ${domain}`);
    servers.set(domain, server);
  }
  await writeFile(join(folder, 'hosts'), `${hosts.join('\n')}\n`);
  const dns = await startNames();
  const certify = async (domain: Domain, days: number) =>
    servers.get(domain)?.setSecureContext(await issue(domain, days));
  return {
    before: ['unshare', '--mount', 'sh', '-c', `mount --bind '${join(folder, 'hosts')}' /etc/hosts && exec "$@"`, 'sh'],
    processEnvironment: { NODE_EXTRA_CA_CERTS: join(authority.folder, 'ca.pem') },
    ...{ certify, forget: dns.serve, end: dns.end },
    async mend() {
      await dns.serve();
      for (const [domain, days] of Object.entries(DOMAINS)) await certify(domain as Domain, days);
    },
    environment: {
      ...{ BACKEND_DOMAIN: 'backend.test', MYROOFGENIUS_DOMAIN: 'myroofgenius.test' },
      ...{ WEATHERCRAFT_DOMAIN: 'weathercraft.test', TASK_OS_DOMAIN: 'task-os.test', DNS_SERVER: dns.address },
      ...{ UPLINK_HOST: '127.0.0.1', UPLINK_NAME: 'uplink.test', UPLINK_DNS_SERVER: dns.address },
    },
    async stop() {
      await dns.end();
      await Promise.all([...servers.values()].map((server) => new Promise((closed) => server.close(closed))));
      await authority.remove();
    },
  };
}

/** Port 443 is fixed; which address of loopback it is at is not. */
async function listenSomewhere(server: Server, first: number): Promise<string> {
  for (let last = first; last < first + 20; last += 1) {
    const address = `127.0.9.${last}`;
    server.listen(443, address);
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]);
    if (isFree) return address;
  }
  throw new Error(`port 443 is taken at 127.0.9.${first} and beyond`);
}

async function startNames() {
  const port = await freePort();
  let process = nameServer(port, []);
  const end = () => process.end('SIGKILL');
  await process.start();
  return {
    address: `127.0.0.1:${port}`,
    end,
    async serve(...forgotten: readonly string[]) {
      await end();
      process = nameServer(port, forgotten);
      await process.start();
    },
  };
}

function nameServer(port: number, forgotten: readonly string[]) {
  const names = [...Object.keys(DOMAINS), 'uplink.test'].filter((name) => !forgotten.includes(name));
  return serverProcess({
    command: '/usr/sbin/dnsmasq',
    arguments: [
      ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', `--port=${port}`, '--local-ttl=1'],
      ...['--listen-address=127.0.0.1', '--bind-interfaces', '--pid-file='],
      ...names.map((name) => `--address=/${name}/127.0.0.9`),
      ...forgotten.map((name) => `--address=/${name}/`),
    ],
    ready: () => accepts(port),
  });
}

export const names: Part<Names> = {
  summary: 'A name server, and four domains with certificates of several ages',
  needs: {
    'dnsmasq-base': '/usr/sbin/dnsmasq',
    faketime: '/usr/bin/faketime',
    openssl: '/usr/bin/openssl',
    'iputils-ping': '/usr/bin/ping',
  },
  hindrance: () => (process.getuid?.() === 0 ? undefined : 'port 443 and a mount namespace need root'),
  start,
};
