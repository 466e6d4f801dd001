/** `brainstem backup` and `brainstem restore`: all that a store holds, in one file that any store of ours can be made from. */
import { createReadStream, createWriteStream } from 'node:fs';
import { access, constants, rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { ConflictError, codeOf, messageOf, UsageError } from '../errors.ts';
import type { Settings } from '../model.ts';
import type { Clock, Log } from '../ports.ts';
import { type RowCounts, readLines } from '../store/backup/format.ts';
import { openStore, restoreBackup, type StoreOptions } from '../store/open.ts';
import { type Client, NoDaemonError } from './client.ts';
import type { CliIo } from './io.ts';
import { table } from './print.ts';

export interface BackupArguments {
  readonly file: string;
  /** Replace the file that is there. */
  readonly force: boolean;
  /** A running daemon writes it. */
  readonly client: Client;
  /** Absent: only that daemon will do. Else it is made from the store itself while no daemon runs. */
  readonly settings?: () => Promise<Settings>;
  readonly clock: Clock;
}

/**
 * Exit code 0. The file is there whole and read back, or as it was. Errors: UsageError when there is one and `force` is not set,
 * NoDaemonError, RefusedError, those of the store.
 */
export async function backup({ file, force, client, settings, clock }: BackupArguments, io: CliIo): Promise<number> {
  await assertFree(file, force);
  const draft = `${file}.part`;
  try {
    await writeBackup(client, draft).catch(async (error: unknown) => {
      if (settings === undefined || !(error instanceof NoDaemonError) || error.code !== 'no_daemon') throw error;
      await writeFromStore(storeOptions(await settings(), clock), draft);
    });
    const counts = await countRows(draft);
    await rename(draft, file);
    io.out(`${countTable(counts, io)}${file} holds all of it\n`);
    return 0;
  } finally {
    await rm(draft, { force: true });
  }
}

/** An older backup may be the better one. */
async function assertFree(file: string, force: boolean): Promise<void> {
  const found = await stat(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new UsageError('backup_failed', `${file} cannot be written: ${messageOf(error)}`, { cause: error });
  });
  if (found?.isDirectory()) throw new UsageError('file_is_folder', `${file} is a folder: name a file in it`);
  if (found === undefined || force) return;
  throw new UsageError('file_exists', `${file} exists already: name another, or add --force to replace it`);
}

async function writeBackup(client: Client, draft: string): Promise<void> {
  await write(await client.download('/api/v1/backup'), draft);
}

async function writeFromStore(options: StoreOptions, draft: string): Promise<void> {
  const store = await openStore(options);
  try {
    await write(store.backup(), draft);
  } finally {
    await store.close();
  }
}

/** For its owner alone: it holds everything that was ever said of the incidents. */
async function write(bytes: AsyncIterable<Uint8Array>, draft: string): Promise<void> {
  await rm(draft, { force: true });
  try {
    await pipeline(bytes, createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }));
  } catch (cause) {
    throw new UsageError('backup_failed', `${draft} could not be written: ${messageOf(cause)}`, { cause });
  }
}

async function countRows(file: string): Promise<RowCounts> {
  let counts: RowCounts = {};
  for await (const line of readLines(createReadStream(file))) if ('end' in line) counts = line.counts;
  return counts;
}

export interface RestoreArguments {
  readonly file: string;
  readonly settings: Settings;
  /** Whatever the store holds goes. */
  readonly force: boolean;
  readonly clock: Clock;
}

/** Exit code 0. All of it is restored, or nothing is changed. Errors: UsageError, ConflictError, those of the store. */
export async function restore({ file, settings, force, clock }: RestoreArguments, io: CliIo): Promise<number> {
  await assertReadable(file);
  const options = storeOptions(settings, clock);
  const counts = await restoreBackup(options, { read: () => createReadStream(file), force }).catch((cause: unknown) => {
    if (codeOf(cause) !== 'store_locked') throw cause;
    throw new ConflictError('daemon_running', `${messageOf(cause)}. Stop it, then restore`, { cause });
  });
  io.out(`${countTable(counts, io)}restored and counted: ${file}\n`);
  return 0;
}

async function assertReadable(file: string): Promise<void> {
  try {
    await access(file, constants.R_OK);
    if ((await stat(file)).isFile()) return;
  } catch (cause) {
    throw new UsageError('no_such_file', `${file} cannot be read (${codeOf(cause)})`, { cause });
  }
  throw new UsageError('no_file', `${file} is no regular file, which can be read twice`);
}

function storeOptions({ home, store }: Settings, clock: Clock): StoreOptions {
  return { home, ...store, clock, log: SILENT };
}

/** What opening a store tells its daemon is not what the command was asked. */
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

function countTable(counts: RowCounts, io: CliIo): string {
  return table(
    io,
    ['table', 'rows'],
    Object.entries(counts).map(([name, count]) => [name, String(count)]),
  );
}
