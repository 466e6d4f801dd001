/**
 * The order of a notifier's outbox: which row goes next.
 *
 * Rows go by id, and a row never overtakes an earlier one of the same incident. What waits for its own reason (a
 * refused alert) holds back its incident alone. An alert whose incident has no conversation yet starts one, within the
 * burst budget; what exceeds it is gathered for up to GATHER_MS, and until the budget allows one more message, and then
 * becomes one digest. Alerts of known incidents pass by meanwhile.
 *
 * A digest is a row of its own, written in the transaction that marks its members as `carriedBy` it. Members stay
 * pending until the digest is delivered, and hold back what comes later for their incidents. An incident that was only
 * ever named in a digest has no conversation: its next alert is a new start, so that a whole burst resolves in a digest
 * too.
 */
import type { Notification } from '../model.ts';
import type { StoreQueries } from '../ports.ts';
import type { Budget } from './outbox-budget.ts';
import { MAX_BACK_OFF_MS } from './outbox-failure.ts';

const GATHER_MS = 10_000;
/** Names in one digest; what exceeds it waits for the next. */
const DIGEST_MAX = 1_000;
const STUCK_MAX = 1_000;
/** Rows read at once. */
export const PAGE = 100;

export type Step =
  /** `starts`: it begins a conversation. */
  | { readonly kind: 'send'; readonly row: Notification; readonly starts: boolean }
  | { readonly kind: 'digest' }
  /** `stuck`: rows that wait behind a refused alert of their incident, the oldest ones. */
  | { readonly kind: 'wait'; readonly waitMs: number; readonly stuck: readonly Notification[] };

/** Whether a notifier has a conversation about an incident. */
export type Knows = (queries: StoreQueries, incidentId: number) => Promise<boolean>;

export interface QueueFacts {
  readonly notifier: string;
  readonly burst: number;
  readonly budget: Budget;
  readonly knows: Knows;
  readonly now: number;
  readonly monotonic: number;
}

/** Every pending row of a notifier, oldest first, a page at a time. */
export async function* pendingRows(queries: StoreQueries, notifier: string, afterId = 0): AsyncGenerator<Notification> {
  for (let last = afterId; ; ) {
    const page = await queries.pendingNotifications({ notifier, afterId: last, limit: PAGE });
    yield* page;
    const next = page.at(-1)?.id;
    if (next === undefined || page.length < PAGE) return;
    last = next;
  }
}

export async function nextStep(queries: StoreQueries, facts: QueueFacts): Promise<Step> {
  const { budget, burst, now, monotonic } = facts;
  const walk = createWalk(facts);
  let first: Notification | undefined;
  let gathered = 0;
  for await (const { row, starts } of walk.free(queries)) {
    if (!starts || budget.mayStart(burst, monotonic)) return { kind: 'send', row, starts };
    first ??= row;
    gathered += 1;
  }
  const gatherMs = first && Math.max(gatherWaitMs(first, now), budget.digestWaitMs(burst, monotonic));
  if (!first || gatherMs === undefined || gatherMs > 0) return walk.wait(gatherMs);
  return gathered === 1 ? { kind: 'send', row: first, starts: true } : { kind: 'digest' };
}

/** The rows that a digest made now would carry. */
export async function digestMembers(queries: StoreQueries, facts: QueueFacts): Promise<readonly Notification[]> {
  const members: Notification[] = [];
  for await (const { row, starts } of createWalk(facts).free(queries)) {
    if (starts) members.push(row);
    if (members.length === DIGEST_MAX) break;
  }
  return members;
}

/** Rows that nothing holds back, in order, and what is to be said of the others. */
function createWalk({ notifier, knows, now }: QueueFacts) {
  const held = new Set<number>();
  const stuck: Notification[] = [];
  let dueInMs = Number.POSITIVE_INFINITY;

  async function* free(queries: StoreQueries): AsyncGenerator<{ row: Notification; starts: boolean }> {
    for await (const row of pendingRows(queries, notifier)) {
      if (holdsBack(row)) continue;
      const { incidentId } = row;
      yield { row, starts: incidentId !== undefined && !(await knows(queries, incidentId)) };
    }
  }

  function holdsBack(row: Notification): boolean {
    const { incidentId, carriedBy } = row;
    if (incidentId !== undefined && held.has(incidentId)) {
      if (carriedBy === undefined && stuck.length < STUCK_MAX) stuck.push(row);
      return true;
    }
    if (carriedBy === undefined && isDue(row, now)) return false;
    if (carriedBy === undefined) dueInMs = Math.min(dueInMs, row.dueAt - now);
    if (incidentId !== undefined) held.add(incidentId);
    return true;
  }

  return {
    free,
    wait: (waitMs = Number.POSITIVE_INFINITY): Step => ({ kind: 'wait', waitMs: Math.min(waitMs, dueInMs), stuck }),
  };
}

/** The clock may have been set back since: what was due at once stays due, and no wait is longer than any we write. */
function isDue({ dueAt, createdAt }: Notification, now: number): boolean {
  return dueAt <= now || dueAt <= createdAt || dueAt > now + MAX_BACK_OFF_MS;
}

/** The clock may have been set back since: never longer than GATHER_MS. */
function gatherWaitMs({ createdAt }: Notification, now: number): number {
  return Math.min(createdAt + GATHER_MS - now, GATHER_MS);
}
