/** A real PostgreSQL 15 of a test's own, on a free port of loopback: everything it made is gone after `stop`. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const runFile = promisify(execFile);
const BIN = '/usr/lib/postgresql/15/bin';

export interface PostgresServer {
  readonly port: number;
  /** Of the postmaster, while it runs. */
  readonly pid: number | undefined;
  /** `postgres://postgres@127.0.0.1:PORT/NAME`; the superuser needs no password here. Default: `postgres`. */
  url(database?: string): string;
  /** Creates an empty database, unless it is there already, and resolves to its URL. */
  createDatabase(name: string): Promise<string>;
  /** Runs SQL with psql and resolves to its output, rows by line, columns split by `|`. */
  psql(sql: string, database?: string): Promise<string>;
  /** Gives files of its data directory to its user. */
  own(names: readonly string[]): Promise<void>;
  start(): Promise<void>;
  /** SIGKILL of the postmaster, whose children then leave by themselves. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT of the postmaster: connects are accepted by the kernel, and nobody answers. */
  pause(): void;
  resume(): void;
  /** A fast shutdown; `start` starts it again. */
  shutDown(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param settings further `-c` settings, such as `max_connections=20`.
 * @param from `folder` outlives `stop`, and its databases are taken up again (default: one of its own); `primary` is what it is
 *   a replica of, which must have started with `wal_level=replica` or more, the default.
 */
export async function startPostgres(
  settings: readonly string[] = [],
  from: { readonly folder?: string; readonly primary?: PostgresServer } = {},
): Promise<PostgresServer> {
  const { folder: kept, primary } = from;
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'postgres-')));
  const { uid, gid } = postgresUser();
  await mkdir(folder, { recursive: true });
  await chown(folder, uid, gid);
  const data = join(folder, 'data');
  if (!existsSync(data)) {
    await asPostgres(
      primary
        ? [`${BIN}/pg_basebackup`, '-D', data, '-R', '--no-sync', '-c', 'fast', '-d', primary.url()]
        : [`${BIN}/initdb`, '-D', data, '-A', 'trust', '--no-sync', '-U', 'postgres', '-E', 'UTF8'],
    );
  }
  const port = await freePort();
  const server = serverProcess({
    command: 'setpriv',
    arguments: [
      ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', `${BIN}/postgres`, '-D', data, '-p', String(port)],
      ...['-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`],
      ...settings.flatMap((setting) => ['-c', setting]),
    ],
    ready: async () => (await runFile(`${BIN}/pg_isready`, ['-h', '127.0.0.1', '-p', String(port)])).stdout !== '',
  });
  const url = (database = 'postgres') => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const psql = async (sql: string, database?: string) =>
    (await runFile('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', sql, url(database)])).stdout.trim();
  const postgres: PostgresServer = {
    port,
    get pid() {
      return server.pid;
    },
    url,
    psql,
    async createDatabase(name) {
      const count = await psql(`select count(*) from pg_database where datname = '${name}'`);
      if (count === '0') await psql(`create database "${name}"`);
      return url(name);
    },
    own: async (names) => {
      for (const name of names) await chown(join(data, name), uid, gid);
    },
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    shutDown: () => server.end('SIGINT'),
    async stop() {
      await server.end('SIGQUIT');
      if (kept === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
  try {
    await server.start();
    return postgres;
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

/** PostgreSQL refuses to run as root. */
function postgresUser(): { readonly uid: number; readonly gid: number } {
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  if (!uid || !gid) throw new Error('there is no user postgres: install postgresql-15');
  return { uid, gid };
}

async function asPostgres(command: readonly string[]): Promise<void> {
  await runFile('runuser', ['-u', 'postgres', '--', ...command]);
}
