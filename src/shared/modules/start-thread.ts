/** How a thread for modules is started: with little memory, and with nothing of the daemon's own environment. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { childEnvironment } from '../child-environment.ts';
import type { ThreadData } from './protocol.ts';

/** Of JavaScript values; more ends the thread, not the daemon. */
const HEAP_MB = 64;

export function startThread(data: ThreadData, environment: Readonly<Record<string, string | undefined>>): Worker {
  return new Worker(createRequire(import.meta.url).resolve('#module-worker'), {
    workerData: data,
    env: { ...childEnvironment(environment, {}) },
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 8, stackSizeMb: 4 },
    // Nobody reads these: what a module prints is sent as a message (voice.ts).
    stdout: true,
    stderr: true,
  });
}
