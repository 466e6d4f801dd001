/** Name servers on loopback: a real one with a zone of its own, and one that never answers. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { sleep } from './hostile-network.ts';

export interface NameServer {
  /** `127.0.0.1:port` */
  readonly address: string;
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
  return { address, stop };
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
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([address]);
  for (;;) {
    const code = await resolver.resolve4('ready.test').then(
      () => 'OK',
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== 'ECONNREFUSED' && code !== 'ETIMEOUT') return;
    await sleep(20);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
