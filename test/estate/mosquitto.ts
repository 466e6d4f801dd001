/** A real Mosquitto 2 of a test's own, on a free port of loopback: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { accepts, serverProcess } from './server-process.ts';

const runFile = promisify(execFile);

interface MosquittoUser {
  readonly user: string;
  readonly password: string;
}

export interface Mosquitto {
  readonly port: number;
  /** `mqtt://127.0.0.1:PORT`. */
  readonly url: string;
  /** Publishes a message that stays on its topic. */
  retain(topic: string, message: string, as?: MosquittoUser): Promise<void>;
  /** Publishes a message for those who listen now. */
  publish(topic: string, message: string): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface MosquittoSetup {
  /** Passwords by user; without any, everybody is let in. */
  readonly users?: Readonly<Record<string, string>>;
  /** Lines of its list of permissions. */
  readonly permissions?: readonly string[];
  /** Further lines of its configuration. */
  readonly settings?: readonly string[];
}

export async function startMosquitto(setup: MosquittoSetup = {}): Promise<Mosquitto> {
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-'));
  const port = await freePort();
  await writeFile(join(folder, 'mosquitto.conf'), (await configure(folder, port, setup)).join('\n'));
  const server = serverProcess({
    command: '/usr/sbin/mosquitto',
    arguments: ['-c', join(folder, 'mosquitto.conf')],
    ready: () => accepts(port),
  });
  const send = async (...argv: string[]) => {
    await runFile('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(port), '-q', '1', ...argv]);
  };
  const mosquitto: Mosquitto = {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    retain: (topic, message, as) =>
      send('-r', '-t', topic, '-m', message, ...(as ? ['-u', as.user, '-P', as.password] : [])),
    publish: (topic, message) => send('-t', topic, '-m', message),
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async stop() {
      await server.end('SIGTERM');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await server.start();
    return mosquitto;
  } catch (error) {
    await mosquitto.stop();
    throw error;
  }
}

async function configure(folder: string, port: number, setup: MosquittoSetup): Promise<string[]> {
  const { users = {}, permissions, settings = [] } = setup;
  const lines = [`listener ${port} 127.0.0.1`, 'persistence false', 'sys_interval 1', 'user root'];
  const passwords = Object.entries(users);
  lines.push(`allow_anonymous ${passwords.length === 0}`);
  if (passwords.length > 0) {
    const file = join(folder, 'passwords');
    await writeFile(file, passwords.map(([user, password]) => `${user}:${password}\n`).join(''));
    await runFile('mosquitto_passwd', ['-U', file]);
    lines.push(`password_file ${file}`);
  }
  if (permissions) {
    await writeFile(join(folder, 'permissions'), `${permissions.join('\n')}\n`);
    lines.push(`acl_file ${join(folder, 'permissions')}`);
  }
  return [...lines, ...settings, ''];
}
