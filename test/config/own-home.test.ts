/** The definitions that come with the repository: they work with nothing set, and with everything set. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { listHome } from '../../src/config/files.ts';
import { homeWith, loadHome } from './homes.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A copy, so that a person's own .env does not reach the test. */
async function ownHome(): Promise<string> {
  const { probes, remediations } = await listHome(ROOT);
  const files: Record<string, string> = {};
  for (const file of ['brainstem.yml', 'credentials.yaml', ...probes, ...remediations])
    files[file] = await readFile(join(ROOT, file), 'utf8');
  return homeWith(files);
}

async function exampleEnvironment(): Promise<{ readonly text: string; readonly names: readonly string[] }> {
  const text = await readFile(join(ROOT, '.env.example'), 'utf8');
  return { text, names: Object.keys(parseEnv(text)) };
}

describe('with nothing set', () => {
  test('the host and Brainstem itself are watched, and all else is unconfigured', async () => {
    const { probes, notifiers, settings, warnings } = await loadHome(await ownHome());
    const configured = [...probes.values()].filter(({ unset }) => unset.length === 0).map(({ name }) => name);
    expect(configured.toSorted()).toEqual(['brainstem', 'host', 'host-disk']);
    expect([...notifiers.values()].every(({ unset }) => unset.length > 0)).toBe(true);
    expect(settings.log).toEqual({ level: 'info' });
    expect(settings.http).toEqual({ host: '127.0.0.1', port: 9911, publicUrl: 'http://127.0.0.1:9911' });
    expect(warnings).toEqual([]);
  });

  test('no address outside this machine stands in it', async () => {
    for (const probe of (await loadHome(await ownHome())).probes.values()) {
      expect(probe.target).toMatch(/^$|localhost|127\.0\.0\.1/);
    }
  });
});

describe('.env.example', () => {
  test('names every variable that the definitions and docker-compose.yml use, and no other', async () => {
    const { probes, remediations } = await listHome(ROOT);
    const texts = await Promise.all(
      ['brainstem.yml', 'docker-compose.yml', ...probes, ...remediations].map((file) =>
        readFile(join(ROOT, file), 'utf8'),
      ),
    );
    const used = new Set(texts.flatMap((text) => [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name)));
    expect((await exampleEnvironment()).names.toSorted()).toEqual([...used].toSorted());
  });

  test('is empty, with a line of explanation for each, and names none twice', async () => {
    const lines = (await exampleEnvironment()).text.split('\n').filter((line) => line !== '');
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('#')) continue;
      expect(line).toMatch(/^[A-Z_]+=$/);
      expect(lines[index - 1]).toMatch(/^# /);
    }
    const names = lines.filter((line) => !line.startsWith('#'));
    expect(names).toEqual([...new Set(names)]);
  });

  test('filled in configures everything', async () => {
    const { names } = await exampleEnvironment();
    const value = (name: string) => {
      if (name === 'SMTP_URL') return 'smtp://127.0.0.1:1';
      if (name === 'ALERT_FROM') return 'Brainstem <alerts@example.com>';
      if (name === 'ALERT_TO') return 'ana@example.com, Ben <ben@example.com>';
      if (name.includes('POSTGRES') && name.endsWith('URL')) return 'postgres://value@127.0.0.1:1/value';
      if (name === 'REDIS_URL' || name === 'CELERY_BROKER_URL') return 'redis://127.0.0.1:1';
      if (name === 'BACKEND_WEBSOCKET_URL') return 'ws://127.0.0.1:1';
      if (name.endsWith('URL')) return 'http://127.0.0.1:1';
      if (name.endsWith('SERVER')) return '127.0.0.1:53';
      if (/PERIOD|GRACE|LOOK_BACK/.test(name)) return '1h';
      if (/POOL|_S$|LIMIT|REPLICAS|CLIENTS|PERCENT|BYTES|DAYS|EXPECTED|WORKERS/.test(name)) return '7';
      if (name.endsWith('PORT')) return '1234';
      if (name === 'ENVIRONMENT_AT_LEAST') return '0.5';
      if (name === 'SYSTEMD_UNIT') return 'nginx.service';
      if (name === 'DOCKER_SOCKET') return '/run/docker.sock';
      if (name === 'BRAINSTEM_LISTEN') return '127.0.0.1:9912';
      if (name === 'PAPERTRAIL_PROTOCOL') return 'tls';
      if (name === 'PAPERTRAIL_CA') return '/etc/ssl/ca.pem';
      if (name === 'BRAINSTEM_LOG_LEVEL') return 'debug';
      if (name.endsWith('MODE') || name === 'BRAINSTEM_HEALING') return 'observe';
      return `value-${name.toLowerCase()}`.replaceAll('_', '-');
    };
    const environment = Object.fromEntries(names.map((name) => [name, value(name)]));
    const { probes, remediations, notifiers, settings } = await loadHome(await ownHome(), environment);
    const all = [...probes.values(), ...remediations.values(), ...notifiers.values()];
    expect(all.filter(({ unset }) => unset.length > 0)).toEqual([]);
    expect(settings.healing.mode).toBe('observe');
    expect(settings.http.port).toBe(9912);
    expect(notifiers.get('oncall-email')?.spec).toMatchObject({
      to: [{ address: 'ana@example.com' }, { name: 'Ben', address: 'ben@example.com' }],
    });
    expect(settings.log.papertrail).toMatchObject({ host: 'value-papertrail-host', port: 1234, protocol: 'tls' });
  });
});

