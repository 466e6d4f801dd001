/** The Store of ports.ts over any engine. */
import { CamelCasePlugin, Kysely } from 'kysely';
import { ConflictError, RetryableError } from '../errors.ts';
import type { Clock, Store } from '../ports.ts';
import { dump } from './backup/dump.ts';
import { type RowCounts, readLines } from './backup/format.ts';
import { checkLines, restore } from './backup/restore.ts';
import type { Engine } from './engine.ts';
import { migrate } from './migrate.ts';
import { migrations } from './migrations/index.ts';
import { storeQueries } from './queries/index.ts';
import { resultHistory } from './results/index.ts';
import type { Database } from './schema.ts';

/** A transaction holds up everybody else: work that waits for the world, or for the store outside of it, is a bug. */
const TRANSACTION_DEADLINE_MS = 30_000;

export interface OpenedStore {
  readonly store: Store;
  readonly schema: { readonly from: number; readonly to: number };
}

/** Migrates what the engine holds and offers it. Closes the engine when that fails. */
export async function createStore(engine: Engine, clock: Pick<Clock, 'now'>): Promise<OpenedStore> {
  const db = databaseOf(engine);
  try {
    const schema = await migrate(db, engine.ddl, migrations, clock.now());
    return { schema, store: storeOver(db, engine, clock) };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** Errors: UsageError `backup_unreadable`, PermanentError `schema_newer`. */
export function checkBackup(file: AsyncIterable<Uint8Array>): Promise<void> {
  return checkLines(readLines(file), migrations.length);
}

/** Restores a backup into what the engine holds, and closes it. */
export async function restoreStore(
  engine: Engine,
  clock: Pick<Clock, 'now'>,
  { file, force }: { readonly file: AsyncIterable<Uint8Array>; readonly force: boolean },
): Promise<RowCounts> {
  const db = databaseOf(engine);
  const now = clock.now();
  try {
    await migrate(db, engine.ddl, migrations, now);
    return await restore({ db, engine, migrations, lines: readLines(file), force, now });
  } finally {
    await engine.close();
  }
}

function databaseOf(engine: Engine): Kysely<Database> {
  return new Kysely<Database>({ dialect: engine.dialect, plugins: [new CamelCasePlugin()] });
}

function storeOver(db: Kysely<Database>, engine: Engine, clock: Pick<Clock, 'now'>): Store {
  let closing: Promise<void> | undefined;
  let isBackingUp = false;
  return {
    ...storeQueries(db),
    ...resultHistory(db, engine),
    transaction: (work) => db.transaction().execute((transaction) => inTime(work(storeQueries(transaction)))),
    backup() {
      if (isBackingUp) throw new ConflictError('backup_running', 'a backup is under way already');
      isBackingUp = true;
      return dump(engine, { schema: migrations.length, createdAt: clock.now() }, () => {
        isBackingUp = false;
      });
    },
    isHeld: () => engine.isHeld(),
    close() {
      closing ??= engine.close();
      return closing;
    },
  };
}

/** When the time is over the transaction is undone, and what the work still asks of it is refused. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `a transaction of the store did not end within ${TRANSACTION_DEADLINE_MS / 1_000} s`;
      reject(new RetryableError('store_transaction_stalled', message));
    }, TRANSACTION_DEADLINE_MS);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
