/**
 * A real systemd of a test's own: a minimal Debian booted by systemd-nspawn, which shares this machine's loopback. What a test
 * changes in it is in memory and gone with it; the root itself is made once, from the machine's own package sources.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { until } from './daemon.ts';

const runFile = promisify(execFile);
const CACHE = resolve(import.meta.dirname, '../../.cache');
const SOURCES = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'];
/** libstdc++6 is what the machine's node needs. */
const PACKAGES = 'systemd,systemd-sysv,dbus,libstdc++6';
const BOOT_MS = 60_000;

export interface Systemd {
  /** A program in there, as root; resolves to its trimmed standard output. */
  run(...argv: string[]): Promise<string>;
  /** What stands before a program of this machine to run it in there. */
  enter(): Promise<readonly string[]>;
  /** Powers it off. */
  stop(): Promise<void>;
}

/** `binds` are paths of this machine by the paths that they have in there, read-only. */
export async function bootSystemd({ binds }: { readonly binds: Readonly<Record<string, string>> }): Promise<Systemd> {
  const root = await rootFileSystem();
  const container = spawn(
    'systemd-nspawn',
    [
      ...['--directory', root, '--boot', '--volatile=overlay', `--machine=brainstem-${process.pid}`],
      ...['--register=no', '--keep-unit', '--settings=no', '--console=pipe', '--quiet', '--resolv-conf=off'],
      ...Object.entries(binds).map(([inside, path]) => `--bind-ro=${path}:${inside}`),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let console = '';
  // It was not started: nothing ends then.
  container.once('error', ({ message }) => {
    console = message;
  });
  for (const stream of [container.stdout, container.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      console = (console + chunk.toString()).slice(-4_096);
    });
  }
  const enter = async () => ['nsenter', '--target', await leaderOf(container), '--all'];
  const systemd: Systemd = {
    enter,
    run: async (...argv) => {
      const [program = '', ...words] = await enter();
      const { stdout } = await runFile(program, [...words, ...argv]);
      return stdout.trim();
    },
    stop: () => powerOff(container),
  };
  try {
    await until(async () => /^(running|degraded)$/.test(await stateOf(systemd)), {
      ...{ what: 'systemd to have booted', withinMs: BOOT_MS },
      giveUp: () => hasEnded(container) && `it ended: ${console}`,
    });
    return systemd;
  } catch (error) {
    await systemd.stop();
    throw error;
  }
}

/** `systemctl is-system-running` tells a state by its output, whatever its exit code. */
function stateOf({ run }: Systemd): Promise<string> {
  return run('sh', '-c', 'systemctl is-system-running || true');
}

/** The first process in there is nspawn's only child. */
async function leaderOf({ pid }: ChildProcess): Promise<string> {
  const [leader] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  if (!leader) throw new Error('systemd-nspawn has not started systemd yet');
  return leader;
}

function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

async function powerOff(container: ChildProcess): Promise<void> {
  if (hasEnded(container)) return;
  const exited = once(container, 'exit');
  // SIGTERM to nspawn powers off in order; a second one, which comes when that takes long, ends everything in there.
  container.kill('SIGTERM');
  const impatient = setTimeout(() => container.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(impatient);
}

/** Made once, and kept in the cache. */
export async function rootFileSystem(): Promise<string> {
  const root = join(CACHE, 'systemd-root');
  if (existsSync(root)) return root;
  await mkdir(CACHE, { recursive: true });
  const unfinished = `${root}.${process.pid}`;
  const sources = SOURCES.find((path) => existsSync(path));
  if (sources === undefined) throw new Error(`none of ${SOURCES.join(', ')} names Debian's package sources`);
  try {
    await runFile('mmdebstrap', ['--variant=minbase', `--include=${PACKAGES}`, 'bookworm', unfinished, sources]);
    // Another test file may have made it meanwhile.
    if (!existsSync(root)) await rename(unfinished, root);
    return root;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}
