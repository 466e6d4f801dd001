/** A real supervisord of a test's own, on a free port of loopback and a unix socket: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const runFile = promisify(execFile);

export interface Supervisord {
  readonly url: string;
  readonly socket: string;
  readonly folder: string;
  /** `supervisorctl`. Its exit code does not matter. */
  control(...argv: string[]): Promise<string>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** @param programs sections of programs, such as `{ web: ['command=sleep 1000'] }`; `login` is asked for over TCP. */
export async function startSupervisord(
  programs: Readonly<Record<string, readonly string[]>>,
  login?: Credentials,
): Promise<Supervisord> {
  const folder = await mkdtemp(join(tmpdir(), 'supervisord-'));
  const port = await freePort();
  const socket = join(folder, 'supervisor.sock');
  const file = join(folder, 'supervisord.conf');
  await writeFile(file, configuration(folder, port, socket, programs, login));
  const control = async (...argv: string[]) => {
    const ran = runFile('/usr/bin/supervisorctl', ['-c', file, ...argv]);
    // It exits with 3 when a program does not run.
    const { stdout } = await ran.catch((error: { readonly stdout?: string }) => ({ stdout: error.stdout ?? '' }));
    return stdout.trim();
  };
  const server = serverProcess({
    command: '/usr/bin/supervisord',
    arguments: ['--nodaemon', '--configuration', file],
    ready: async () => /^\d+$/.test(await control('pid')),
  });
  const supervisord: Supervisord = {
    ...{ url: `http://127.0.0.1:${port}`, socket, folder, control },
    start: () => server.start(),
    async kill() {
      // What it had started would outlive it.
      await control('stop', 'all');
      await server.end('SIGKILL');
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async stop() {
      await server.end('SIGTERM');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await server.start();
    return supervisord;
  } catch (error) {
    await supervisord.stop();
    throw error;
  }
}

function configuration(
  folder: string,
  port: number,
  socket: string,
  programs: Readonly<Record<string, readonly string[]>>,
  login: Credentials | undefined,
): string {
  const who = login ? [`username=${login.user}`, `password=${login.password}`] : [];
  const sections: [string, readonly string[]][] = [
    [
      'supervisord',
      [
        'logfile=/dev/null',
        'logfile_maxbytes=0',
        `pidfile=${join(folder, 'pid')}`,
        `childlogdir=${folder}`,
        'user=root',
      ],
    ],
    ['rpcinterface:supervisor', ['supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface']],
    ['unix_http_server', [`file=${socket}`]],
    ['inet_http_server', [`port=127.0.0.1:${port}`, ...who]],
    ['supervisorctl', [`serverurl=unix://${socket}`]],
    ...Object.entries(programs).map(([name, lines]): [string, readonly string[]] => [
      name.includes(':') ? name : `program:${name}`,
      lines,
    ]),
  ];
  return sections.map(([name, lines]) => [`[${name}]`, ...lines, ''].join('\n')).join('\n');
}
