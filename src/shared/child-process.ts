/**
 * Running somebody's program: no shell, a whitelisted environment, a session of its own, bounded output, and a
 * deadline that ends everything the program started.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setImmediate as nextLoop, setTimeout as sleep } from 'node:timers/promises';
import { AppError, messageOf } from '../errors.ts';
import { type CapturedOutput, createCapture, type OutputCapture } from './captured-output.ts';
import { findExecutable } from './executable.ts';
import { type SpawnedChild, spawnChild } from './gated-spawn.ts';
import type { ProcessIdentity } from './process-table.ts';
import { KILL_GRACE_MS, killTree, RUN_VARIABLE } from './process-tree.ts';
import { createDisposer } from './spent-buffers.ts';

export { findOrphan, killOrphan } from './process-tree.ts';

export interface ChildOptions {
  /** Program and arguments, passed on byte by byte. With a slash the program is relative to `cwd`, else on PATH. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** All that the child sees, plus `BRAINSTEM_RUN`. Made by `childEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** Default: empty. A child that does not read it is no error. */
  readonly stdin?: string;
  /** Aborts at the deadline: TERM, after `graceMs` KILL, for everything that was started. */
  readonly signal: AbortSignal;
  /** Default: 2 s. */
  readonly graceMs?: number;
  /** Awaited before the program starts. When it rejects, or we die meanwhile, the program never runs. */
  onStart?(child: ProcessIdentity): Promise<void>;
  /** One capture for both streams, in order of arrival: `stdout` and `stderr` are then the same. Default: false. */
  readonly mergeOutput?: boolean;
  /** Kept of each stream's beginning and end. Default: 64 KiB each. */
  readonly headBytes?: number;
  readonly tailBytes?: number;
}

interface Output {
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
}

export type ChildResult =
  /** Its own process ended; what it left behind lives on. A death by signal is 128 + n, as shells say it. */
  | ({ readonly kind: 'exited'; readonly exitCode: number; readonly signal?: NodeJS.Signals } & Output)
  /** The signal aborted. `survivors` hang in the kernel or may not be signalled: normally none. */
  | ({ readonly kind: 'killed'; readonly why: string; readonly survivors: readonly ProcessIdentity[] } & Output)
  /** The program did nothing at all. `code` is a system error such as `ENOENT`, or `aborted`. */
  | { readonly kind: 'not_started'; readonly code: string; readonly error: string };

/**
 * Runs a program until its own process ends, even while its children hold the output open, or until the signal aborts.
 * Errors: `child_not_recorded` when `onStart` rejects. Whatever else happens is a result.
 */
export async function runChild(options: ChildOptions): Promise<ChildResult> {
  const program = await findExecutable(options.argv[0], options.cwd, options.env['PATH'] ?? '');
  if (!program.found) return { kind: 'not_started', code: program.code, error: program.error };
  if (options.signal.aborted) return notStartedInTime(options.signal);
  const marker = randomUUID();
  const spawned = await spawnChild({
    program: program.path,
    args: options.argv.slice(1),
    cwd: options.cwd,
    env: { ...options.env, [RUN_VARIABLE]: marker },
    stdin: options.stdin === undefined ? 'ignore' : 'pipe',
    gated: options.onStart !== undefined,
  });
  if (!('child' in spawned)) return { kind: 'not_started', ...spawned };
  const running = follow(spawned, marker, options);
  // Before the gate opens: the program finds its whole input, also when we die the moment after.
  feed(spawned.child.stdin, options.stdin);
  return (await letGo(running, options)) ? supervise(running, options) : notStartedInTime(options.signal);
}

interface Running {
  readonly spawned: SpawnedChild;
  readonly marker: string;
  readonly exited: Promise<Exit>;
  /** Exited, and nobody holds its output open. */
  readonly closed: Promise<unknown>;
  /** How many pieces of output came so far. */
  readonly chunks: () => number;
  readonly output: () => Output;
}

interface Exit {
  readonly exitCode: number;
  readonly signal?: NodeJS.Signals;
}

