/** Databases of one real PostgreSQL, each with a store of its own, for tests. */
import { afterAll, beforeAll } from 'vitest';
import type { Clock, Log, Store } from '../../src/ports.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import type { OpenedForTest } from './sqlite.ts';

const clock: Clock = { now: () => Date.UTC(2026, 10, 23), monotonic: () => performance.now() };

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface PostgresForTest {
  server(): PostgresServer;
  /** The URL of a new, empty database. */
  createDatabase(): Promise<string>;
  /** A store in a new database. */
  openTemporary(): Promise<OpenedForTest>;
}

/** One server for all tests of the file that calls this. */
export function usePostgres(settings: readonly string[] = []): PostgresForTest {
  let server: PostgresServer;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres(settings);
  });
  afterAll(() => server.stop());
  const createDatabase = () => server.createDatabase(`store${++databases}`);
  return {
    server: () => server,
    createDatabase,
    async openTemporary() {
      const store = await openDatabase(await createDatabase());
      return { store, dispose: () => store.close() };
    },
  };
}

export function openDatabase(url: string, onLost?: (error: Error) => void): Promise<Store> {
  return openStore({ home: '/nonexistent', url, clock, log: silent, ...(onLost && { onLost }) });
}
