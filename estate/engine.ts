/**
 * Where the servers of the estate run: each in a container of a Docker engine of the estate's own, with the programs of this
 * machine inside of it, or as a child of ours where no engine can be started.
 */

import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Dockerd, dockerAvailable, startDockerd } from '../test/estate/dockerd.ts';
import { serverProcess } from '../test/estate/server-process.ts';

const runFile = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');
const IMAGE = 'estate:1';
const READY_MS = 60_000;

/** A server program, in the foreground. */
export interface Program {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly environment?: Readonly<Record<string, string>>;
  /** Folders that it writes to. */
  readonly folders?: readonly string[];
  /** Default: whoever runs the estate. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Rejects or answers false while it is not ready. */
  ready(): Promise<boolean>;
}

export interface Server {
  /** SIGKILL of its main process. */
  kill(): Promise<void>;
  /** Starts it again, and waits until it is ready. Nothing when it runs. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Its container; undefined: it is a child of ours. */
  readonly container: string | undefined;
  stop(): Promise<void>;
}

export interface Engine {
  /** Of the Docker engine; undefined: there is none. */
  readonly socket: string | undefined;
  run(program: Program): Promise<Server>;
  /** SIGSTOP and SIGCONT of the Docker engine. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Why servers do not run in containers here; undefined: they do. */
export const noEngine = dockerAvailable;

export async function startEngine(folder: string): Promise<Engine> {
  if (noEngine() !== undefined) {
    const nothing = { pause: () => undefined, resume: () => undefined, stop: async () => undefined };
    return { socket: undefined, run: runAsChild, ...nothing };
  }
  const docker = await startDockerd();
  try {
    await importImage(docker, folder);
  } catch (error) {
    await docker.stop();
    throw error;
  }
  return {
    socket: docker.socket,
    run: (program) => runInContainer(docker, program),
    pause: docker.hangEngine,
    resume: docker.resumeEngine,
    stop: docker.stop,
  };
}

/** An empty root with the links of a merged /usr: everything in it comes from this machine, read-only. */
async function importImage(docker: Dockerd, folder: string): Promise<void> {
  const root = join(folder, 'image');
  for (const name of ['usr', 'etc', 'tmp', 'run', 'var/tmp', 'root'])
    await mkdir(join(root, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(root, name));
  await runFile('tar', ['-C', root, '-cf', join(folder, 'image.tar'), '.']);
  await docker.run('import', join(folder, 'image.tar'), IMAGE);
}

async function runInContainer(docker: Dockerd, program: Program): Promise<Server> {
  const { name, argv, environment = {}, folders = [], user } = program;
  const readOnly = new Set(['/usr', '/etc', ROOT, dirname(process.execPath)]);
  await docker.run(
    ...['run', '-d', '--name', name, '--network', 'host', '--tmpfs', '/tmp:mode=1777'],
    ...[...readOnly].flatMap((path) => ['-v', `${path}:${path}:ro`]),
    ...folders.flatMap((path) => ['-v', `${path}:${path}`]),
    ...Object.entries(environment).flatMap(([key, value]) => ['-e', `${key}=${value}`]),
    ...(user ? ['--user', `${user.uid}:${user.gid}`] : []),
    ...[IMAGE, ...argv],
  );
  const inspect = (field: string) => docker.run('inspect', '-f', `{{.State.${field}}}`, name);
  const signal = async (signalName: NodeJS.Signals) => {
    const pid = Number(await inspect('Pid'));
    if (pid > 0) process.kill(pid, signalName);
  };
  const logs = () => docker.run('logs', '--tail', '20', name);
  await untilReady(program, async () => (await inspect('Running')) === 'true', logs);
  return {
    container: name,
    async kill() {
      await signal('SIGKILL');
      await docker.run('wait', name);
    },
    async start() {
      await signal('SIGCONT');
      await docker.run('start', name);
      await untilReady(program, async () => (await inspect('Running')) === 'true', logs);
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    // The engine ends all of its containers at once.
    stop: async () => undefined,
  };
}

async function untilReady(
  { name, ready }: Program,
  runs: () => Promise<boolean>,
  logs: () => Promise<string>,
): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (!(await ready().catch(() => false))) {
    if (performance.now() > deadline || !(await runs())) throw new Error(`${name} did not start: ${await logs()}`);
    await sleep(100);
  }
}

async function runAsChild({ argv, environment = {}, ready, user }: Program): Promise<Server> {
  const [command, ...rest] = argv;
  const as = user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  const [first = command, ...others] = [...as, command, ...rest];
  const child = serverProcess({ command: first, arguments: others, environment, ready, startMs: READY_MS });
  let runs = false;
  const start = async () => {
    child.signal('SIGCONT');
    if (!runs) await child.start();
    runs = true;
  };
  await start();
  return {
    container: undefined,
    start,
    async kill() {
      await child.end('SIGKILL');
      runs = false;
    },
    pause: async () => child.signal('SIGSTOP'),
    resume: async () => child.signal('SIGCONT'),
    stop: () => child.end('SIGKILL'),
  };
}
