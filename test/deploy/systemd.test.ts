/** The unit of deploy/, in a real systemd. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, until } from '../estate/daemon.ts';
import { bootSystemd, type Systemd } from '../estate/systemd.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const UNIT = join(ROOT, 'deploy/brainstem.service');
const BOOT_MS = 400_000;

let systemd: Systemd;
let url: string;

const shell = (script: string) => systemd.run('sh', '-ec', script);
const show = (property: string) => systemd.run('systemctl', 'show', 'brainstem', '--value', `--property=${property}`);
const journal = () => systemd.run('journalctl', '--unit=brainstem', '--output=cat', '--no-pager');
const ready = () =>
  until(async () => (await fetch(`${url}/-/ready`)).ok, { what: 'the service to be ready', withinMs: 60_000 });

async function start(): Promise<void> {
  await systemd.run('systemctl', 'start', 'brainstem');
  await ready();
}

it('exposes little, by the measure of systemd', async () => {
  const { stdout } = await promisify(execFile)('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT]);
  const [, score] = /Overall exposure level for \S+: (\d+\.\d)/.exec(stdout) ?? [];
  expect(Number(score)).toBeGreaterThan(0);
  expect(Number(score)).toBeLessThanOrEqual(2.5);
});

// systemd-nspawn needs root.
describe.skipIf(process.getuid?.() !== 0)('in a systemd', () => {
  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    systemd = await bootSystemd({
      binds: {
        '/usr/bin/node': process.execPath,
        '/opt/brainstem': ROOT,
        '/etc/systemd/system/brainstem.service': UNIT,
      },
    });
    // As docs/operations.md says it.
    await shell(`
    useradd --system --home-dir /var/lib/brainstem --shell /usr/sbin/nologin brainstem
    install -d -m 700 -o brainstem -g brainstem /var/lib/brainstem
    install -d -m 700 /etc/brainstem
    cp /opt/brainstem/brainstem.yml /var/lib/brainstem/
    echo BRAINSTEM_LISTEN=127.0.0.1:${port} > /etc/brainstem/environment`);
  }, BOOT_MS);

  afterAll(() => systemd?.stop());

  it('starts as a user without privileges, and logs to the journal', async () => {
    await start();
    const started = (await journal()).split('\n').find((line) => line.includes('"event":"started"'));
    expect(JSON.parse(started ?? '')).toMatchObject({ url, home: '/var/lib/brainstem' });
    const status = await shell(`cat /proc/${await show('MainPID')}/status`);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).not.toMatch(/^Uid:\t0/m);
  });

  it('is there again after a kill -9', async () => {
    await start();
    const before = await show('MainPID');
    await systemd.run('systemctl', 'kill', '--signal=KILL', '--kill-whom=main', 'brainstem');
    await until(async () => ![before, '0'].includes(await show('MainPID')), {
      what: 'a new process',
      withinMs: 60_000,
    });
    await ready();
    expect(Number(await show('NRestarts'))).toBeGreaterThan(0);
  });

  it('reads the home again by systemctl reload', async () => {
    await start();
    const probes = 'probes:\n  - { name: self, tcp: { address: "${BRAINSTEM_LISTEN}" } }\n';
    await shell(
      `mkdir -p /var/lib/brainstem/probes && cat > /var/lib/brainstem/probes/self.yaml <<'END'\n${probes}END`,
    );
    await systemd.run('systemctl', 'reload', 'brainstem');
    const said = async () => /"by":"SIGHUP".*"event":"reloaded"/.test(await journal());
    await until(said, { what: 'the reload to be logged' });
  });

  it('stops in time, in good order', async () => {
    await start();
    await systemd.run('systemctl', 'stop', 'brainstem');
    expect(await show('ActiveState')).toBe('inactive');
    expect(await show('Result')).toBe('success');
    expect(
      (await journal())
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .at(-1),
    ).toContain('"event":"stopping"');
  });

  it('does not start on a home that is not valid, and the journal says where it is wrong', async () => {
    await shell(
      'cp /var/lib/brainstem/brainstem.yml /tmp/good.yml; echo "htpp: {}" > /var/lib/brainstem/brainstem.yml',
    );
    await expect(systemd.run('systemctl', 'start', 'brainstem')).rejects.toThrow();
    expect(await journal()).toContain('brainstem.yml:1:1: unknown key "htpp" (did you mean "http"?)');
    await shell('systemctl stop brainstem; cp /tmp/good.yml /var/lib/brainstem/brainstem.yml');
  });
});
