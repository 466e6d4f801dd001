/** Processes that are no children of this one: started by a shell that has gone, as a service is. Ended with the test. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { isAlive, readProcess } from '../../src/shared/process-table.ts';
import { sleep } from './hostile-network.ts';

const run = promisify(execFile);
const START = 'setsid "$@" </dev/null >/dev/null 2>&1 & echo $!';

export interface Stranger {
  readonly pid: number;
  /** Waits until it is dead, or a zombie that nobody has looked at yet. */
  end(): Promise<void>;
}

export async function startStranger(...argv: readonly [string, ...string[]]): Promise<Stranger> {
  const { stdout } = await run('/bin/sh', ['-c', START, 'sh', ...argv]);
  const pid = Number(stdout);
  const startTicks = readProcess(pid)?.startTicks;
  const isThere = () => {
    const entry = readProcess(pid);
    return entry?.startTicks === startTicks && entry !== undefined && isAlive(entry);
  };
  const end = async () => {
    if (isThere()) process.kill(pid, 'SIGKILL');
    while (isThere()) await sleep(10);
  };
  onTestFinished(end);
  while (isThere() && readProcess(pid)?.parentPid === process.pid) await sleep(10);
  return { pid, end };
}
