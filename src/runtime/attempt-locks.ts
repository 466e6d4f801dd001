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
  /** Absent: `held` is held by somebody else, and nothing was taken. */
  readonly own?: Lock | undefined;
  readonly also: readonly Lock[];
  readonly held?: string;
}

/** All or nothing, in sorted order: two attempts that want the same ones never wait for each other. */
export async function takeLocks(
  queries: StoreQueries,
  own: string,
  also: readonly string[],
  { owner, now, until }: Lease,
): Promise<Taken> {
  const locks: Lock[] = [];
  for (const resource of [...new Set([own, ...also])].sort()) {
    const fence = await queries.acquireLock(resource, owner, now, until);
    if (fence === undefined) {
      await freeLocks(queries, locks);
      return { also: [], held: resource };
    }
    locks.push({ resource, fence });
  }
  const isOwn = ({ resource }: Lock) => resource === own;
  return { own: locks.find(isOwn), also: locks.filter((lock) => !isOwn(lock)) };
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
