/** The fixes that are under way: one at a time for each probe, whoever asked for it. */
import { RetryableError } from '../errors.ts';
import type { Log } from '../ports.ts';
import type { No } from './plan-facts.ts';

export interface UnderWay {
  /** The probe is busy until this work ends. */
  begin(probe: string, work: Promise<unknown>): void;
  /** Work that nothing waits for: only its failure is of interest. */
  keep(work: Promise<unknown>): void;
  has(probe: string): boolean;
  /** Why no fix for this probe may begin now. */
  refusal(probe: string): No | undefined;
  isClosed(): boolean;
  /** The daemon stops. Waits for what is under way. */
  close(): Promise<void>;
}

/** `ended` is called whenever the work for a probe has ended, well or not. */
export function createUnderWay(log: Log, ended: () => void): UnderWay {
  const busy = new Map<string, Promise<unknown>>();
  let closed = false;

  /** While the store is away it looks again; whatever else fails is a fault. */
  function failed(error: unknown, subject?: string): void {
    if (error instanceof RetryableError) log.warn('healer_waits', { subject, error });
    else log.error('healer_failed', { subject, error });
  }

  return {
    begin(probe, work) {
      const guarded = work
        .catch((error: unknown) => failed(error, probe))
        .finally(() => {
          if (busy.get(probe) === guarded) busy.delete(probe);
          ended();
        });
      busy.set(probe, guarded);
    },
    keep(work) {
      work.catch((error: unknown) => failed(error));
    },
    has: (probe) => busy.has(probe),
    refusal(probe) {
      if (closed) return { go: false, refusal: 'stopping', detail: 'the daemon is stopping' };
      return busy.has(probe) ? { go: false, refusal: 'locked', detail: `a fix for ${probe} is under way` } : undefined;
    },
    isClosed: () => closed,
    async close() {
      closed = true;
      while (busy.size > 0) await Promise.all(busy.values());
    },
  };
}
