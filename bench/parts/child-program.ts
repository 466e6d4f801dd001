/** A program of plain JavaScript beside this file, in a process of its own, that prints lines of JSON. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Cleanup } from './cleanups.ts';

/** Resolves, line by line as they come, with what it prints. Rejects unless it ends with 0 in time. */
export async function* linesOf<T>(
  program: string,
  argument: unknown,
  { withinMs, later }: { readonly withinMs: number; readonly later: (cleanup: Cleanup) => void },
): AsyncGenerator<T> {
  const argv = [join(import.meta.dirname, program), JSON.stringify(argument)];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'], timeout: withinMs });
  const ended = once(child, 'close');
  later(() => end(child, ended));
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as T;
  const [code, signal] = await ended;
  if (code !== 0) throw new Error(`${program} ended with ${code ?? signal}`);
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await ended;
}
