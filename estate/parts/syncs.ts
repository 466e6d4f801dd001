/** Two jobs that ping the daemon when they are done, and a program that must run. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverProcess } from '../../test/estate/server-process.ts';
import type { Ground, Part, StartedPart } from '../part.ts';

const EVERY_MS = 2_000;

export interface Syncs extends StartedPart {
  /** Whether the database sync runs by itself. */
  schedule(runs: boolean): void;
  /** The program that must run ends, and runs again. */
  endScheduler(): Promise<void>;
  startScheduler(): Promise<void>;
}

/** What the job is: its address, and a ping at its end. */
const scriptOf = (url: string) => `#!/bin/sh
exec "${process.execPath}" -e 'fetch(process.argv[1]).then(({ ok }) => process.exit(ok ? 0 : 1))' "${url}"
`;

async function start({ folder, daemonPort }: Ground): Promise<Syncs> {
  const url = (key: string) => `http://127.0.0.1:${daemonPort}/ping/${key}`;
  const [database, notion] = [join(folder, 'database-sync.sh'), join(folder, 'notion-sync.sh')];
  await writeFile(database, scriptOf(url('estate-database-sync')));
  await writeFile(notion, scriptOf(url('estate-notion-sync')));
  for (const script of [database, notion]) await chmod(script, 0o755);
  let runs = true;
  // Before the daemon runs and after it has ended nobody listens.
  const ping = (key: string) => void fetch(url(key), { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  const timer = setInterval(() => {
    if (runs) ping('estate-database-sync');
    ping('estate-notion-sync');
  }, EVERY_MS);
  const log = join(folder, 'estate-scheduler.log');
  await writeFile(log, '');
  const scheduler = serverProcess({ command: 'tail', arguments: ['-f', log], ready: async () => true });
  await scheduler.start();
  let isThere = true;
  return {
    schedule(given) {
      runs = given;
    },
    async endScheduler() {
      await scheduler.end('SIGKILL');
      isThere = false;
    },
    async startScheduler() {
      if (!isThere) await scheduler.start();
      isThere = true;
    },
    environment: {
      ...{ DATABASE_SYNC_KEY: 'estate-database-sync', DATABASE_SYNC_PERIOD: '6s', DATABASE_SYNC_GRACE: '3s' },
      ...{ NOTION_SYNC_KEY: 'estate-notion-sync', NOTION_SYNC_PERIOD: '6s', NOTION_SYNC_GRACE: '3s' },
      ...{ DATABASE_SYNC_SCRIPT: database, NOTION_SYNC_SCRIPT: notion },
      HOST_PROCESS_PATTERN: `tail -f ${log}`,
    },
    async stop() {
      clearInterval(timer);
      await scheduler.end('SIGKILL');
    },
  };
}

export const syncs: Part<Syncs> = { summary: 'Two syncs that ping, and a program that must run', needs: {}, start };