describe('credentials.yaml', () => {
  test('names variables of .env.example alone, and marks as secret all that fill a secret', async () => {
    const { names } = await exampleEnvironment();
    const { variables } = parse(await readFile(join(ROOT, 'credentials.yaml'), 'utf8')) as {
      variables: { name: string; secret?: boolean }[];
    };
    expect(variables.filter(({ name }) => !names.includes(name))).toEqual([]);
    expect(variables.filter(({ name, secret }) => /TOKEN|KEY|JWT/.test(name) && secret !== true)).toEqual([]);
  });
});

describe('remove-old-logs.sh', () => {
  const script = (...argv: string[]) => promisify(execFile)(join(ROOT, 'remediations/remove-old-logs.sh'), argv);

  test('deletes old rotated logs and nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'brainstem-logs-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const old = new Date(Date.now() - 20 * 86_400_000);
    for (const name of ['old.log.gz', 'app.log.1', 'app.log', 'data.db']) {
      await writeFile(join(folder, name), 'x');
      await utimes(join(folder, name), old, old);
    }
    await writeFile(join(folder, 'new.log.gz'), 'x');
    await script(folder, '14');
    expect((await readdir(folder)).toSorted()).toEqual(['app.log', 'data.db', 'new.log.gz']);
  });

  // Nothing is as old as that: a folder that is taken by mistake loses nothing.
  const never = '99999';

  test.each(['relative', '', '/nowhere/at/all'])('refuses %j', async (folder) => {
    await expect(script(folder, never)).rejects.toMatchObject({ code: expect.any(Number) });
  });

  test.each(['/', '/tmp/..', '/etc', '/usr/lib', '/dev', '/home', '/opt', '/srv', '/var', '/var/lib', '/var/lib/dpkg'])(
    'refuses %s, which is no folder of logs',
    async (folder) => {
      await expect(script(folder, never)).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^refused: /),
      });
    },
  );

  test('takes /var/log', async () => {
    const { stderr } = await script('/var/log', never).catch((error: { stderr: string }) => error);
    expect(stderr).not.toContain('refused');
  });
});

test('every file of definitions says what to do for whoever is woken by it', async () => {
  const { probes, remediations } = await listHome(ROOT);
  for (const file of [...probes, ...remediations])
    expect([file, await readFile(join(ROOT, file), 'utf8')]).toEqual([file, expect.stringMatching(/^ *# .*Woken by/m)]);
});

test('every script is executable, as remediations need it', async () => {
  const scripts = (await readdir(join(ROOT, 'remediations'))).filter((name) => name.endsWith('.sh'));
  expect(scripts).toContain('remove-old-logs.sh');
  for (const name of scripts) expect((await stat(join(ROOT, 'remediations', name))).mode & 0o111).toBe(0o111);
});
