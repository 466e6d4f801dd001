/**
 * Starting a child so that it can do nothing before it is on record: it waits at a gate, a pipe on descriptor 3. If
 * we die before the gate opens, the child reads the end of the pipe and leaves without acting, so that a run whose
 * child was never recorded is proven not started.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { codeOf, messageOf } from '../errors.ts';
import { readProcess } from './process-table.ts';

export interface SpawnRequest {
  /** Absolute path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: 'pipe' | 'ignore';
  readonly gated: boolean;
}

export interface SpawnedChild {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly startTicks: number;
  /** Lets a gated child go on to its program. */
  open(): void;
  /** Sends a gated child away: it exits with 125. */
  refuse(): void;
}

export interface SpawnFailure {
  readonly code: string;
  readonly error: string;
}

/**
 * Invariant: this text is fixed. Program and arguments are positional parameters, which no shell parses; `exec` puts
 * the program into the very process that was recorded. PWD and its like are what shells add to the environment.
 */
const GATE = 'read -r word <&3 && [ "$word" = go ] || exit 125; unset word PWD OLDPWD SHLVL; exec "$@" 3<&-';

export async function spawnChild(request: SpawnRequest): Promise<SpawnedChild | SpawnFailure> {
  try {
    const child = request.gated ? spawnGated(request) : spawn(request.program, request.args, spawnOptions(request));
    if (child.pid === undefined) return failure((await once(child, 'error'))[0], request);
    return spawned(child, child.pid, child.stdio[3] as Writable | null | undefined);
  } catch (thrown) {
    // Some system errors, such as E2BIG, are thrown by spawn itself.
    return failure(thrown, request);
  }
}

function spawnGated(request: SpawnRequest): ChildProcess {
  const args = ['-c', GATE, 'gate', request.program, ...request.args];
  return spawn('/bin/sh', args, spawnOptions(request));
}

/** `detached` makes the child leader of a session and a process group of its own. */
function spawnOptions({ cwd, env, stdin, gated }: SpawnRequest): SpawnOptions {
  return {
    cwd,
    env: { ...env },
    detached: true,
    shell: false,
    stdio: [stdin, 'pipe', 'pipe', ...(gated ? ['pipe' as const] : [])],
  };
}

/** Before anything is awaited: the child cannot have been reaped yet, so that its entry in `/proc` is its own. */
function spawned(child: ChildProcess, pid: number, gate: Writable | null | undefined): SpawnedChild {
  const startTicks = readProcess(pid)?.startTicks ?? 0;
  // The child may be killed at the gate; its exit tells that.
  gate?.on('error', () => {});
  return { child, pid, startTicks, open: () => gate?.end('go\n', () => gate.destroy()), refuse: () => gate?.destroy() };
}

/** The program itself was found before, so what the system misses is what would interpret it. */
function failure(thrown: unknown, { program }: SpawnRequest): SpawnFailure {
  const code = codeOf(thrown);
  if (code === undefined) throw thrown;
  if (code === 'ENOENT')
    return { code, error: `${program}: its first line names no program that is there (are its line ends CR LF?)` };
  return { code, error: messageOf(thrown) };
}
