/** What PostgreSQL and the way to it report, as errors that say what the caller does next. */
import { AppError, ConflictError, codeOf, messageOf, PermanentError, RetryableError } from '../../errors.ts';

/**
 * Codes: https://www.postgresql.org/docs/15/errcodes-appendix.html. What carries none of them comes from the connection:
 * the parameters of a statement are checked before it is sent.
 * @param place such as `127.0.0.1:5432/brainstem`: never with the name or password of the user.
 */
export function postgresError(place: string, thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  const cause = thrown;
  const code = codeOf(thrown) ?? '';
  const message = messageOf(thrown);
  const said = `the database ${place} says: ${message} (${code})`;
  if (!SQLSTATE.test(code)) return lostConnection(place, message, cause);
  if (code === '23505') return new ConflictError('store_conflict', message, { cause });
  if (REFUSED.test(code)) return new PermanentError('store_refused', `${said}. Check store.url`, { cause });
  if (code === '42501') return new PermanentError('store_unwritable', `${said}. ${GRANTS}`, { cause });
  if (DAMAGE.test(code)) return new PermanentError('store_damaged', said, { cause });
  if (code === '53100') return new RetryableError('store_full', said, { cause });
  if (SLOW.test(code)) return new RetryableError('store_slow', said, { cause });
  if (TROUBLE.test(code)) return new RetryableError('store_away', said, { cause });
  return new AppError('store_statement', message, { cause });
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** A wrong name or password, a database that does not exist. */
const REFUSED = /^(28...|3D000)$/;
/** Damaged pages or indexes. */
const DAMAGE = /^(XX001|XX002)$/;
/** A statement took too long, waited for a lock in vain, or stood in the way of another one. */
const SLOW = /^(57014|55P03|40001|40P01)$/;
/** A lost connection, shutting down, starting up, too many connections, out of memory, a disk, a standby server. */
const TROUBLE = /^(08...|53...|57P0.|58...|25006|25P03)$/;

const GRANTS = 'Its user needs CREATE on the database, or must own the schema brainstem';

function lostConnection(place: string, message: string, cause: unknown): RetryableError {
  return new RetryableError('store_away', `no connection to the database ${place}: ${message}`, { cause });
}

/** The server took COMMIT, and its answer never came: the transaction is either done or undone as a whole. */
export function unknownCommit(place: string, cause: unknown): RetryableError {
  const message = `the connection to ${place} was lost while a transaction was committed: it may be done or not`;
  return new RetryableError('store_commit_unknown', message, { cause });
}

export function lockedDatabase(place: string, holder: string): PermanentError {
  const advice = 'only one can run on a database at a time';
  return new PermanentError('store_locked', `another daemon holds the database ${place}${holder}: ${advice}`);
}

export function unsupportedServer(place: string, version: string): PermanentError {
  return new PermanentError(
    'store_unsupported',
    `the database ${place} is PostgreSQL ${version}: 14 or newer is needed`,
  );
}
