/** What a stored result costs: processor time on both sides, and bytes on disk; in SQLite and in PostgreSQL. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHome } from '../../test/estate/daemon.ts';
import { startPostgres } from '../../test/estate/postgres.ts';
import type { Figure, Scenario } from '../figure.ts';
import { withCleanups } from '../parts/cleanups.ts';
import { median } from '../parts/statistics.ts';

const PROGRAM = join(import.meta.dirname, '../parts/storing-program.mjs');
const TIMEOUT_MS = 120_000;

interface Measured {
  /** In microseconds per result. */
  readonly cpuUs: readonly { readonly client: number; readonly server: number }[];
  readonly bytes: number;
}

export const storing: Scenario = {
  name: 'storing',
  summary: 'results with two values into SQLite and PostgreSQL, in batches of 200',
  run: () =>
    withCleanups(async (later) => {
      const home = await createHome();
      later(() => home.remove());
      const postgres = await startPostgres();
      later(() => postgres.stop());
      return [
        ...figuresOf(await measure(home.path), 'SQLite, both threads', 'SQLite'),
        ...figuresOf(await measure(home.path, postgres.url()), 'PostgreSQL, client and server', 'PostgreSQL'),
      ];
    }),
};

async function measure(...argv: readonly string[]): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...argv], { timeout: TIMEOUT_MS });
  return JSON.parse(stdout) as Measured;
}

function figuresOf({ cpuUs, bytes }: Measured, who: string, where: string): Figure[] {
  const value = median(cpuUs.map(({ client, server }) => client + server));
  return [
    { name: `CPU per stored result, ${who}`, value, unit: 'µs', most: 15 },
    { name: `stored result with two values, ${where}`, value: bytes, unit: 'B', most: 70 },
  ];
}
