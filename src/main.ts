#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --heap-growing-percent=20 --v8-pool-size=1 --no-sparkplug
/**
 * argv and signals, nothing else.
 *
 * What stands above (and in `npm start`) keeps V8's heap close to what lives, and the C heap in one piece for all threads: a
 * probe's objects live for milliseconds, and with 1,000 probes the process would grow by 85 MB more (docs/performance.md).
 */
import { createRequire } from 'node:module';
import { uptime } from 'node:os';
import { compactHeap } from './cli/heap.ts';
import type { CliIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const io: CliIo = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  environment: process.env,
  isTerminal: process.stdout.isTTY === true,
  color: process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined,
};

/** Who reads along may leave early (`brainstem status | head -1`): that is no error. Output that is lost otherwise is one. */
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') return;
  io.err(`brainstem: its output could not be written: ${message}\n`);
  process.exitCode = 1;
});
// Without standard error there is nowhere left to complain.
process.stderr.on('error', () => undefined);

const terminated = new Promise<NodeJS.Signals>((resolve) => {
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
});

const exitCode = await runProgram(process.argv.slice(2), io, {
  version,
  clock: { now: Date.now, monotonic: () => performance.now() },
  random: Math.random,
  process: {
    pid: process.pid,
    cpuMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },
    uptimeMs: () => uptime() * 1_000,
    memoryBytes: () => process.memoryUsage.rss(),
    compactHeap,
  },
  terminated,
  onHangup: (reload) => void process.on('SIGHUP', reload),
});
process.exitCode ||= exitCode;
