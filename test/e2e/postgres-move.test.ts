/**
 * A running estate moves from SQLite to PostgreSQL and back by `brainstem backup` and `brainstem restore`, and takes everything
 * along.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { brainstem } from '../estate/program.ts';
import { BRAINSTEM_YML, type Stage, setStage } from '../estate/stage.ts';

let stage: Stage;
let postgres: PostgresServer | undefined;

afterEach(async () => {
  await stage.close();
  await postgres?.stop();
});

const ON_POSTGRES = '\nstore: { url: "${DATABASE_URL}" }\n';

/** Sorted lines: databases give the results of a moment in any order. */
async function linesOf(file: string): Promise<string[]> {
  const text = gunzipSync(await readFile(file)).toString();
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return lines
    .filter((line) => !('format' in line))
    .flatMap(({ table = '', day = '', rows, results, ...rest }) =>
      [...((rows ?? results ?? [rest]) as unknown[])].map((row) => `${table}${day} ${JSON.stringify(row)}`),
    )
    .sort();
}

interface Incidents {
  readonly incidents: readonly { readonly id: number; readonly resolved_at?: string }[];
}

const resolved = (daemon: Daemon, count: number) =>
  until(
    async () => {
      const { incidents } = await daemon.api<Incidents>('incidents?subject=service');
      return incidents.length === count && incidents.every(({ resolved_at }) => resolved_at !== undefined) && incidents;
    },
    { withinMs: 60_000, what: `${count} incidents to be over` },
  );

it('moves to PostgreSQL and back, incidents, fixes, alerts and results included', async () => {
  stage = await setStage('    relapse: 0s');
  postgres = await startPostgres();
  const home = ['--home', stage.home.path];
  const environment = { DATABASE_URL: postgres.url(), LISTEN: `127.0.0.1:${stage.port}` };
  const [running, first, second, third] = ['running', '1', '2', '3'].map((name) =>
    join(stage.home.path, `${name}.gz`),
  ) as [string, string, string, string];
  const tell = async (argv: readonly string[]) => {
    const ended = await brainstem([...argv, ...home], {
      ...environment,
      SLACK_BOT_TOKEN: 'x',
      SLACK_API_URL: 'http://x/',
    });
    expect(ended, ended.err).toMatchObject({ code: 0 });
    return ended.out;
  };

  let daemon = await stage.start({ environment });
  await until(async () => (await daemon.api<{ state: string }>('probes/service')).state === 'up', { what: 'up' });
  await stage.service.break('kill');
  await resolved(daemon, 1);
  expect(await tell(['backup', running])).toMatch(/^incidents +1$/m);
  expect((await stat(running)).mode & 0o777).toBe(0o600);
  expect(daemon.log.map(({ event }) => event)).toContain('backup_begun');
  expect(await brainstem(['restore', running, ...home], environment)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/another daemon holds .*Stop it/),
  });
  expect(await daemon.stop()).toBe(0);

  await tell(['backup', first]);
  expect((await linesOf(first)).length).toBeGreaterThanOrEqual((await linesOf(running)).length);
  await stage.home.write({ 'brainstem.yml': BRAINSTEM_YML + ON_POSTGRES });
  expect(await tell(['restore', first])).toMatch(/^incidents +1$/m);
  await tell(['backup', second]);
  expect(await linesOf(second)).toStrictEqual(await linesOf(first));

  daemon = await stage.start({ environment });
  await stage.service.break('kill');
  const incidents = await resolved(daemon, 2);
  expect(new Set(incidents.map(({ id }) => id)).size).toBe(2);
  expect(await brainstem(['backup', running, ...home], environment)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--force'),
  });
  expect(await tell(['backup', running, '--force'])).toMatch(/^incidents +2$/m);
  expect(await daemon.stop()).toBe(0);

  await tell(['backup', second, '--force']);
  await stage.home.write({ 'brainstem.yml': BRAINSTEM_YML });
  expect(await brainstem(['restore', second, ...home], environment)).toMatchObject({
    code: 1,
    err: expect.stringContaining('--force'),
  });
  await tell(['restore', second, '--force']);
  await tell(['backup', third]);
  expect(await linesOf(third)).toStrictEqual(await linesOf(second));
  daemon = await stage.start({ environment });
  expect(await resolved(daemon, 2)).toEqual(incidents);
}, 240_000);
