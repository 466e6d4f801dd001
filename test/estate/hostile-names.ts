/** Name servers on loopback: a real one with a zone of its own, and one that never answers. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { sleep } from './hostile-network.ts';
import { serverProcess } from './server-process.ts';

export interface NameServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  signal(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** dnsmasq with these records, such as `--address=/a.test/127.0.0.9`; stopped when the test ends. */
export async function startNameServer(...records: string[]): Promise<NameServer> {
  const port = await freePort();
  const fixed = ['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file='];
  const local = ['--listen-address=127.0.0.1', '--bind-interfaces', '--local-ttl=1', `--port=${port}`];
  const child = spawn('dnsmasq', [...fixed, ...local, ...records], { stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(stop);
  const address = `127.0.0.1:${port}`;
  await answers(address);
  return { address, stop, signal: (signal) => void child.kill(signal) };
}

export interface Unbound {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** The same for DNS over TLS, when it was started with a certificate. */
  readonly tlsAddress: string;
}

/** unbound as the authority for `zone.test`, with a certificate of `folder` when one is named. */
export async function startUnbound(folder?: string, certificate?: string): Promise<Unbound> {
  const own = await mkdtemp(join(tmpdir(), 'brainstem-unbound-'));
  onTestFinished(() => rm(own, { recursive: true, force: true }));
  const [port, tlsPort] = [await freePort(), await freePort()];
  const tls = [
    `interface: 127.0.0.1@${tlsPort}`,
    `tls-port: ${tlsPort}`,
    `tls-service-key: "${folder}/${certificate}.key"`,
    `tls-service-pem: "${folder}/${certificate}.pem"`,
  ];
  const settings = [
    'username: ""',
    'chroot: ""',
    `directory: "${own}"`,
    'pidfile: ""',
    'use-syslog: no',
    'do-daemonize: no',
    'module-config: "iterator"',
    'local-zone: "test." nodefault',
    `interface: 127.0.0.1@${port}`,
    ...(folder === undefined ? [] : tls),
  ];
  await writeFile(
    join(own, 'unbound.conf'),
    `server:\n${settings.map((line) => `  ${line}\n`).join('')}auth-zone:\n  name: "zone.test"\n  zonefile: "${own}/zone"\n`,
  );
  const soa = 'zone.test. 60 IN SOA ns.zone.test. root.zone.test. 2026112801 3600 600 86400 60';
  await writeFile(join(own, 'zone'), `${soa}\nzone.test. 60 IN NS ns.zone.test.\nns.zone.test. 60 IN A 127.0.0.1\n`);
  const server = serverProcess({
    command: 'unbound',
    arguments: ['-d', '-p', '-c', join(own, 'unbound.conf')],
    ready: async () => (await codeOf(`127.0.0.1:${port}`)) !== 'ECONNREFUSED',
  });
  onTestFinished(() => server.end('SIGKILL'));
  await server.start();
  return { address: `127.0.0.1:${port}`, tlsAddress: `127.0.0.1:${tlsPort}` };
}

/** A UDP port that swallows every question. Counts them. */
export async function startSilentNameServer(): Promise<{ readonly address: string; questions(): number }> {
  const socket = createSocket('udp4');
  let questions = 0;
  socket.on('message', () => {
    questions += 1;
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    socket.close();
  });
  return { address: `127.0.0.1:${socket.address().port}`, questions: () => questions };
}

/** Any answer will do, also a refusal. */
async function answers(address: string): Promise<void> {
  for (;;) {
    const code = await codeOf(address);
    if (code !== 'ECONNREFUSED' && code !== 'ETIMEOUT') return;
    await sleep(20);
  }
}

/** How a question to this server ends. */
async function codeOf(address: string): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([address]);
  return await resolver.resolve4('ready.test').then(
    () => 'OK',
    (error: NodeJS.ErrnoException) => error.code,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
