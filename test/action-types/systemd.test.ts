import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemd } from '../../src/action-types/systemd.ts';
import type { Probe, Resource } from '../../src/model.ts';
import type { ActionOutput, Context, Log } from '../../src/ports.ts';
import { bootUnits, type Units } from '../estate/units.ts';
import { QUIET } from './input.ts';

const BOOT_MS = 400_000;
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const environment = { PATH: process.env['PATH'] ?? '' };

const contextOf = (timeoutMs: number): Context => ({
  ...{ signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet, environment },
});

function act(
  written: object,
  {
    timeoutMs = 20_000,
    resource,
    onChild = async () => {},
  }: {
    readonly timeoutMs?: number;
    readonly resource?: Resource;
    readonly onChild?: () => Promise<void>;
  } = {},
): Promise<ActionOutput> {
  const input = { remediation: 'fix', attemptId: 1, probe: { name: 'web' } as Probe, folder: '/', onChild, ...QUIET };
  return systemd.run(systemd.spec.parse(written), { ...input, ...(resource && { resource }) }, contextOf(timeoutMs));
}

describe('the spec', () => {
  const problemsOf = (written: object) => systemd.spec.safeParse(written).error?.issues.map(({ message }) => message);

  test.each([
    [{}, 'needs exactly one of'],
    [{ restart: 'web', stop: 'web' }, 'needs exactly one of'],
    [{ restart: 'web', lines: 3 }, 'goes with status only'],
  ])('refuses %j', (written, message) => {
    expect(problemsOf(written)?.join()).toContain(message);
  });

  test.each(['', 'web*', 'a b'])('refuses %j as a unit: it never means all', (unit) => {
    expect(systemd.spec.safeParse({ restart: unit }).success).toBe(false);
  });
});

describe('what it acts on', () => {
  const lockOf = (written: object, observed?: Resource) =>
    systemd.resource(systemd.spec.parse(written), 'fix', observed);
  const far = JSON.stringify({ systemctl: ['ssh', 'host', 'systemctl'], user: false });

  test('is the unit, whatever is done to it, and whoever named it', () => {
    expect(lockOf({ restart: 'web' })).toBe('unit:web.service');
    expect(lockOf({ stop: 'web.service' })).toBe('unit:web.service');
    const at = JSON.stringify({ systemctl: ['systemctl'], user: false });
    expect(lockOf({ restart: { from: 'probe' } }, { kind: 'unit', name: 'web.service', at })).toBe('unit:web.service');
  });

  test('tells managers apart', () => {
    expect(lockOf({ restart: 'web', user: true })).toBe('unit:web.service@--user');
    const observed = { kind: 'unit', name: 'web.service', at: far };
    expect(lockOf({ restart: { from: 'probe' } }, observed)).toBe('unit:web.service@ssh host systemctl');
  });

  test('is nothing without a unit', () => {
    expect(lockOf({ restart: { from: 'probe' } })).toBeUndefined();
    expect(lockOf({ restart: { from: 'probe' } }, { kind: 'container', name: 'web' })).toBeUndefined();
  });

  test('is told in words, and only a status reads', () => {
    const would = (written: object) => systemd.would(systemd.spec.parse(written), undefined);
    expect(would({ restart: 'web' })).toBe('restart unit web.service');
    expect(would({ status: { from: 'probe' } })).toBe('read the status of unit the one that the probe observes');
    expect(systemd.readsOnly(systemd.spec.parse({ status: 'web' }))).toBe(true);
    expect(systemd.readsOnly(systemd.spec.parse({ reload: 'web' }))).toBe(false);
    expect(systemd.fromProbe(systemd.spec.parse({ start: { from: 'probe' } }))).toBe(true);
  });
});

test('nothing is asked of systemd before its child is on record', async () => {
  const systemctl = ['/bin/sh', '-c', 'exit 0', 'systemctl'];
  const onChild = () => Promise.reject(new Error('the store is away'));
  await expect(act({ restart: 'web', systemctl }, { onChild })).rejects.toThrow('could not be recorded');
});

test('at the deadline it does not claim that nothing happened', async () => {
  const systemctl = ['/bin/sh', '-c', 'case "$*" in *reset-failed*) ;; *) sleep 1000 ;; esac', 'systemctl'];
  expect(await act({ restart: 'web', systemctl }, { timeoutMs: 700 })).toMatchObject({
    done: false,
    error: expect.stringContaining('may still do what was asked'),
  });
});

