/**
 * Tells when the content of a home has changed. Events only say that something happened: the home is hashed then, so that
 * a swap of symbolic links (a Kubernetes ConfigMap) is noticed and a touched file is not a change.
 */
import { join, relative, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import type { Log } from '../ports.ts';
import { hashHome } from './files.ts';

export interface WatchOptions {
  /** Quiet time after the last event before the home is hashed. Default 100 ms. */
  readonly debounceMs?: number;
  /** The home is hashed this often without any event too: network file systems send none. Default 10 s. */
  readonly rescanMs?: number;
  /** `hashHome` of what was loaded; a difference to it is told at once. Default: the home as it is now. */
  readonly baseline?: string;
  /** Hears when the home cannot be watched or read just now; watching goes on. */
  readonly log?: Log;
}

export interface HomeWatch {
  /** From here on no change is missed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Calls `onChange` after each change of a file that a configuration depends on. */
export function watchHome(home: string, onChange: () => void, options: WatchOptions = {}): HomeWatch {
  const homeWatch = new ContentWatch(home, onChange, options);
  return { ready: homeWatch.ready, close: () => homeWatch.close() };
}

class ContentWatch {
  readonly ready: Promise<void>;
  readonly #home: string;
  readonly #onChange: () => void;
  readonly #log: Log | undefined;
  readonly #debounceMs: number;
  readonly #watcher: FSWatcher;
  readonly #rescan: NodeJS.Timeout;
  /** The end of quiet, and the end of patience with a file that is being written all the time. */
  #debounce: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #hash: string | undefined;
  /** One hash at a time, in order. */
  #work: Promise<void>;
  #closed = false;

  constructor(
    home: string,
    onChange: () => void,
    { debounceMs = 100, rescanMs = 10_000, baseline, log }: WatchOptions,
  ) {
    this.#home = home;
    this.#onChange = onChange;
    this.#log = log;
    this.#hash = baseline;
    this.#debounceMs = debounceMs;
    this.#watcher = watch(home, { ignoreInitial: true, ignored: (path) => !isOurs(home, path) });
    this.#watcher.on('all', () => this.#soon());
    // A renamed link such as `..data` is an event of its folder alone.
    this.#watcher.on('raw', (_event, path, details) => {
      // chokidar says `unknown`; its handler passes the folder or file that the event came from.
      const { watchedPath } = details as { readonly watchedPath?: string };
      if (isOurs(home, join(watchedPath ?? home, path ?? ''))) this.#soon();
    });
    this.#watcher.on('error', (error) => this.#failed(error));
    const watching = new Promise<void>((resolve) => this.#watcher.once('ready', () => resolve()));
    this.#work = this.#compare();
    this.ready = Promise.all([watching, this.#work]).then(() => undefined);
    this.#rescan = setInterval(() => this.#enqueue(), rescanMs).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#rescan);
    this.#stopWaiting();
    await this.#watcher.close();
    await this.#work;
  }

  #soon(): void {
    if (this.#closed) return;
    clearTimeout(this.#debounce);
    this.#debounce = setTimeout(() => this.#enqueue(), this.#debounceMs);
    this.#patience ??= setTimeout(() => this.#enqueue(), 5 * this.#debounceMs);
  }

  #stopWaiting(): void {
    clearTimeout(this.#debounce);
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  #enqueue(): void {
    this.#stopWaiting();
    this.#work = this.#work.then(() => this.#compare());
  }

  /** Never rejects: a home that cannot be read just now is reported, and looked at again. */
  async #compare(): Promise<void> {
    if (this.#closed) return;
    try {
      const hash = await hashHome(this.#home);
      const isChange = this.#hash !== undefined && this.#hash !== hash;
      this.#hash = hash;
      if (isChange && !this.#closed) this.#onChange();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#log?.warn('home_watch_failed', { home: this.#home, error });
  }
}

/** The home itself, its three files, and its two folders with all that is in them; never data/ or node_modules/. `..data` is what a ConfigMap swaps. */
function isOurs(home: string, path: string): boolean {
  const [first, ...rest] = relative(home, join(path)).split(sep);
  if (first === '' || first === undefined) return true;
  if (first === 'probes' || first === 'remediations') return !rest.includes('node_modules');
  return first === 'brainstem.yml' || first === 'credentials.yaml' || first === '.env' || first.startsWith('..');
}
