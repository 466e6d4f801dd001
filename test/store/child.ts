/** Real processes with a store of their own, to be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Writer {
  /** What it said is committed, so far. */
  readonly committed: readonly string[];
  /** Resolves at the first commit. */
  readonly started: Promise<void>;
  kill(): Promise<void>;
}

/** `complaints: 'ignore'` where one is meant to be refused. */
export function startWriter(home: string, run: number, complaints: 'inherit' | 'ignore' = 'inherit'): Writer {
  const script = fileURLToPath(new URL('./writer.ts', import.meta.url));
  const args = ['--import', 'jiti/register', script, home, String(run)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', complaints] });
  const committed: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => committed.push(line));
  return {
    committed,
    started: firstLine(lines, child),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}

async function firstLine(lines: ReturnType<typeof createInterface>, child: ChildProcess): Promise<void> {
  await Promise.race([once(lines, 'line'), once(child, 'exit')]);
}
