/** Opens the store of a home. */
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf, PermanentError } from '../errors.ts';
import type { Clock, Log, Store } from '../ports.ts';
import { WorkerClient } from './sqlite/client.ts';
import { sqliteEngine } from './sqlite/engine.ts';
import { createStore } from './store.ts';

export interface StoreOptions {
  /** Absolute path. The file is `<home>/data/brainstem.db`; folder and file are for their owner alone. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Creates the file when there is none, checks it, and brings it to the present schema.
 * PermanentError: `store_locked` (another daemon holds it), `store_damaged`, `schema_newer`, `store_unwritable`.
 */
export async function openStore({ home, clock, log }: StoreOptions): Promise<Store> {
  const folder = join(home, 'data');
  const file = join(folder, 'brainstem.db');
  const startedAt = clock.monotonic();
  await makeFolder(folder);
  await checkAccess(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  await checkAccess(file, constants.R_OK | constants.W_OK);
  const client = await WorkerClient.open(file);
  const { store, schema } = await createStore(sqliteEngine(client), clock.now());
  if (schema.from !== schema.to) log.info('store_migrated', { file, ...schema });
  log.info('store_opened', { file, schema: schema.to, ms: Math.round(clock.monotonic() - startedAt) });
  return store;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = codeOf(cause) ?? messageOf(cause);
    throw new PermanentError('store_unwritable', `the folder of the store, ${folder}, cannot be made (${why})`, {
      cause,
    });
  }
}

/** SQLite itself only says that it cannot open the file. Nothing is opened here: that would drop a lock on it. */
async function checkAccess(path: string, mode: number): Promise<void> {
  try {
    await access(path, mode);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT') return;
    const advice = 'it and its folder must belong to the user that runs the daemon';
    throw new PermanentError('store_unwritable', `${path} cannot be written (${code}): ${advice}`, { cause });
  }
}
