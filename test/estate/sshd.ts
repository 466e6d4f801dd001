/** A real OpenSSH server with a host key of its own, on a free port of loopback: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

export interface SshServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startSshd(): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sshd-'));
  const key = join(folder, 'key');
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  // Where it puts its helpers; nothing else makes it without systemd.
  await mkdir('/run/sshd', { recursive: true });
  const port = await freePort();
  const options = ['ListenAddress=127.0.0.1', `HostKey=${key}`, 'PidFile=none', 'UsePAM=no'];
  const server = serverProcess({
    command: '/usr/sbin/sshd',
    arguments: ['-D', '-e', '-f', '/dev/null', '-p', String(port), ...options.flatMap((option) => ['-o', option])],
    ready: () => answers(port),
  });
  const stop = async () => {
    await server.end('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

/** Whether somebody accepts connections there. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
