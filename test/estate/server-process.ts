/** A server program of a test's own, in the foreground as a direct child: started, killed, paused and started again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 30_000;

export interface ServerProcess {
  readonly pid: number | undefined;
  /** Starts it (again) and waits until it answers. */
  start(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal (continuing it first when it was stopped) and waits for its end. Nothing when it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** The last 4 KiB that it complained. */
  complaints(): string;
}

export interface ServerProgram {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Rejects or answers false while it is not ready. */
  ready(): Promise<boolean>;
  /** How long it may take to get ready. Default: 30 s. */
  readonly startMs?: number;
}

export function serverProcess(program: ServerProgram): ServerProcess {
  let child: ChildProcess | undefined;
  let complaints = '';
  const isAlive = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  return {
    get pid() {
      return child?.pid;
    },
    async start() {
      const started = spawn(program.command, program.arguments, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...program.environment },
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (chunk: Buffer) => {
          complaints = (complaints + chunk.toString()).slice(-4_096);
        });
      }
      let spawnError: unknown;
      started.on('error', (error) => {
        spawnError = error;
      });
      const deadline = Date.now() + (program.startMs ?? START_MS);
      while (!(await program.ready().catch(() => false))) {
        if (spawnError || !isAlive() || Date.now() > deadline) {
          throw new Error(`${program.command} did not start: ${complaints}`, { cause: spawnError });
        }
        await sleep(50);
      }
    },
    signal: (signal) => void child?.kill(signal),
    async end(signal) {
      if (!child || !isAlive()) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      child.kill('SIGCONT');
      await exited;
    },
    complaints: () => complaints,
  };
}

/** Whether somebody accepts connections on a port of loopback. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
