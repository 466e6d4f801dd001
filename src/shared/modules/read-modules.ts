/** Reads the modules of a home for its configuration, in a thread that ends with it. */
import type { Worker } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { ReadAnswer, ReadRequest } from './protocol.ts';
import { startThread } from './start-thread.ts';

/** What evaluating one module may take. */
const READ_MS = 10_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** One after the other. What a module does to the thread is its own fault; the others are read in a new one. */
export async function readModules(
  home: string,
  files: readonly string[],
  environment: Environment,
): Promise<ReadonlyMap<string, ReadAnswer>> {
  const answers = new Map<string, ReadAnswer>();
  let reader = new Reader(home, environment);
  try {
    for (const file of files) {
      let answer = await reader.read(file);
      while (answer.kind === 'lost') {
        const { isFirst } = reader;
        await reader.end();
        reader = new Reader(home, environment);
        // What an earlier module left behind may have ended the thread: this one is asked again, alone.
        answer = isFirst ? faulty(file, answer.why) : await reader.read(file);
      }
      answers.set(file, answer);
      if (answer.kind === 'faulty' && reader.isBlocked) {
        await reader.end();
        reader = new Reader(home, environment);
      }
    }
  } finally {
    await reader.end();
  }
  return answers;
}

function faulty(file: string, message: string): ReadAnswer {
  return { kind: 'faulty', fault: { location: { file, line: 1, column: 1 }, message } };
}

interface Lost {
  readonly kind: 'lost';
  readonly why: string;
}

class Reader {
  readonly #worker: Worker;
  #reads = 0;
  #lost: Lost | undefined;
  #settle: ((answer: ReadAnswer | Lost) => void) | undefined;
  /** A module did not finish: the thread is of no more use. */
  isBlocked = false;

  constructor(home: string, environment: Environment) {
    this.#worker = startThread({ home }, environment);
    this.#worker.on('message', (answer: ReadAnswer) => this.#settle?.(answer));
    this.#worker.on('error', (error) => this.#lose(`its thread failed while loading: ${messageOf(error)}`));
    this.#worker.on('exit', (code) => this.#lose(`ended its thread while loading (exit code ${code})`));
  }

  /** Nothing was read before what is read now. */
  get isFirst(): boolean {
    return this.#reads <= 1;
  }

  read(file: string): Promise<ReadAnswer | Lost> {
    this.#reads += 1;
    if (this.#lost) return Promise.resolve(this.#lost);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.isBlocked = true;
        this.#settle?.(faulty(file, `did not finish loading within ${READ_MS / 1_000}s`));
      }, READ_MS);
      this.#settle = (answer) => {
        clearTimeout(timer);
        this.#settle = undefined;
        resolve(answer);
      };
      this.#worker.postMessage({ file } satisfies ReadRequest);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #lose(why: string): void {
    this.#lost ??= { kind: 'lost', why };
    this.#settle?.(this.#lost);
  }
}
