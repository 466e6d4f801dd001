/** What a stored result costs: processor time on both sides of the worker, and bytes on disk. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHome } from '../../test/estate/daemon.ts';
import type { Scenario } from '../figure.ts';
import { withCleanups } from '../parts/cleanups.ts';
import { median } from '../parts/statistics.ts';

const PROGRAM = join(import.meta.dirname, '../parts/storing-program.mjs');
const TIMEOUT_MS = 120_000;

interface Measured {
  readonly cpuUs: readonly number[];
  readonly bytes: number;
}

export const storing: Scenario = {
  name: 'storing',
  summary: 'results with two values into SQLite, in batches of 100',
  run: () =>
    withCleanups(async (later) => {
      const home = await createHome();
      later(() => home.remove());
      const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, home.path], { timeout: TIMEOUT_MS });
      const { cpuUs, bytes } = JSON.parse(stdout) as Measured;
      return [
        { name: 'CPU per stored result, both threads', value: median(cpuUs), unit: 'µs', most: 15 },
        { name: 'stored result with two values', value: bytes, unit: 'B', most: 70 },
      ];
    }),
};
