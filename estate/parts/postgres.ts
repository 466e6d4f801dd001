/** PostgreSQL 15 with the core tables, the agents' tables and the vault, and a role for each who looks. */
import { execFile, spawnSync } from 'node:child_process';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

const runFile = promisify(execFile);
const BIN = '/usr/lib/postgresql/15/bin';
const CORE_TABLES = ['customers', 'jobs', 'estimates', 'invoices'];

export interface Postgres extends StartedPart {
  readonly server: Server;
  /** Runs statements as the superuser. */
  sql(statements: string): Promise<void>;
  /** Opens so many sessions, as applications do that give none back. */
  openSessions(count: number): Promise<void>;
  closeSessions(): Promise<void>;
}

const TABLES = `
create role watcher login; grant pg_monitor to watcher;
create role fixer login; grant pg_read_all_stats, pg_signal_backend to fixer;
create role agents login; create role keeper login; create role app login;
${CORE_TABLES.map((table) => `create table ${table} as select generate_series(1, 100) as id; grant select on ${table} to watcher;`).join('\n')}
create table agents_known as select 'agent-' || id as name, false as silent from generate_series(1, 34) id;
create view ai_agents as select name, case when silent then now() - interval '1 hour' else now() end as last_heartbeat from agents_known;
create table neural_pathways as select generate_series(1, 100) as id;
create table persistent_memory as select generate_series(1, 100) as id;
create table master_credentials as select id, 'ciphertext'::text as token from generate_series(1, 5) id;
create table credential_audit_log as select generate_series(1, 100) as id;
grant select on ai_agents, neural_pathways, persistent_memory to agents;
grant select (id) on master_credentials to keeper; grant select (id) on credential_audit_log to keeper;
`;

async function start({ engine, folder: home }: Ground): Promise<Postgres> {
  const folder = join(home, 'postgres');
  const user = postgresUser();
  await mkdir(folder);
  if (user) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const as = user ? ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  const [first = '', ...rest] = [...as, `${BIN}/initdb`, '-D', data, '-A', 'trust', '--no-sync', '-U', 'postgres'];
  await runFile(first, rest, { cwd: folder });
  const port = await freePort();
  const server = await engine.run({
    name: 'estate-postgres',
    argv: [
      ...([`${BIN}/postgres`, '-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1'] as const),
      ...['-c', `unix_socket_directories=${folder}`, '-c', 'max_connections=200', '-c', 'fsync=off'],
    ],
    folders: [folder],
    ...(user && { user }),
    ready: async () => (await runFile(`${BIN}/pg_isready`, ['-h', '127.0.0.1', '-p', String(port)])).stdout !== '',
  });
  const urlOf = (role: string) => `postgres://${role}@127.0.0.1:${port}/postgres`;
  const sql = async (statements: string) => {
    const client = new Client({ connectionString: urlOf('postgres') });
    await client.connect();
    await client.query(statements).finally(() => client.end());
  };
  await sql(TABLES);
  return {
    ...{ server, sql, ...sessionsOf(urlOf('app')) },
    environment: given({
      ...{ POSTGRES_CONTAINER: server.container, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(port) },
      ...{ POSTGRES_URL: urlOf('watcher'), POSTGRES_ADMIN_URL: urlOf('fixer'), CORE_TABLES_LOOK_BACK: '30s' },
      ...{ AGENTS_POSTGRES_URL: urlOf('agents'), VAULT_POSTGRES_URL: urlOf('keeper') },
    }),
    stop: () => server.stop(),
  };
}

function sessionsOf(url: string) {
  const sessions: Client[] = [];
  return {
    async openSessions(count: number) {
      for (let each = 0; each < count; each += 1) {
        const session = new Client({ connectionString: url });
        // Who heals may end it.
        session.on('error', () => undefined);
        sessions.push(session);
        await session.connect();
        await session.query('begin');
      }
    },
    async closeSessions() {
      await Promise.all(sessions.splice(0).map((session) => session.end().catch(() => undefined)));
    },
  };
}

/** PostgreSQL refuses to run as root: then it runs as the user of its package. */
function postgresUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout),
  );
  return { uid, gid };
}

export const postgres: Part<Postgres> = {
  summary: 'PostgreSQL 15 with core tables, the agents’ registry and memory, the vault and its log',
  needs: { 'postgresql-15': `${BIN}/postgres` },
  start,
};
