/** The databases that a daemon can keep its store in, for tests that run on each of them. */
import type { Clock, Log, Store } from '../../src/ports.ts';
import { openStore } from '../../src/store/open.ts';
import type { Home } from './daemon.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';

export interface StoreKind {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** A new, empty one. Lines for brainstem.yml, and variables of the daemon that they need. */
  prepare(): Promise<{ readonly settings: string; readonly environment: Readonly<Record<string, string>> }>;
  /** What was prepared last, for a look while no daemon holds it. */
  open(home: Home): Promise<Store>;
  stop(): Promise<void>;
}

const clock: Clock = { now: Date.now, monotonic: () => performance.now() };
const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

const sqlite: StoreKind = {
  name: 'SQLite',
  prepare: async () => ({ settings: '', environment: {} }),
  open: ({ path }) => openStore({ home: path, clock, log }),
  stop: async () => undefined,
};

/** Starts a server at the first use. */
function createPostgres(): StoreKind {
  let server: Promise<PostgresServer> | undefined;
  let databases = 0;
  let url = '';
  return {
    name: 'PostgreSQL',
    async prepare() {
      server ??= startPostgres();
      databases += 1;
      url = await (await server).createDatabase(`store${databases}`);
      return { settings: '\nstore: { url: "${DATABASE_URL}" }\n', environment: { DATABASE_URL: url } };
    },
    open: ({ path }) => openStore({ home: path, url, clock, log }),
    async stop() {
      await (await server)?.stop();
      server = undefined;
    },
  };
}

export const STORES: readonly [StoreKind, StoreKind] = [sqlite, createPostgres()];
