/** What SQLite reports, as errors that say what the caller does next. */
import { AppError, ConflictError, PermanentError, RetryableError } from '../../errors.ts';
import type { Failure } from './protocol.ts';

/** Codes: https://sqlite.org/rescode.html */
export function storeError(file: string, { code, message }: Failure): AppError {
  const cause = new Error(`${code}: ${message}`);
  if (code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED')
    return new PermanentError('store_locked', locked(file), { cause });
  if (DAMAGE.test(code)) return new PermanentError('store_damaged', damaged(file, message), { cause });
  if (code === 'SQLITE_FULL') return new RetryableError('store_full', `no space is left for ${file}`, { cause });
  if (TROUBLE.test(code)) return new RetryableError('store_io', `${file}: ${message} (${code})`, { cause });
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return new ConflictError('store_conflict', message, { cause });
  }
  return new AppError('store_statement', message, { cause });
}

const DAMAGE = /^SQLITE_(CORRUPT|NOTADB)/;
const TROUBLE = /^(SQLITE_(IOERR|CANTOPEN|READONLY|NOMEM|PERM|AUTH)|E[A-Z]+$)/;

/** After a failed fsync nobody knows what reached the disk, so nothing may be built on it (fsyncgate). */
export function lostFile({ code }: Failure): boolean {
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC';
}

function locked(file: string): string {
  return `another daemon holds ${file}: only one can run on this home at a time`;
}

function damaged(file: string, finding: string): string {
  return (
    `${file} is damaged (${finding}) and was left as it is. Stop the daemon and move ${file}, ${file}-wal and ` +
    `${file}-journal aside; then put a backup in place of ${file}, or start with an empty store`
  );
}
