/** Opens the one SQLite file of a home so that nobody else can, and refuses one that cannot be trusted. */
import { closeSync, existsSync, linkSync, openSync, rmSync, statSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import Database from 'libsql';
import { snapshotOf } from './protocol.ts';

/** Stands in the header of every file of ours (`BRNS`), so that an emptied file is never taken for a new one. */
const APPLICATION_ID = 0x42524e53;

/** Pages of this size; SQLite would take a file without one whole page for a new one, and write into it. */
const PAGE_BYTES = 4_096;

/** How long a daemon that was just killed, or is just stopping, may still hold the file. */
const BUSY_TIMEOUT_MS = 3_000;

/** Up to this size the whole file is checked at each start (about 1 s); above it all tables but the results are. */
const WHOLE_CHECK_BYTES = 256 * 2 ** 20;

/** The file is not what it was: `code` tells it apart from what SQLite itself reports. */
class DamagedFile extends Error {
  readonly code = 'SQLITE_CORRUPT';
}

/**
 * The open database, locked, checked, with every setting made.
 * Nothing in this process may open the file besides SQLite: closing any descriptor of it drops the lock (POSIX).
 */
export function openFile(file: string): Database.Database {
  if (!existsSync(file)) createFile(file);
  if (statSync(file).size < PAGE_BYTES) throw new DamagedFile('the file is cut short');
  const database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    lock(database);
    // Left by a backup that was killed: the lock says that none is under way.
    removeFile(snapshotOf(file));
    check(database, statSync(file).size);
    configure(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Makes a file with a header under another name and links it into place, so that the file is never seen without one:
 * a kill at any moment leaves either no file or a good one, and of two daemons only one creates it.
 */
function createFile(file: string): void {
  for (const suffix of ['-wal', '-journal']) {
    if (existsSync(file + suffix)) throw new DamagedFile(`${file}${suffix} is there without its database`);
  }
  const draft = `${file}.${process.pid}.${threadId}.new`;
  removeFile(draft);
  closeSync(openSync(draft, 'wx', 0o600));
  const database = new Database(draft);
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.pragma('auto_vacuum = INCREMENTAL');
  database.pragma(`application_id = ${APPLICATION_ID}`);
  database.pragma('journal_mode = WAL');
  database.close();
  try {
    linkSync(draft, file);
  } catch (error) {
    if (!existsSync(file)) throw error;
  } finally {
    removeFile(draft);
  }
}

function removeFile(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
}

/** Exclusive before the first read, so that no shared-memory file is made; the operating system frees it after a kill. */
function lock(database: Database.Database): void {
  database.pragma('locking_mode = EXCLUSIVE');
  database.exec('BEGIN EXCLUSIVE; COMMIT');
}

function configure(database: Database.Database): void {
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  database.pragma('foreign_keys = ON');
  database.pragma('cache_size = -2048');
  database.pragma('journal_size_limit = 16777216');
}

function check(database: Database.Database, sizeBytes: number): void {
  if (pragma(database, 'application_id') !== APPLICATION_ID) throw new DamagedFile('the file is not a Brainstem store');
  const checks = sizeBytes <= WHOLE_CHECK_BYTES ? ['1'] : decisionTables(database).map((name) => `'${name}'`);
  for (const argument of checks) {
    const finding = pragma(database, `quick_check(${argument})`, 'quick_check');
    if (finding !== 'ok') throw new DamagedFile(String(finding));
  }
}

function decisionTables(database: Database.Database): string[] {
  const rows = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'results_[0-9]*'")
    .raw()
    .all() as [string][];
  return rows.map(([name]) => name);
}

/** The value of a PRAGMA that answers with one row of one column. */
function pragma(database: Database.Database, source: string, column = source): unknown {
  const [row] = database.pragma(source) as Record<string, unknown>[];
  return row?.[column];
}
