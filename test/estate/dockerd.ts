/** A real Docker engine of a test's own, with a busybox image and no network: everything it made is gone after `stop`. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const runFile = promisify(execFile);
const COMMANDS = ['sh', 'httpd', 'sleep', 'wget', 'rm', 'touch', 'test', 'echo', 'cat', 'kill', 'tail'];
const START_MS = 60_000;

/** The image of every test: busybox, with `IMAGE_HEALTHY` checking every 0.5 s that /tmp/sick does not exist. */
export const IMAGE = 'bb:1';
export const IMAGE_HEALTHY = 'bb-healthy:1';

/** Why no engine can be started here; undefined: it can. */
export function dockerAvailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'dockerd needs root';
  const found = spawnSync('sh', [
    '-c',
    'command -v dockerd && command -v runc && test -x /usr/bin/docker && test -x /bin/busybox',
  ]);
  return found.status === 0 ? undefined : 'docker.io, runc and busybox-static are not installed';
}

export interface Dockerd {
  readonly socket: string;
  /** The docker command line on this engine; resolves to its trimmed standard output. */
  run(...args: string[]): Promise<string>;
  /** SIGTERM (which stops the containers), then a new engine on the same data. */
  restartEngine(): Promise<void>;
  stopEngine(): Promise<void>;
  /** SIGKILL: the containers go on. */
  killEngine(): Promise<void>;
  startEngine(): Promise<void>;
  /** SIGSTOP and SIGCONT: an engine that accepts connections and answers nothing. */
  hangEngine(): void;
  resumeEngine(): void;
  stop(): Promise<void>;
}

export async function startDockerd(): Promise<Dockerd> {
  const folder = await mkdtemp(join(tmpdir(), 'dockerd-'));
  const socket = join(folder, 'docker.sock');
  const pidFile = join(folder, 'pid');
  let engine: ReturnType<typeof spawn> | undefined;
  let complaints = '';

  async function run(...args: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(folder, 'config') };
    const { stdout } = await runFile('/usr/bin/docker', ['-H', `unix://${socket}`, ...args], { env });
    return stdout.trim();
  }

  async function startEngine(): Promise<void> {
    engine = spawn('dockerd', flagsOf(folder, socket, pidFile), { stdio: ['ignore', 'ignore', 'pipe'] });
    engine.stderr?.on('data', (chunk: Buffer) => {
      complaints = (complaints + chunk.toString()).slice(-4_096);
    });
    const deadline = Date.now() + START_MS;
    while (!(await answers(run))) {
      if (engine.exitCode !== null || Date.now() > deadline) throw new Error(`dockerd did not start: ${complaints}`);
      await sleep(100);
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const containerd = join(folder, 'exec/containerd/containerd.pid');
    const pid = await readFile(containerd, 'utf8').catch(() => '');
    if (engine && engine.exitCode === null && engine.signalCode === null) {
      const exited = once(engine, 'exit');
      engine.kill('SIGCONT');
      engine.kill(signal);
      await exited;
    }
    // A new dockerd waits for a containerd that is already dead while this file names a zombie.
    while (pid !== '' && (await exists(`/proc/${pid}`))) await sleep(50);
    await rm(containerd, { force: true });
    await rm(pidFile, { force: true });
  }

  async function stop(): Promise<void> {
    try {
      if (!(await answers(run))) {
        await end('SIGKILL');
        await startEngine();
      }
      const ids = (await run('ps', '-aq')).split('\n').filter(Boolean);
      if (ids.length > 0) await run('rm', '-f', ...ids);
      await end('SIGTERM');
    } finally {
      await end('SIGKILL');
      unmountBelow(folder);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  }

  const dockerd: Dockerd = {
    socket,
    run,
    startEngine,
    stopEngine: () => end('SIGTERM'),
    killEngine: () => end('SIGKILL'),
    restartEngine: async () => {
      await end('SIGTERM');
      await startEngine();
    },
    hangEngine: () => void engine?.kill('SIGSTOP'),
    resumeEngine: () => void engine?.kill('SIGCONT'),
    stop,
  };
  try {
    await startEngine();
    await buildImages(folder, run);
    return dockerd;
  } catch (error) {
    await stop();
    throw error;
  }
}

function flagsOf(folder: string, socket: string, pidFile: string): string[] {
  return [
    ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', pidFile],
    ...['--host', `unix://${socket}`, '--bridge=none', '--storage-driver', 'overlay2'],
    ...['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
  ];
}

/** Two images without a registry: an imported root file system, and a health check on top of it. */
async function buildImages(folder: string, run: Dockerd['run']): Promise<void> {
  const root = join(folder, 'root');
  for (const part of ['bin', 'etc', 'tmp']) await mkdir(join(root, part), { recursive: true });
  await cp('/bin/busybox', join(root, 'bin/busybox'));
  for (const command of COMMANDS) await symlink('busybox', join(root, 'bin', command));
  await runFile('tar', ['-C', root, '-cf', join(folder, 'image.tar'), '.']);
  await run('import', join(folder, 'image.tar'), IMAGE);
  await mkdir(join(folder, 'build'));
  const check =
    '--interval=500ms --timeout=1s --retries=2 CMD ["/bin/sh", "-c", "test ! -e /tmp/sick || { echo sick; exit 1; }"]';
  await writeFile(join(folder, 'build/Dockerfile'), `FROM ${IMAGE}\nHEALTHCHECK ${check}\n`);
  await run('build', '-q', '-t', IMAGE_HEALTHY, join(folder, 'build'));
}

async function answers(run: Dockerd['run']): Promise<boolean> {
  return run('version').then(
    () => true,
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Overlay and shm mounts that an engine killed in the middle leaves behind. */
function unmountBelow(folder: string): void {
  const mounts = spawnSync('cat', ['/proc/mounts'], { encoding: 'utf8' }).stdout;
  const points = mounts.split('\n').flatMap((line) => line.split(' ')[1] ?? []);
  for (const point of points.filter((path) => path.startsWith(`${folder}/`)).reverse())
    spawnSync('umount', ['-l', point]);
}
