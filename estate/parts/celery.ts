/** Celery 5 with a broker of its own and one worker; nobody works off the queue `reports`. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CELERY_APPLICATION } from '../../test/estate/celery.ts';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

const runFile = promisify(execFile);
const PYTHON = '/usr/bin/python3';

export interface Celery extends StartedPart {
  readonly worker: Server;
  /** Sends so many tasks to `reports`. */
  pile(count: number): Promise<void>;
  /** Empties `reports`. */
  clear(): Promise<void>;
}

async function start({ engine, folder: home }: Ground): Promise<Celery> {
  const folder = join(home, 'celery');
  await mkdir(folder);
  await writeFile(join(folder, 'app.py'), CELERY_APPLICATION);
  const port = await freePort();
  const cli = async (...command: string[]) =>
    (await runFile('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...command])).stdout.trim();
  const broker = await engine.run({
    name: 'estate-broker',
    argv: ['/usr/bin/redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', '/tmp', '--save', ''],
    ready: async () => (await cli('PING')) === 'PONG',
  });
  const url = `redis://127.0.0.1:${port}/0`;
  const environment = { BROKER: url, TRANSPORT: '{}', C_FORCE_ROOT: '1', PYTHONPATH: folder, HOME: '/tmp' };
  const worker = await engine.run({
    name: 'estate-celery',
    argv: [
      ...([PYTHON, '-m', 'celery', '-A', 'app', 'worker', '-n', 'w1@estate', '-c', '1', '-P', 'solo'] as const),
      ...['--without-gossip', '--without-mingle', '-Q', 'celery', '-l', 'info'],
    ],
    environment: { ...environment, PYTHONDONTWRITEBYTECODE: '1' },
    folders: [folder],
    // It subscribes to what it can be asked by, as a pattern.
    ready: async () => (await cli('PUBSUB', 'NUMPAT')) !== '0',
  });
  return {
    worker,
    async pile(count) {
      const program = 'import app, sys\napp.send(count=int(sys.argv[1]), queue="reports")';
      await runFile(PYTHON, ['-c', program, String(count)], { env: { ...process.env, ...environment } });
    },
    clear: async () => void (await cli('DEL', 'reports')),
    environment: given({
      ...{ CELERY_CONTAINER: worker.container, CELERY_BROKER_URL: url },
      ...{ CELERY_QUEUES: 'celery,reports', CELERY_DEPTH_LIMIT: '10' },
    }),
    async stop() {
      await worker.stop();
      await broker.stop();
    },
  };
}

export const celery: Part<Celery> = {
  summary: 'Celery 5 on a Redis of its own, with one worker',
  needs: {
    'redis-server': '/usr/bin/redis-server',
    'python3-celery': '/usr/lib/python3/dist-packages/celery/__init__.py',
    'python3-redis': '/usr/lib/python3/dist-packages/redis/__init__.py',
  },
  start,
};
