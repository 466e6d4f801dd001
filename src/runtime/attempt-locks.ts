/** The locks of an attempt: that of its resource, and those of what it acts on besides. */
import type { StoreQueries } from '../ports.ts';

export interface Lock {
  readonly resource: string;
  readonly fence: number;
}

export interface Lease {
  readonly owner: string;
  readonly now: number;
  /** When they end by themselves. */
  readonly until: number;
}

export interface Taken {
  /** In the order of the resources; empty when one is held by somebody else. */
  readonly locks: readonly Lock[];
  readonly held?: string;
}

/** All or nothing, without waiting: two attempts that want the same ones cannot wait for each other. */
export async function takeLocks(
  queries: StoreQueries,
  resources: readonly string[],
  { owner, now, until }: Lease,
): Promise<Taken> {
  const locks: Lock[] = [];
  for (const resource of new Set(resources)) {
    const fence = await queries.acquireLock(resource, owner, now, until);
    if (fence === undefined) {
      await freeLocks(queries, locks);
      return { locks: [], held: resource };
    }
    locks.push({ resource, fence });
  }
  return { locks };
}

export async function freeLocks(queries: StoreQueries, locks: readonly Lock[]): Promise<void> {
  for (const { resource, fence } of locks) await queries.releaseLock(resource, fence);
}

/** The resource whose lock was lost; undefined: all are still held, and longer now. */
export async function renewLocks(
  queries: StoreQueries,
  locks: readonly Lock[],
  until: number,
): Promise<string | undefined> {
  for (const { resource, fence } of locks) {
    if (!(await queries.renewLock(resource, fence, until))) return resource;
  }
  return undefined;
}
