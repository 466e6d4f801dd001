/**
 * The daemon as its users have it: the built program in a process of its own, on a home of files, asked over HTTP.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../dist/main.js');

export interface Home {
  readonly path: string;
  /** Writes files of the home by their relative paths. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  remove(): Promise<void>;
}

export async function createHome(files: Readonly<Record<string, string>> = {}): Promise<Home> {
  const home = homeAt(await mkdtemp(join(tmpdir(), 'brainstem-home-')));
  await home.write(files);
  return home;
}

/** A home in a folder of the caller's choice. */
export function homeAt(path: string): Home {
  return {
    path,
    async write(written) {
      for (const [name, text] of Object.entries(written)) {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), text);
      }
    },
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
}

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Daemon {
  readonly pid: number;
  readonly url: string;
  /** Parsed lines of its log so far. */
  readonly log: readonly LogLine[];
  /** Everything it printed that is not a log line. */
  output(): string;
  /** JSON of an API path; `body` makes it a POST. Throws on a status of 400 or more. */
  api<T = Record<string, unknown>>(path: string, body?: unknown): Promise<T>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
}

export interface DaemonOptions {
  readonly home: Home;
  /** Default: a free port. */
  readonly port?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeArguments?: readonly string[];
  /** Program and arguments that end by running it in their place. */
  readonly before?: readonly string[];
  /** Default: wait until it is ready. */
  readonly ready?: boolean;
}

const READY_MS = 30_000;

/** Starts the daemon; the home's brainstem.yml must take `http.listen` from `${LISTEN}`, or be absent. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const port = options.port ?? (await freePort());
  const argv = [process.execPath, ...(options.nodeArguments ?? []), MAIN, 'run', '--home', options.home.path];
  const [program = '', ...rest] = [...(options.before ?? []), ...argv];
  const child = spawn(program, rest, {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      LISTEN: `127.0.0.1:${port}`,
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const daemon = attach(child, port);
  if (options.ready === false) return daemon;
  try {
    await until(
      async () =>
        (await daemon.fetch('/-/ready')).status === 200 || daemon.log.some(({ event }) => event === 'started'),
      {
        withinMs: READY_MS,
        what: 'the daemon to be ready',
        giveUp() {
          const end = child.exitCode ?? child.signalCode;
          return end !== null && `it ended with ${end}:\n${daemon.output()}`;
        },
      },
    );
  } catch (error) {
    await daemon.kill();
    throw error;
  }
  return daemon;
}

function attach(child: ChildProcess, port: number): Daemon {
  const url = `http://127.0.0.1:${port}`;
  const log: LogLine[] = [];
  let other = '';
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('{')) log.push(JSON.parse(line) as LogLine);
      else other += `${line}\n`;
    }
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    other += chunk.toString();
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const request = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { signal: AbortSignal.timeout(20_000), ...init });
  return {
    pid: child.pid ?? 0,
    url,
    log,
    output: () => other + rest,
    fetch: request,
    async api<T>(path: string, body?: unknown) {
      const init =
        body === undefined
          ? {}
          : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const response = await request(`/api/v1/${path}`, init);
      if (response.status >= 400) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    async stop() {
      if (!isOver()) child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      if (!isOver()) child.kill('SIGKILL');
      await exited;
    },
    signal: (signal) => void child.kill(signal),
    exited,
  };
}

export interface UntilOptions {
  readonly withinMs?: number;
  readonly what: string;
  /** A text ends the waiting at once: it cannot come true any more. */
  giveUp?(): string | false | undefined;
}

const POLL_MS = 50;

/** What is left of a type when a condition holds. */
export type Truthy<T> = Exclude<T, false | 0 | '' | null | undefined>;

/** Waits until the check gives a truthy value, and returns it. A check that throws is not true yet. */
export async function until<T>(
  check: () => Promise<T> | T,
  { withinMs = 20_000, what, giveUp }: UntilOptions,
): Promise<Truthy<T>> {
  const end = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const value = await check();
      if (value) return value as Truthy<T>;
    } catch (error) {
      last = error;
    }
    const hopeless = giveUp?.();
    if (hopeless) throw new Error(`waited for ${what}, but ${hopeless}`);
    await new Promise((resume) => setTimeout(resume, POLL_MS));
  }
  throw new Error(`waited ${withinMs} ms for ${what}`, { cause: last });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
