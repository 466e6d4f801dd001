/** Homes with an embedded store, for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, Log, Store } from '../../src/ports.ts';
import { openStore } from '../../src/store/open.ts';

export interface OpenedForTest {
  readonly store: Store;
  /** Closes the store and removes everything it made. */
  dispose(): Promise<void>;
}

const clock: Clock = { now: () => Date.UTC(2026, 10, 23), monotonic: () => performance.now() };

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export function openHome(home: string): Promise<Store> {
  return openStore({ home, clock, log: silent });
}

export async function withHome<T>(work: (home: string) => Promise<T>): Promise<T> {
  const home = await makeHome();
  try {
    return await work(home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export async function openTemporary(): Promise<OpenedForTest> {
  const home = await makeHome();
  const store = await openHome(home);
  return {
    store,
    async dispose() {
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export function fileOf(home: string): string {
  return join(home, 'data', 'brainstem.db');
}

function makeHome(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'brainstem-store-'));
}
