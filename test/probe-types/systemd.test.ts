import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSystemdProbeType } from '../../src/probe-types/systemd.ts';
import { parseUnit } from '../../src/shared/systemd-unit.ts';
import { probe, type RunOptions, sleep } from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';
import { bootUnits, type Units } from '../estate/units.ts';

const BOOT_MS = 400_000;
const environment = { PATH: process.env['PATH'] ?? '' };
const systemd = createSystemdProbeType();
const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(systemd, systemd.spec.parse(spec), { timeoutMs: 30_000, environment, ...options });

/** A program that says this instead of systemctl. */
const saying = (script: string) => ['/bin/sh', '-c', script, 'systemctl'];

// systemd-nspawn needs root.
describe.skipIf(process.getuid?.() !== 0)('a unit of a real systemd', { timeout: 60_000 }, () => {
  let units: Units;
  beforeAll(async () => {
    units = await bootUnits();
  }, BOOT_MS);
  afterAll(() => units?.stop(), 60_000);

  const look = (unit: string, options?: RunOptions) => ask({ unit, systemctl: units.systemctl }, options);

  async function until(unit: string, holds: (seen: Awaited<ReturnType<typeof look>>) => boolean) {
    for (let round = 0; round < 200; round += 1) {
      const seen = await look(unit);
      if (holds(seen)) return seen;
      await sleep(100);
    }
    throw new Error(`never came to hold: ${JSON.stringify(await look(unit))}`);
  }

  async function started(name: string, service: readonly string[], unit: readonly string[] = []) {
    await units.define(`${name}.service`, service, unit);
    await units.control('start', name);
  }

  const kill = (name: string) => units.control('kill', '--signal=KILL', '--kill-whom=main', name);

  test('that runs is told with its process, its memory and how long it has run', async () => {
    await started('steady', ['ExecStart=/bin/sleep 1000', 'CPUAccounting=yes', 'MemoryAccounting=yes']);
    await sleep(1_100);
    const { reason, error, fields } = await look('steady');
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      unit: 'steady.service',
      active: true,
      active_state: 'active',
      sub_state: 'running',
      result: 'success',
      restarts: 0,
      exit_code: undefined,
      main_pid: expect.any(Number),
    });
    expect(fields['since_s']).toBeGreaterThanOrEqual(1);
    expect(fields['since_s']).toBeLessThan(60);
  });

  test('that works is told with its CPU, where systemd counts it', async () => {
    await started('busy', ['ExecStart=/bin/sh -c "while :; do :; done"', 'CPUAccounting=yes', 'MemoryAccounting=yes']);
    const type = createSystemdProbeType();
    const spec = type.spec.parse({ unit: 'busy', systemctl: units.systemctl });
    const { fields } = await probe(type, spec, { environment });
    await units.control('stop', 'busy');
    const shown = await units.control('show', 'steady', '--property=CPUUsageNSec');
    if (shown.includes('[not set]')) expect(fields['cpu_percent']).toBeUndefined();
    else expect(fields['cpu_percent']).toBeGreaterThan(5);
  });

  test.each<[string, readonly string[], string, RegExp, number | undefined]>([
    ['exits with a code', ['ExecStart=/bin/sh -c "exit 3"'], 'exit_code', /failed: exit-code, exit code 3/, 3],
    ['kills itself', ['ExecStart=/bin/sh -c "kill -9 $$$$"'], 'exit_code', /failed: signal, exit code 137/, 137],
    [
      'does not get ready in time',
      ['Type=notify', 'ExecStart=/bin/sleep 1000', 'TimeoutStartSec=1'],
      'unhealthy',
      /failed: timeout/,
      undefined,
    ],
  ])('that %s has failed', async (how, service, reason, error, exitCode) => {
    const name = how.replaceAll(' ', '-');
    await started(name, service);
    const seen = await until(name, ({ fields }) => fields['active_state'] === 'failed');
    expect(seen).toMatchObject({ reason, error: expect.stringMatching(error), fields: { active: false } });
    if (exitCode !== undefined) expect(seen.fields['exit_code']).toBe(exitCode);
    expect(seen.intervention).toBeUndefined();
  });

  test('that crashes in a loop says so, and when systemd gives up it has failed: nobody stopped it', async () => {
    await started(
      'loop',
      ['ExecStart=/bin/sh -c "exit 7"', 'Restart=always', 'RestartSec=300ms'],
      ['StartLimitIntervalSec=60', 'StartLimitBurst=5'],
    );
    const looping = await until('loop', ({ fields }) => fields['sub_state'] === 'auto-restart');
    expect(looping).toMatchObject({ reason: 'exit_code', error: expect.stringContaining('crashes in a loop') });
    const failed = await until('loop', ({ fields }) => fields['active_state'] === 'failed');
    expect(failed.reason).toBe('exit_code');
    expect(failed.fields['restarts']).toBeGreaterThanOrEqual(4);
    expect(failed.intervention).toBeUndefined();
  });

  test('that a person stopped is told apart from one that ended', async () => {
    await started('kept', ['ExecStart=/bin/sleep 1000', 'Restart=always']);
    await units.control('stop', 'kept');
    expect(await look('kept')).toMatchObject({
      reason: 'stopped',
      error: 'unit kept.service is not running: somebody stopped it',
      intervention: { certain: true, what: 'systemctl stop of kept.service' },
    });
    await started('brief', ['ExecStart=/bin/true']);
    const brief = await until('brief', ({ fields }) => fields['active_state'] === 'inactive');
    expect(brief).toMatchObject({ reason: 'stopped', intervention: { certain: false } });
    await units.define('idle.service', ['ExecStart=/bin/sleep 1000']);
    expect(await look('idle')).toMatchObject({
      reason: 'stopped',
      intervention: { certain: false, what: 'idle.service was never started, or systemd forgot it' },
    });
  });

  test('that systemd forgot because nobody needs it is not taken for a crash', async () => {
    await started('loner', ['ExecStart=/bin/sleep 1000', 'Restart=always']);
    await units.control('disable', '--runtime', 'loner');
    await units.control('stop', 'loner');
    expect(await look('loner')).toMatchObject({ reason: 'stopped', intervention: { certain: false } });
  });

  test('that a person stopped and that did not end well is not taken for a crash', async () => {
    const unwilling = 'ExecStart=/bin/sh -c "trap \'exit 143\' TERM; while :; do sleep 1000 & wait; done"';
    await started('unwilling', [unwilling, 'Restart=on-failure']);
    await sleep(500);
    await units.control('stop', 'unwilling');
    expect(await look('unwilling')).toMatchObject({
      reason: 'exit_code',
      fields: { active_state: 'failed', exit_code: 143 },
      intervention: { certain: false },
    });
  });

  test('that was restarted by systemd counts it', async () => {
    await started('phoenix', ['ExecStart=/bin/sleep 1000', 'Restart=always', 'RestartSec=100ms']);
    await kill('phoenix');
    const seen = await until('phoenix', ({ fields }) => fields['restarts'] === 1 && fields['active'] === true);
    expect(seen.reason).toBe('ok');
  });

  test('that is a job is well when it is done, and not when it failed', async () => {
    await started('job', ['Type=oneshot', 'ExecStart=/bin/true']);
    expect(await look('job')).toMatchObject({ reason: 'ok', fields: { active: false, active_state: 'inactive' } });
    await started('bad-job', ['Type=oneshot', 'ExecStart=/bin/false']);
    expect(await look('bad-job')).toMatchObject({ reason: 'exit_code', fields: { exit_code: 1 } });
  });

  test('that is a job is well while it works, however long', async () => {
    await units.define('long-job.service', ['Type=oneshot', 'ExecStart=/bin/sleep 1000']);
    await units.control('start', '--no-block', 'long-job');
    const working = await until('long-job', ({ fields }) => fields['active_state'] === 'activating');
    expect(working.reason).toBe('ok');
    await units.control('stop', 'long-job');
  });

  test('that is on its way is not up yet, and not up any more', async () => {
    await units.define('slow.service', ['ExecStartPre=/bin/sleep 1000', 'ExecStart=/bin/true']);
    await units.control('start', '--no-block', 'slow');
    const starting = await until('slow', ({ fields }) => fields['active_state'] === 'activating');
    expect(starting).toMatchObject({ reason: 'unhealthy', error: expect.stringContaining('still starting') });
    await started('stubborn', ['ExecStart=/bin/sh -c "trap : TERM; while :; do sleep 1; done"', 'TimeoutStopSec=5']);
    await sleep(300);
    await units.control('stop', '--no-block', 'stubborn');
    const stopping = await until('stubborn', ({ fields }) => fields['active_state'] === 'deactivating');
    expect(stopping).toMatchObject({ reason: 'stopped', intervention: { certain: false } });
  });

  test('that is not there, masked or broken says so', async () => {
    expect(await look('nobody')).toMatchObject({ reason: 'not_found', error: 'there is no unit nobody.service' });
    await units.control('mask', 'veiled.service');
    expect(await look('veiled')).toMatchObject({ reason: 'stopped', intervention: { certain: true } });
    await units.define('broken.service', ['Type=simple']);
    expect(await look('broken')).toMatchObject({
      reason: 'unhealthy',
      error: expect.stringContaining('cannot be loaded (bad-setting)'),
    });
  });

  test('of another type is looked at as well', async () => {
    expect(await look('multi-user.target')).toMatchObject({ reason: 'ok', fields: { restarts: undefined } });
  });

  test('that is asked for by an alias has its own name', async () => {
    const { fields } = await look('dbus');
    expect(systemd.resource?.(systemd.spec.parse({ unit: 'alias' }), fields)).toMatchObject({
      kind: 'unit',
      name: 'dbus.service',
    });
  });

  test('is looked at hundreds of times without a trace', async () => {
    const spec = systemd.spec.parse({ unit: 'steady', systemctl: units.systemctl });
    const options = { environment, reads: new Set<string>() };
    await leavesNothing(async () => expect((await probe(systemd, spec, options)).reason).toBe('ok'), 60, 10);
  });
});

