/** A real Redis 7 of a test's own, on a free port of loopback: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const runFile = promisify(execFile);

export interface RedisServer {
  readonly port: number;
  readonly pid: number | undefined;
  /** `redis://127.0.0.1:PORT`. */
  readonly url: string;
  /** Runs a command with redis-cli and resolves to its output. */
  cli(...command: string[]): Promise<string>;
  /** It loads its data from now on, for minutes: until it is killed. Needs `--enable-debug-command local`. */
  load(): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** @param settings further arguments, such as `['--maxmemory', '2mb']`. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const port = await freePort();
  const cli = async (...command: string[]) =>
    (await runFile('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...command])).stdout.trim();
  const server = serverProcess({
    command: 'redis-server',
    arguments: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
      ...settings,
    ],
    ready: async () => (await cli('PING')) !== '',
  });
  const redis: RedisServer = {
    port,
    get pid() {
      return server.pid;
    },
    url: `redis://127.0.0.1:${port}`,
    cli,
    async load() {
      await cli('DEBUG', 'POPULATE', '20000');
      await cli('CONFIG', 'SET', 'key-load-delay', '10000', 'loading-process-events-interval-bytes', '1024');
      // It ends with an error: with the server.
      void cli('DEBUG', 'RELOAD').catch(() => undefined);
    },
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
    return redis;
  } catch (error) {
    await redis.stop();
    throw error;
  }
}
