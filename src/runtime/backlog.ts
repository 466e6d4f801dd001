/**
 * What must be written, and waits in memory while the store is away: done at once when it answers, else later and in order.
 */
import { RetryableError } from '../errors.ts';
import type { Log } from '../ports.ts';

export interface Task<T> {
  /** A newer task with the same key takes the place of one that waits. */
  readonly key: string;
  /** What it is about, such as a probe: it is never written before an earlier task of the same line. Absent: its key. */
  readonly line?: string;
  /**
   * `again`: an earlier try may have been written although its answer was lost; the work finds that out by itself.
   */
  write(again: boolean): Promise<T>;
}

export interface Backlog {
  /** `kept`: the store is away, and the task waits for it. Rejects with whatever else went wrong. */
  write<T>(task: Task<T>): Promise<T | 'kept'>;
  count(): number;
  /** The store is away: nobody waits for an answer any longer. */
  release(): void;
  /** Writes what waits now, oldest first; a RetryableError leaves the rest as it is. One at a time: a second call joins. */
  drain(): Promise<void>;
}

interface Waiting {
  task: Task<unknown>;
  /** A try that may not have ended. */
  readonly underWay: Promise<unknown> | undefined;
}

/** The line of what changes a probe's state, and of the attempts that heal it: one is understood by what stands before it. */
export function probeLine(probe: string): string {
  return `probe:${probe}`;
}

export interface BacklogParts {
  readonly log: Log;
  storeAway(): boolean;
}

export function createBacklog({ log, storeAway }: BacklogParts): Backlog {
  const waiting = new Map<string, Waiting>();
  const impatient = new Set<() => void>();
  let draining: Promise<void> | undefined;

  /** Also when the store is back, for as long as something of its line is not written. */
  function mustWait(task: Task<unknown>): boolean {
    return storeAway() || [...waiting.values()].some((entry) => lineOf(entry.task) === lineOf(task));
  }

  function keep(task: Task<unknown>, underWay?: Promise<unknown>): 'kept' {
    const before = waiting.get(task.key);
    if (before) before.task = task;
    else waiting.set(task.key, { task, underWay });
    return 'kept';
  }

  /** Until the work has ended, well or not, or the store is away. */
  async function endOrAway(work: Promise<unknown>): Promise<'written' | 'away' | { readonly error: unknown }> {
    let release: () => void = () => undefined;
    const away = new Promise<'away'>((resolve) => {
      release = () => resolve('away');
      impatient.add(release);
    });
    const ended = work.then(
      () => 'written' as const,
      (error: unknown) => ({ error }),
    );
    try {
      return await Promise.race([ended, away]);
    } finally {
      impatient.delete(release);
    }
  }

  /** A task that breaks is logged and given up: it must not hold up what comes after it. */
  async function settle(key: string, entry: Waiting): Promise<void> {
    // What became of it the next try finds out.
    await entry.underWay?.catch(() => undefined);
    const { task } = entry;
    try {
      await task.write(true);
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      log.error('kept_write_failed', { key, error });
    }
    // It may have been replaced meanwhile: then it is the next one's turn.
    if (entry.task === task) waiting.delete(key);
  }

  /** What comes meanwhile is not waited for: in a storm the end would never come. */
  async function drain(): Promise<void> {
    for (const key of [...waiting.keys()]) {
      const entry = waiting.get(key);
      if (entry) await settle(key, entry);
    }
  }

  return {
    async write(task) {
      if (mustWait(task)) return keep(task);
      const underWay = task.write(false);
      const end = await endOrAway(underWay);
      if (end === 'away') return keep(task, underWay);
      if (end !== 'written' && end.error instanceof RetryableError) return keep(task);
      return underWay;
    },
    count: () => waiting.size,
    release() {
      for (const go of impatient) go();
    },
    drain() {
      draining ??= drain().finally(() => {
        draining = undefined;
      });
      return draining;
    },
  };
}

function lineOf({ key, line = key }: Task<unknown>): string {
  return line;
}
