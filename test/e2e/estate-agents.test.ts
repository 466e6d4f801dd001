/** The estate's own definitions of the AI agents and of the vault, on a real PostgreSQL. */
import { afterEach, expect, it } from 'vitest';
import { untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { incidentsOf, pass } from '../estate/scene.ts';

let server: PostgresServer | undefined;
let estate: OwnEstate | undefined;

afterEach(async () => {
  await estate?.close();
  await server?.stop();
});

const TABLES = `
create table ai_agents as select 'agent-' || id as name, now() + interval '1 hour' as last_heartbeat from generate_series(1, 34) id;
create table neural_pathways as select generate_series(1, 100) as id;
create table persistent_memory as select generate_series(1, 100) as id;
create table master_credentials as select id, 'ciphertext'::text as token from generate_series(1, 5) id;
create table credential_audit_log as select generate_series(1, 100) as id;
create role agents login; create role keeper login;
grant select on ai_agents, neural_pathways, persistent_memory to agents;
grant select (id) on master_credentials to keeper; grant select (id) on credential_audit_log to keeper;
`;

it('agents and vault are up as they should be, and who is silent, gone or has shrunk is an incident', {
  timeout: 240_000,
}, async () => {
  server = await startPostgres();
  await server.createDatabase('estate');
  await server.psql(TABLES, 'estate');
  const { port } = server;
  const urlOf = (user: string) => `postgres://${user}@127.0.0.1:${port}/estate`;
  estate = await startOwnEstate({
    ...{ AGENTS_POSTGRES_URL: urlOf('agents'), VAULT_POSTGRES_URL: urlOf('keeper'), CORE_TABLES_LOOK_BACK: '30s' },
  });
  const { daemon } = estate;
  const begun = Date.now();
  const agents = ['agents-registry', 'agents-heartbeats', 'agents-pathways', 'agents-memory'];
  await untilAllUp(daemon, [...agents, 'vault', 'vault-log']);

  const opened = (probe: string) => untilStory(daemon, probe, 'open', () => true);
  await server.psql(
    "update ai_agents set last_heartbeat = now() - interval '1 hour' where name in ('agent-3', 'agent-7')",
    'estate',
  );
  expect((await opened('agents-heartbeats')).cause).toContain('agent-3, agent-7');
  await server.psql("delete from ai_agents where name = 'agent-1'", 'estate');
  expect((await opened('agents-registry')).cause).toContain('33');

  // A window has an opinion once half of it is covered.
  await pass(Math.max(0, 20_000 - (Date.now() - begun)));
  await server.psql('delete from credential_audit_log where id = 100', 'estate');
  expect(await opened('vault-log')).toMatchObject({
    severity: 'critical',
    cause: expect.stringContaining('max("value"'),
  });
  await server.psql(
    'revoke all on master_credentials from keeper; revoke select (id) on master_credentials from keeper',
    'estate',
  );
  expect((await opened('vault')).cause).toContain('permission denied');
  for (const probe of ['agents-pathways', 'agents-memory']) expect(await incidentsOf(daemon, probe)).toEqual([]);
});
