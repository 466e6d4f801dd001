/**
 * What a sender writes to the outbox. Each function is one transaction; until it returns, nothing has changed.
 */
import { randomUUID } from 'node:crypto';
import { composeDigest } from '../engine/alert-digest.ts';
import type { Notification } from '../model.ts';
import type { Store, StoreQueries } from '../ports.ts';
import { digestMembers, pendingRows, type QueueFacts } from './outbox-queue.ts';

/**
 * The channel has accepted it. An incident gets a conversation even where the channel has none to remember: an empty one
 * says that this notifier has heard of it. Returns how many rows a digest carried.
 */
export function markSent(store: Store, row: Notification, conversation: unknown, now: number): Promise<number> {
  return store.transaction(async (queries) => {
    await queries.updateNotification({ ...row, state: 'sent', sentAt: now, tries: row.tries + 1 });
    if (row.incidentId !== undefined) {
      await queries.saveConversation(row.notifier, row.incidentId, conversation ?? {});
    }
    return row.alert.kind === 'digest' ? markCarried(queries, row, now) : 0;
  });
}

/** Members of a digest are older than it. */
async function markCarried(queries: StoreQueries, digest: Notification, now: number): Promise<number> {
  let carried = 0;
  for await (const row of pendingRows(queries, digest.notifier)) {
    if (row.id >= digest.id) break;
    if (row.carriedBy !== digest.id) continue;
    await queries.updateNotification({ ...row, state: 'sent', sentAt: now });
    carried += 1;
  }
  return carried;
}

export interface FailureMark {
  readonly error: string;
  readonly dueAt: number;
  /** Gets a copy. Absent: none. */
  readonly fallback?: string;
  readonly now: number;
}

/** True when the fallback was given a copy. */
export function markFailed(store: Store, row: Notification, mark: FailureMark): Promise<boolean> {
  return store.transaction(async (queries) => {
    await queries.updateNotification({ ...row, tries: row.tries + 1, lastError: mark.error, dueAt: mark.dueAt });
    return mark.fallback !== undefined && copyTo(queries, row, mark.fallback, mark.now);
  });
}

/** Gives the fallback copies of these rows; returns how many it did not have. A digest stands for what it carries. */
export function copyRows(store: Store, rows: readonly Notification[], fallback: string, now: number): Promise<number> {
  return store.transaction(async (queries) => {
    let copies = 0;
    for (const row of rows) {
      if (row.carriedBy === undefined && (await copyTo(queries, row, fallback, now))) copies += 1;
    }
    return copies;
  });
}

/** How far back a copy of an alert without an incident is looked for. */
const RECENT = 500;

/**
 * One copy an alert and notifier: an alert that the fallback has, from its own route or as a copy, is not given again.
 * So fallbacks that point in a circle end, and a restart copies nothing twice.
 */
export async function copyTo(
  queries: StoreQueries,
  row: Notification,
  fallback: string,
  now: number,
): Promise<boolean> {
  const { incidentId, alert, notifier } = row;
  const known = await queries.notifications({ ...(incidentId !== undefined && { incidentId }), limit: RECENT });
  if (known.some((other) => other.notifier === fallback && other.alert.eventId === alert.eventId)) return false;
  await queries.insertNotification({
    notifier: fallback,
    ...(incidentId !== undefined && { incidentId }),
    alert,
    state: 'pending',
    createdAt: now,
    dueAt: now,
    tries: 0,
    fallbackFor: notifier,
  });
  return true;
}

/**
 * Gives up what waits for a notifier since before then, and with it all that waits of the same incidents: nobody shall hear
 * the end of what they never heard begin. Returns how many rows.
 */
export function dropStale(store: Store, notifier: string, before: number, why: string): Promise<number> {
  return store.transaction(async (queries) => {
    const incidents = new Set<number>();
    let dropped = 0;
    for await (const row of pendingRows(queries, notifier)) {
      const { incidentId, createdAt } = row;
      if (createdAt >= before && (incidentId === undefined || !incidents.has(incidentId))) continue;
      if (incidentId !== undefined) incidents.add(incidentId);
      await queries.updateNotification({ ...row, state: 'dropped', lastError: why });
      dropped += 1;
    }
    return dropped;
  });
}

/** Writes the digest of what exceeds the burst cap now. Returns how many rows it carries. */
export function gatherDigest(store: Store, facts: QueueFacts, publicUrl: string): Promise<number> {
  return store.transaction(async (queries) => {
    const members = await digestMembers(queries, facts);
    if (members.length === 0) return 0;
    const { id } = await queries.insertNotification({
      notifier: facts.notifier,
      alert: composeDigest({ eventId: randomUUID(), alerts: members.map(({ alert }) => alert), publicUrl }),
      state: 'pending',
      createdAt: facts.now,
      dueAt: facts.now,
      tries: 0,
    });
    for (const member of members) await queries.updateNotification({ ...member, carriedBy: id });
    return members.length;
  });
}
