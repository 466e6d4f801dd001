/** Opens the store of a home: the PostgreSQL of its settings, or the SQLite file in it. */
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppError, codeOf, messageOf, PermanentError } from '../errors.ts';
import type { Clock, Log, Store } from '../ports.ts';
import type { RowCounts } from './backup/format.ts';
import type { Engine } from './engine.ts';
import type { Election } from './postgres/election.ts';
import { WorkerClient } from './sqlite/client.ts';
import { sqliteEngine } from './sqlite/engine.ts';
import { checkBackup, createStore, restoreStore } from './store.ts';

export interface StoreOptions {
  /** Absolute path. The file is `<home>/data/brainstem.db`; folder and file are for their owner alone. */
  readonly home: string;
  /** `postgres://…`: all is kept there, and nothing in the home. */
  readonly url?: string;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The connection to PostgreSQL was lost, and with it the hold on the database: from now on another daemon may take it, and
   * nothing can be written before it was taken again, which the next call tries. Called once for each loss.
   */
  onLost?(error: AppError): void;
  /** Of the brain among several daemons on one PostgreSQL: what is held by another is waited for. */
  readonly election?: Election;
}

interface Opened {
  /** What the log calls it. Never with a password. */
  readonly where: { readonly file: string } | { readonly database: string };
  readonly engine: Engine;
}

/**
 * Creates what is not there, checks it, takes hold of it, and brings it to the present schema.
 * PermanentError: `store_locked` (another daemon holds it, without an election), `store_damaged`, `schema_newer`, `store_unwritable`,
 * `store_refused` (a wrong password, no such database), `store_unsupported`. RetryableError: `store_away`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { clock, log } = options;
  const startedAt = clock.monotonic();
  const { engine, where } = await openEngine(options);
  const { store, schema } = await createStore(engine, clock);
  if (schema.from !== schema.to) log.info('store_migrated', { ...where, ...schema });
  log.info('store_opened', { ...where, schema: schema.to, ms: Math.round(clock.monotonic() - startedAt) });
  return store;
}

/**
 * Puts a backup in the place of all that the store of a home holds, or changes nothing. Resolves to the rows of each table.
 * The file is read twice: whoever has the wrong one hears that before anything is asked of the store.
 * Errors: as `openStore`; UsageError `backup_unreadable`; ConflictError `store_not_empty` without `force`.
 */
export async function restoreBackup(
  options: StoreOptions,
  { read, force }: { read(): AsyncIterable<Uint8Array>; readonly force: boolean },
): Promise<RowCounts> {
  await checkBackup(read());
  const { engine } = await openEngine(options, RESTORE_DEADLINE_MS);
  return restoreStore(engine, options.clock, { file: read(), force });
}

/** Of one statement: a day of a large estate takes a while to be counted. */
const RESTORE_DEADLINE_MS = 10 * 60_000;

function openEngine(options: StoreOptions, deadlineMs?: number): Promise<Opened> {
  return options.url === undefined ? openFile(options.home) : openDatabase(options.url, options, deadlineMs);
}

/** Nothing of PostgreSQL is loaded before it is needed. */
async function openDatabase(
  url: string,
  { clock, log, onLost, election }: StoreOptions,
  deadlineMs?: number,
): Promise<Opened> {
  const { PostgresSession } = await import('./postgres/session.ts');
  const { postgresEngine } = await import('./postgres/engine.ts');
  const session = await PostgresSession.open({
    url,
    clock,
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(election && { election }),
    onLost(error) {
      log.warn('store_lost', { error });
      onLost?.(error);
    },
  });
  return { engine: postgresEngine(session), where: { database: session.place } };
}

async function openFile(home: string): Promise<Opened> {
  const folder = join(home, 'data');
  const file = join(folder, 'brainstem.db');
  await makeFolder(folder);
  await checkAccess(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  await checkAccess(file, constants.R_OK | constants.W_OK);
  return { engine: sqliteEngine(await WorkerClient.open(file)), where: { file } };
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