/** Listens from the first moment on: nothing that the child says or does is missed. */
function follow(spawned: SpawnedChild, marker: string, options: ChildOptions): Running {
  const stdout = createCapture(options.headBytes, options.tailBytes);
  const stderr = options.mergeOutput ? stdout : createCapture(options.headBytes, options.tailBytes);
  const dispose = createDisposer();
  let chunks = 0;
  const capture = (stream: Readable | null, into: OutputCapture) =>
    stream?.on('data', (chunk: Buffer) => {
      chunks += 1;
      into.add(chunk);
      dispose(chunk);
    });
  capture(spawned.child.stdout, stdout);
  capture(spawned.child.stderr, stderr);
  return {
    spawned,
    marker,
    exited: exitOf(spawned.child),
    closed: new Promise((resolve) => spawned.child.once('close', resolve)),
    chunks: () => chunks,
    output: () => ({ stdout: stdout.result(), stderr: stderr.result() }),
  };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (exitCode, signal) =>
      resolve(signal === null ? { exitCode: exitCode ?? 0 } : { exitCode: 128 + constants.signals[signal], signal }),
    );
  });
}

/** Puts the child on record, then opens the gate. False: the time was up before, and the program never ran. */
async function letGo({ spawned, exited }: Running, options: ChildOptions): Promise<boolean> {
  if (!options.onStart) return true;
  const { pid, startTicks } = spawned;
  try {
    const recorded = await unlessAborted(options.onStart({ pid, startTicks }), options.signal);
    if (recorded !== 'aborted') {
      spawned.open();
      return true;
    }
    spawned.refuse();
  } catch (thrown) {
    spawned.refuse();
    await exited;
    throw new AppError('child_not_recorded', 'the child could not be recorded, so its program was not started', {
      cause: thrown,
    });
  }
  await exited;
  return false;
}

async function supervise(running: Running, options: ChildOptions): Promise<ChildResult> {
  const { child, pid, startTicks } = running.spawned;
  const end = await unlessAborted(running.exited, options.signal);
  if (end !== 'aborted') {
    await drain(running);
    const output = running.output();
    abandon(child);
    return { kind: 'exited', ...end, ...output };
  }
  const survivors = await killTree({ pid, startTicks }, running.marker, options.graceMs ?? KILL_GRACE_MS);
  await drain(running);
  const output = running.output();
  for (const stream of child.stdio) stream?.destroy();
  return { kind: 'killed', why: messageOf(options.signal.reason), survivors, ...output };
}

/** The child decides how much it reads: a closed pipe (EPIPE) is its right, and its exit code says the rest. */
function feed(stdin: Writable | null, text: string | undefined): void {
  stdin?.on('error', () => {});
  stdin?.end(text);
}

/** How long to wait for output that is still in the pipe after the exit. */
const QUIET_MS = 25;
const DRAIN_MS = 500;

/**
 * Reads what was written before the exit. Children that hold the output open do not close it, so the end is either
 * the streams' end or a turn of the loop, long enough to read, that brought nothing new.
 */
async function drain({ closed, chunks }: Running): Promise<void> {
  const ended = closed.then(() => 'ended');
  for (let waitedMs = 0; waitedMs < DRAIN_MS; waitedMs += QUIET_MS) {
    const before = chunks();
    // A busy loop may fire the timer before it has read: the poll phase stands between the timer and `nextLoop`.
    if ((await Promise.race([ended, sleep(QUIET_MS).then(() => nextLoop())])) === 'ended') return;
    if (chunks() === before) return;
  }
}

/**
 * What the run left behind may still print: its output is read on and dropped, because a closed pipe would kill it.
 * It does not keep us alive.
 */
function abandon(child: ChildProcess): void {
  for (const stream of [child.stdout, child.stderr]) {
    stream?.removeAllListeners('data');
    stream?.resume();
    if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
  }
}

/** `aborted` as soon as the signal aborts; the listener is gone when this returns. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  let onAbort = () => {};
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function notStartedInTime(signal: AbortSignal): ChildResult {
  return { kind: 'not_started', code: 'aborted', error: `not started: ${messageOf(signal.reason)}` };
}
