/** Waiting for the hold on a database that another daemon of the cluster has. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, RetryableError } from '../../errors.ts';
import type { PostgresConnection } from './connection.ts';
import { type Address, holderOf, type Joined, join, tryHold } from './hold.ts';

/** What a daemon that waits knows. */
export interface Standing {
  /** The database answers it. */
  readonly reached: boolean;
  /** Where the brain is, or why that cannot be known. */
  readonly why: string;
}

export interface Election {
  /** Aborts the waiting, which then rejects with the reason. */
  readonly signal: AbortSignal;
  /** Called after each vain try, and waited for. */
  onStandby(standing: Standing): Promise<void>;
}

const TRY_MS = 500;
/** After an outage of the server the daemon that was the brain comes first: it remembers what happened meanwhile. */
const HEAD_START_MS = 2_000;

/** Resolves when this daemon is the brain. Rejects when the database cannot be reached at first, or refuses us for good. */
export async function win(address: Address, election: Election): Promise<Joined> {
  let joined = await join(address);
  try {
    while (!(await stand(joined.connection, election))) {
      const { lost } = joined.connection;
      if (lost) joined = await joinAgain(address, election);
      await rest(lost ? HEAD_START_MS : TRY_MS, election.signal);
    }
    return joined;
  } catch (error) {
    await joined.connection.close();
    throw error;
  }
}

async function stand(connection: PostgresConnection, { onStandby }: Election): Promise<boolean> {
  try {
    if (await tryHold(connection)) return true;
    await onStandby({ reached: true, why: `another daemon is the brain${await holderOf(connection)}` });
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    await onStandby({ reached: false, why: messageOf(error) });
  }
  return false;
}

async function joinAgain(address: Address, { signal, onStandby }: Election): Promise<Joined> {
  for (;;) {
    try {
      return await join(address);
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      await onStandby({ reached: false, why: messageOf(error) });
      await rest(TRY_MS, signal);
    }
  }
}

async function rest(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch(() => signal.throwIfAborted());
}
