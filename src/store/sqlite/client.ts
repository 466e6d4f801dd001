/** The daemon's end of the worker that holds the SQLite file: sends requests, and turns every failure into an AppError. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type AppError, PermanentError, RetryableError } from '../../errors.ts';
import { lostFile, storeError } from './failures.ts';
import { type Answer, type Failure, type Numbered, OPENING, type Request, type Response } from './protocol.ts';

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: AppError): void;
}

/** A store needs little memory of its own: rows pass through. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 8 } as const;

export class WorkerClient {
  readonly file: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = OPENING;
  #away: AppError | undefined;

  /** Starts the worker and waits until the file is open, locked and checked. */
  static async open(file: string): Promise<WorkerClient> {
    const client = new WorkerClient(file);
    try {
      await client.#answerTo(OPENING);
      return client;
    } catch (error) {
      await client.#worker.terminate();
      throw error;
    }
  }

  private constructor(file: string) {
    this.file = file;
    this.#worker = new Worker(createRequire(import.meta.url).resolve('#store-worker'), {
      workerData: { file },
      resourceLimits: WORKER_LIMITS,
    });
    this.#worker.on('message', (response: Numbered<Response>) => this.#settle(response));
    this.#worker.on('error', (cause) => this.#leave('the thread that holds the store failed', cause));
    this.#worker.on('exit', () => this.#leave('the thread that holds the store ended'));
  }

  /** Rejects with a PermanentError `store_lost` once the worker is gone: only a new start examines the file again. */
  call(request: Request): Promise<Answer> {
    if (this.#away) return Promise.reject(this.#away);
    const id = ++this.#lastId;
    const answer = this.#answerTo(id);
    this.#worker.postMessage({ ...request, id } satisfies Numbered<Request>);
    return answer;
  }

  /** Gives the file up: it is in a state that nothing can be built on. */
  async abandon(why: string, cause: unknown): Promise<void> {
    this.#leave(why, cause);
    await this.#worker.terminate();
  }

  /** Writes everything back into the one file and lets it go. */
  async close(): Promise<void> {
    if (this.#away) return;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    const closed = this.call({ kind: 'close' });
    this.#away = new RetryableError('store_away', 'the store is closed');
    await closed;
    await ended;
  }

  #answerTo(id: number): Promise<Answer> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle(response: Numbered<Response>): void {
    const waiting = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if ('answer' in response) waiting?.resolve(response.answer);
    else this.#fail(response.failure, waiting);
  }

  #fail(failure: Failure, waiting: Waiting | undefined): void {
    const error = storeError(this.file, failure);
    waiting?.reject(error);
    if (lostFile(failure)) void this.abandon('the disk lost what was written', error);
  }

  #leave(why: string, cause?: unknown): void {
    this.#away ??= new PermanentError('store_lost', `${why}: the next start examines ${this.file}`, { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#away);
    this.#waiting.clear();
  }
}