test('a systemd that is not there has done nothing', async () => {
  const systemctl = ['/bin/sh', '-c', 'echo "Failed to connect to bus" >&2; exit 1', 'systemctl'];
  expect(await act({ restart: 'web', systemctl })).toMatchObject({
    done: false,
    exitCode: 1,
    output: expect.stringContaining('Failed to connect'),
  });
  expect(await act({ restart: 'web', systemctl: ['/nonexistent/systemctl'] })).toMatchObject({ done: false });
  expect(await act({ restart: { from: 'probe' } })).toMatchObject({
    done: false,
    error: expect.stringContaining('no unit'),
  });
});

// systemd-nspawn needs root.
describe.skipIf(process.getuid?.() !== 0)('on a real systemd', { timeout: 60_000 }, () => {
  let units: Units;
  beforeAll(async () => {
    units = await bootUnits();
  }, BOOT_MS);
  afterAll(() => units?.stop(), 60_000);

  const on = (written: object) => act({ systemctl: units.systemctl, ...written });
  const show = (name: string, property: string) => units.control('show', name, '--value', `--property=${property}`);

  test('it starts, restarts and stops', async () => {
    await units.define('web.service', ['ExecStart=/bin/sleep 1000']);
    expect(await on({ start: 'web' })).toMatchObject({ done: true });
    const first = await show('web', 'MainPID');
    expect(await on({ restart: 'web' })).toMatchObject({ done: true, exitCode: 0 });
    expect(await show('web', 'MainPID')).not.toBe(first);
    expect(await on({ stop: 'web' })).toMatchObject({ done: true });
    expect(await show('web', 'ActiveState')).toBe('inactive');
  });

  test('it brings up a unit that systemd gave up', async () => {
    const crashing = [
      'ExecStart=/bin/sh -c "test -e /run/mended || exit 1; exec sleep 1000"',
      'Restart=always',
      'RestartSec=50ms',
    ];
    await units.define('given-up.service', crashing, ['StartLimitIntervalSec=600', 'StartLimitBurst=3']);
    await units.control('start', 'given-up');
    while ((await show('given-up', 'ActiveState')) !== 'failed') await units.run('sleep', '0.1');
    await units.run('touch', '/run/mended');
    await expect(units.run('systemctl', 'restart', 'given-up')).rejects.toThrow();
    expect(await on({ restart: 'given-up' })).toMatchObject({ done: true });
    expect(await show('given-up', 'ActiveState')).toBe('active');
  });

  test('it tells why it could not', async () => {
    await units.define('bad.service', ['Type=oneshot', 'ExecStart=/bin/false']);
    expect(await on({ restart: 'bad' })).toMatchObject({
      ...{ done: false, exitCode: 1, error: 'systemctl exited with code 1' },
      output: expect.stringContaining('bad.service'),
    });
    expect(await on({ restart: 'nobody' })).toMatchObject({
      done: false,
      output: expect.stringContaining('not found'),
    });
  });

  test('it reads the status of what runs, of what does not, and of nothing', async () => {
    await units.define('talker.service', ['Type=oneshot', 'ExecStart=/bin/echo these are my last words']);
    await units.control('start', 'talker');
    const told = async () => (await on({ status: 'talker', lines: 20 })).output ?? '';
    while (!(await told()).includes('these are my last words')) await units.run('sleep', '0.2');
    expect(await on({ status: 'nobody' })).toMatchObject({ done: true, output: expect.stringContaining('nobody') });
  });

  test('it sees a hand on a unit that the probe has not looked at', async () => {
    await units.define('held.service', ['ExecStart=/bin/sleep 1000', 'Restart=always']);
    await units.control('start', 'held');
    const hand = (written: object, observed?: Resource) =>
      systemd.intervention?.(
        systemd.spec.parse({ systemctl: units.systemctl, ...written }),
        observed,
        contextOf(10_000),
      );
    expect(await hand({ restart: 'held' })).toBeUndefined();
    await units.control('stop', 'held');
    expect(await hand({ restart: 'held' })).toMatchObject({ certain: true });
    expect(await hand({ stop: 'held' })).toBeUndefined();
    const at = JSON.stringify({ systemctl: units.systemctl, user: false });
    expect(await hand({ restart: { from: 'probe' } }, { kind: 'unit', name: 'held.service', at })).toBeUndefined();
  });
});