describe('a systemd that does not answer is told apart from every fault of a unit', () => {
  test.each<[string, string, string, RegExp]>([
    ['is not there', 'echo "Failed to connect to bus: Host is down" >&2; exit 1', 'unreachable', /Failed to connect/],
    ['is something else', 'echo hello', 'protocol', /is not systemctl/],
    ['says nothing', 'true', 'protocol', /is not systemctl/],
    ['never ends', 'yes hello', 'timeout', /did not answer before the deadline/],
    ['hangs', 'sleep 1000', 'timeout', /did not answer before the deadline/],
    ['hangs in the middle', 'echo LoadState=loaded; sleep 1000', 'timeout', /did not answer/],
    ['dies', 'kill -9 $$', 'internal', /could not be asked/],
    ['is not installed beyond the prefix', 'exit 127', 'internal', /could not be asked/],
  ])('%s', async (_name, script, reason, error) => {
    const timeoutMs = reason === 'timeout' ? 400 : 10_000;
    const began = performance.now();
    const seen = await ask({ unit: 'web', systemctl: saying(script) }, { timeoutMs });
    expect(seen).toMatchObject({ reason, error: expect.stringMatching(error), fields: {} });
    expect(performance.now() - began).toBeLessThan(timeoutMs + 1_500);
  });

  test('and one that is not installed is a fault of the definition', async () => {
    const seen = await ask({ unit: 'web', systemctl: ['/nonexistent/systemctl'] });
    expect(seen).toMatchObject({ reason: 'internal', error: expect.stringContaining('/nonexistent/systemctl') });
  });

  test('and what it says without end is not kept', async () => {
    const before = process.memoryUsage.rss();
    await ask({ unit: 'web', systemctl: saying('yes hello') }, { timeoutMs: 1_500 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(80 * 2 ** 20);
  });

  test('and its answers do not add up', async () => {
    const answer = 'printf "LoadState=loaded\\nActiveState=active\\nCPUUsageNSec=5\\n"';
    const spec = systemd.spec.parse({ unit: 'web', systemctl: saying(answer) });
    await doesNotGrow(async () => void (await probe(systemd, spec, { environment })), 50);
  });

  test('and it leaves nothing behind', async () => {
    const spec = systemd.spec.parse({ unit: 'web', systemctl: saying('exit 1') });
    await leavesNothing(
      async () => expect((await probe(systemd, spec, { environment })).reason).toBe('unreachable'),
      60,
      10,
    );
  });
});

describe('what systemctl shows', () => {
  const shown = (...lines: string[]) => parseUnit(['LoadState=loaded', 'ActiveState=active', ...lines].join('\n'));

  test('without accounting is no number', () => {
    expect(shown('MemoryCurrent=[not set]', 'CPUUsageNSec=18446744073709551615')).toMatchObject({
      memoryBytes: undefined,
      cpuNs: undefined,
    });
    expect(shown('MemoryCurrent=1048576', 'CPUUsageNSec=5000000')).toMatchObject({
      memoryBytes: 1_048_576,
      cpuNs: 5e6,
    });
  });

  test('of another time zone is no time', () => {
    expect(shown('StateChangeTimestamp=Sat 2026-11-28 07:14:57 UTC')?.changedAt).toBe(
      Date.UTC(2026, 10, 28, 7, 14, 57),
    );
    expect(shown('StateChangeTimestamp=Sat 2026-11-28 08:14:57 CET')?.changedAt).toBeUndefined();
    expect(shown('StateChangeTimestamp=')?.changedAt).toBeUndefined();
  });
});

describe('the definition', () => {
  test.each(['', 'a b', 'web*', 'we?', '[a]', 'web;rm', '$(id)', 'x'.repeat(256)])(
    'refuses %j: it never means all',
    (unit) => {
      expect(systemd.spec.safeParse({ unit }).success).toBe(false);
    },
  );

  test('reads a name as systemctl does', () => {
    expect(systemd.spec.parse({ unit: 'web' }).unit).toBe('web.service');
    expect(systemd.spec.parse({ unit: 'worker@1' }).unit).toBe('worker@1.service');
    expect(systemd.spec.parse({ unit: 'backup.timer' }).unit).toBe('backup.timer');
  });

  test('names another manager in its target', () => {
    expect(systemd.target(systemd.spec.parse({ unit: 'web' }))).toBe('web.service');
    expect(systemd.target(systemd.spec.parse({ unit: 'web', user: true }))).toBe('web.service by --user');
    const far = systemd.spec.parse({ unit: 'web', systemctl: ['ssh', 'host', 'systemctl'] });
    expect(systemd.target(far)).toBe('web.service by ssh host systemctl');
  });

  test('asks the manager of the user', async () => {
    const said = saying('echo "LoadState=loaded"; echo "ActiveState=active"; echo "SubState=$1 $XDG_RUNTIME_DIR"');
    const { fields } = await ask({ unit: 'web', user: true, systemctl: said });
    expect(fields['sub_state']).toMatch(/^--user \/run\/user\/\d+$/);
  });
});
