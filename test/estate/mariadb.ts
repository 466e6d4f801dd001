/** A real MariaDB of a test's own, on a free port of loopback: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const runFile = promisify(execFile);

export interface MariadbServer {
  readonly port: number;
  /** `mysql://USER@127.0.0.1:PORT/NAME`; root needs no password here. */
  url(database?: string, login?: string): string;
  /** Runs SQL as root and resolves to its output, rows by line, columns split by tabs. */
  sql(statements: string): Promise<string>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: connects are accepted by the kernel, and nobody answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** @param settings further options, such as `--max-connections=10`. */
export async function startMariadb(settings: readonly string[] = []): Promise<MariadbServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mariadb-'));
  const data = join(folder, 'data');
  const socket = join(folder, 'socket');
  const port = await freePort();
  const sql = async (statements: string) =>
    (await runFile('mariadb', ['--no-defaults', '-S', socket, '-uroot', '-N', '-B', '-e', statements])).stdout.trim();
  const server = serverProcess({
    command: 'mariadbd',
    arguments: [
      ...['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, '--user=root', `--port=${port}`],
      ...['--bind-address=127.0.0.1', '--skip-name-resolve', `--pid-file=${join(folder, 'pid')}`],
      // Small and quick: nothing here has to survive a loss of power.
      ...['--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M', '--innodb-flush-log-at-trx-commit=0'],
      ...['--performance-schema=OFF', '--aria-pagecache-buffer-size=1M', '--key-buffer-size=1M'],
      ...settings,
    ],
    ready: async () => (await sql('select 1')) === '1',
  });
  const mariadb: MariadbServer = {
    port,
    url: (database = '', login = 'root') => `mysql://${login}@127.0.0.1:${port}/${database}`,
    sql,
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await install(data);
    await server.start();
    return mariadb;
  } catch (error) {
    await mariadb.stop();
    throw error;
  }
}

async function install(data: string): Promise<void> {
  await runFile('mariadb-install-db', [
    ...['--no-defaults', `--datadir=${data}`, '--user=root', '--skip-test-db'],
    ...['--auth-root-authentication-method=normal', '--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M'],
  ]);
}
