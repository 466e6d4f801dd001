/** Runs one command line in this process, and says what it printed and with what it exited. */
import type { CliIo } from '../../src/cli/io.ts';
import { runProgram } from '../../src/cli/program.ts';
import { clock } from '../server/world.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

export async function runCommand(
  argv: readonly string[],
  environment: CliIo['environment'] = {},
  color = false,
): Promise<Ran> {
  const printed = { out: '', err: '' };
  const io: CliIo = {
    out: (text) => {
      printed.out += text;
    },
    err: (text) => {
      printed.err += text;
    },
    environment,
    isTerminal: color,
    color,
  };
  const exit = await runProgram(argv, io, {
    version: '1.2.3',
    clock,
    random: () => 0.5,
    process: { pid: 1, cpuMs: () => 0, uptimeMs: () => 0, memoryBytes: () => 0, compactHeap: () => undefined },
    terminated: Promise.resolve('SIGTERM'),
    onHangup: () => undefined,
  });
  return { exit, ...printed };
}
