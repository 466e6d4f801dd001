/** The life of one network run: its deadline, its phases and everything it holds open. */
import type { Clock } from '../ports.ts';
import { classify, deadlineFailure, PHASES, type Phase } from './failure.ts';

interface Destroyable {
  destroy(): void;
}

/** Written out: a name that is put together at each run costs more than all else that is done with it. */
const KEYS = {
  resolve: 'resolve_ms',
  connect: 'connect_ms',
  tls: 'tls_ms',
  processing: 'processing_ms',
  transfer: 'transfer_ms',
} as const satisfies Record<Phase, `${Phase}_ms`>;

/**
 * One step is in flight at a time. An abort rejects that step with what the deadline means in its phase, and `close`
 * destroys all that was opened: so nothing outlives a run, however it ended.
 */
export class Lifeline {
  /** Milliseconds spent in each phase so far, over all hops. */
  readonly phases: Record<`${Phase}_ms`, number> = {
    resolve_ms: 0,
    connect_ms: 0,
    tls_ms: 0,
    processing_ms: 0,
    transfer_ms: 0,
  };
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #timeoutMs: number;
  #phase: Phase = 'resolve';
  #phaseSince: number;
  #held: Destroyable[] = [];
  /** Ends the step in flight; undefined between two steps. */
  #reject: ((error: Error) => void) | undefined;
  /** What went wrong between two steps: the next one fails with it. */
  #failure: Error | undefined;

  constructor(context: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly clock: Clock }) {
    this.signal = context.signal;
    this.#clock = context.clock;
    this.#timeoutMs = context.timeoutMs;
    this.#startedAt = context.clock.monotonic();
    this.#phaseSince = this.#startedAt;
    this.signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Error listener of everything that is opened: ends the step in flight, or else the next one. */
  readonly fail = (error: Error): void => {
    this.#failWith(classify(error, this.#phase));
  };

  readonly #abort = (): void => {
    this.#failWith(deadlineFailure(this.#phase));
  };

  #failWith(failure: Error): void {
    this.#failure ??= failure;
    this.#reject?.(failure);
    this.#reject = undefined;
  }

  remainingMs(): number {
    return this.#startedAt + this.#timeoutMs - this.#clock.monotonic();
  }

  enter(phase: Phase): void {
    const now = this.#clock.monotonic();
    this.phases[KEYS[this.#phase]] += now - this.#phaseSince;
    this.#phase = phase;
    this.#phaseSince = now;
  }

  /** What is asked of another than the target, such as a token: its time counts in no phase. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.enter(this.#phase);
    const spent = { ...this.phases };
    try {
      return await work();
    } finally {
      this.enter('resolve');
      Object.assign(this.phases, spent);
    }
  }

  /** Milliseconds in some of the phases, by name: `connect_ms`. */
  phasesIn(wanted: Partial<Record<Phase, unknown>>): Readonly<Record<string, number>> {
    const spent: Record<string, number> = {};
    for (const phase of PHASES) if (phase in wanted) spent[KEYS[phase]] = this.phases[KEYS[phase]];
    return spent;
  }

  /** Waits for `done`, for `fail`, or for the deadline. */
  until<T>(start: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.signal.aborted) this.#abort();
      if (this.#failure) return reject(this.#failure);
      this.#reject = reject;
      start((value) => {
        this.#reject = undefined;
        resolve(value);
      });
    });
  }

  hold(opened: Destroyable): void {
    this.#held.push(opened);
  }

  /** Destroys what is open; the run goes on with the next connection. */
  release(): void {
    this.#reject = undefined;
    this.#failure = undefined;
    for (const opened of this.#held.reverse()) opened.destroy();
    this.#held = [];
  }

  /** Ends the run. Idempotent. */
  close(): void {
    this.enter(this.#phase);
    this.signal.removeEventListener('abort', this.#abort);
    this.release();
  }
}
