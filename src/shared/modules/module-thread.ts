/** The daemon's end of the thread in which one module runs. A run always ends; a thread that does not answer is ended. */
import type { Worker } from 'node:worker_threads';
import { codeOf, messageOf } from '../../errors.ts';
import type { ProbeModule } from '../../model.ts';
import type { Log } from '../../ports.ts';
import { type FromThread, placed, type RunOutput, type RunRequest, type ToThread } from './protocol.ts';
import { startThread } from './start-thread.ts';

/** What a run may take to end after its deadline, and what the thread may take to answer at all. */
const GRACE_MS = 500;
/** What a thread may take until its module is loaded. */
const START_MS = 10_000;
/** Runs after which a thread is replaced: what its module leaked goes with it. */
const RUNS = 500;

interface Run {
  end(output: RunOutput): void;
  /** The thread said that it heard of the deadline: it is not blocked. */
  answered: boolean;
}

export class ModuleThread {
  readonly #module: ProbeModule;
  readonly #log: Log;
  readonly #worker: Worker;
  readonly #runs = new Map<number, Run>();
  readonly #starting: NodeJS.Timeout;
  #ready = false;
  #retired = false;
  #lastId = 0;

  constructor(module: ProbeModule, environment: Readonly<Record<string, string | undefined>>, log: Log) {
    const { home, file, code, fields } = module;
    this.#module = module;
    this.#log = log.child({ module: file });
    this.#worker = startThread({ home, run: { file, code, fields } }, environment);
    this.#worker.on('message', (message: FromThread) => this.#hear(message));
    this.#worker.on('error', (error) => this.#lost(describeLoss(error)));
    this.#worker.on('exit', (code) => this.#lost(`its thread ended with exit code ${code}`));
    this.#starting = setTimeout(() => this.#kill(`did not finish loading within ${START_MS / 1_000}s`), START_MS);
    this.#starting.unref();
  }

  /** False: a new run needs a new thread. */
  get open(): boolean {
    return !this.#retired;
  }

  get idle(): boolean {
    return this.#runs.size === 0;
  }

  /** Never rejects, and resolves at the latest `GRACE_MS` after the signal aborts. */
  run(request: RunRequest, signal: AbortSignal): Promise<RunOutput> {
    const id = ++this.#lastId;
    if (id >= RUNS) this.#retired = true;
    return new Promise((resolve) => {
      let grace: NodeJS.Timeout | undefined;
      const abort = () => {
        this.#post({ kind: 'abort', id });
        grace = setTimeout(() => this.#overdue(id), GRACE_MS);
      };
      const end = (output: RunOutput) => {
        clearTimeout(grace);
        signal.removeEventListener('abort', abort);
        this.#runs.delete(id);
        // An idle thread keeps neither a command nor a stopping daemon alive.
        if (this.idle) this.#worker.unref();
        resolve(output);
        if (this.#retired) this.retire();
      };
      this.#runs.set(id, { end, answered: false });
      this.#worker.ref();
      this.#post({ kind: 'run', id, request });
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
    });
  }

  /** Takes no new runs, and ends when the last one has ended. Idempotent. */
  retire(): void {
    this.#retired = true;
    if (this.idle) this.#terminate();
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromThread): void {
    if (message.kind === 'ready') {
      this.#ready = true;
      clearTimeout(this.#starting);
    } else if (message.kind === 'aborting') {
      const run = this.#runs.get(message.id);
      if (run) run.answered = true;
    } else if (message.kind === 'done') {
      this.#runs.get(message.id)?.end(message.output);
    } else if (message.kind === 'printed') {
      this.#log.info('module_printed', { text: message.text });
    } else if (message.kind === 'said') {
      this.#log.info('module_said', { ...message.fields, probe: message.probe, said: message.event });
    } else {
      this.#lost(message.error, true);
    }
  }

  /** The grace after a deadline is over, and the run has not ended. */
  #overdue(id: number): void {
    const run = this.#runs.get(id);
    if (!run) return;
    if (!this.#ready) {
      run.end(this.#bug('its thread was not ready before the deadline'));
    } else if (run.answered) {
      // The others may go on; what does not end goes with the thread.
      this.#retired = true;
      run.end(this.#bug('run did not end at its deadline; pass context.signal to what it waits for'));
    } else {
      this.#kill('run blocks its thread and does not hear of its deadline: an endless loop, or too much work at once');
    }
  }

  #kill(why: string): void {
    this.#lost(this.#placed(why), true);
  }

  /** All runs under way end with the thread. `why` has a place already when `isPlaced`. */
  #lost(why: string, isPlaced = false): void {
    const error = isPlaced ? why : this.#placed(why);
    if (this.idle && !this.#retired) this.#log.warn('module_thread_lost', { error });
    this.#retired = true;
    this.#terminate();
    for (const { end } of [...this.#runs.values()]) end({ reason: 'internal', fields: {}, error });
  }

  #bug(message: string): RunOutput {
    return { reason: 'internal', fields: {}, error: this.#placed(message) };
  }

  #placed(message: string): string {
    return placed({ location: this.#module.runAt, message });
  }

  #terminate(): void {
    clearTimeout(this.#starting);
    this.#worker.terminate().catch((error: unknown) => this.#log.error('module_thread_not_ended', { error }));
  }
}

function describeLoss(error: unknown): string {
  if (codeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY') return 'its thread ran out of memory (64 MiB)';
  return `its thread failed: ${messageOf(error)}`;
}
