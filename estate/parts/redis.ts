/** Redis 7 with a limit to its memory. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

const runFile = promisify(execFile);

export interface Redis extends StartedPart {
  readonly server: Server;
  readonly port: number;
  /** Runs a command with redis-cli and resolves to its output. */
  cli(...command: string[]): Promise<string>;
  /** A script runs in it until it is killed. */
  holdUp(): Promise<void>;
  /** Its limit becomes what it uses. */
  fill(): Promise<void>;
}

async function start({ engine }: Ground): Promise<Redis> {
  const port = await freePort();
  const cli = async (...command: string[]) =>
    (await runFile('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...command])).stdout.trim();
  const server = await engine.run({
    name: 'estate-redis',
    argv: [
      ...(['/usr/bin/redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', '/tmp'] as const),
      ...['--save', '', '--appendonly', 'no', '--maxmemory', '64mb', '--maxmemory-policy', 'noeviction'],
    ],
    ready: async () => (await cli('PING')) === 'PONG',
  });
  return {
    ...{ server, port, cli },
    async holdUp() {
      await cli('CONFIG', 'SET', 'busy-reply-threshold', '100');
      // It ends with an error: when it is killed, or with the server.
      void cli('EVAL', 'while true do end', '0').catch(() => undefined);
    },
    async fill() {
      const used = /used_memory:(\d+)/.exec(await cli('INFO', 'memory'))?.[1] ?? '';
      await cli('CONFIG', 'SET', 'maxmemory', used);
    },
    environment: given({
      ...{ REDIS_CONTAINER: server.container, REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) },
      REDIS_URL: `redis://127.0.0.1:${port}/0`,
    }),
    stop: () => server.stop(),
  };
}

export const redis: Part<Redis> = {
  summary: 'Redis 7',
  needs: { 'redis-server': '/usr/bin/redis-server' },
  start,
};
