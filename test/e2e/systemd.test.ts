/** A unit of a real systemd, through the whole daemon: seen failing, restarted, proven; and left alone when a person stopped it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Daemon } from '../estate/daemon.ts';
import { QUICK_FIX } from '../estate/quick.ts';
import { incidentsOf, pass, type Scene, setScene, storyKinds, untilIncident, untilState } from '../estate/scene.ts';
import { bootUnits, type Units } from '../estate/units.ts';

const BOOT_MS = 400_000;
const NAMES = ['worker', 'stopped', 'given-up'];
const QUICK = 'every: 1s, timeout: 1s, retry_every: 400ms, fail_after: 2, recover_after: 2, relapse: 0s';

// systemd-nspawn needs root.
describe.skipIf(process.getuid?.() !== 0)('units of a systemd', { timeout: 90_000 }, () => {
  let units: Units;
  let scene: Scene;
  let daemon: Daemon;

  beforeAll(async () => {
    units = await bootUnits();
    await units.define('worker.service', ['ExecStart=/bin/sh -c "echo at work; exec sleep 1000"']);
    await units.define('stopped.service', ['ExecStart=/bin/sleep 1000', 'Restart=always']);
    const once = [
      'ExecStart=/bin/sh -c "test -e /run/broken && exit 1; exec sleep 1000"',
      'Restart=always',
      'RestartSec=50ms',
    ];
    await units.define('given-up.service', once, ['StartLimitIntervalSec=600', 'StartLimitBurst=3']);
    for (const name of NAMES) await units.control('start', name);
    const systemctl = JSON.stringify(units.systemctl);
    scene = await setScene(() => ({
      'probes/units.yaml': `
probes:
  - { name: unit, systemd: { unit: "{{item}}", systemctl: ${systemctl} }, ${QUICK}, remediate: [{ try: [{ name: restart-it, tries: 20 }] }], each: [${NAMES}] }
`,
      'remediations/units.yaml': `
remediations:
  - { name: restart-it, systemd: { restart: { from: probe } }, evidence: [{ systemd: { status: { from: probe }, systemctl: ${systemctl} } }], ${QUICK_FIX} }
`,
    }));
    daemon = await scene.start();
    for (const name of NAMES) await untilState(daemon, `unit[${name}]`, 'up');
  }, BOOT_MS);

  afterAll(async () => {
    await scene?.close();
    await units?.stop();
  }, 60_000);

  const show = (name: string, property: string) => units.control('show', name, '--value', `--property=${property}`);

  it('are restarted when they fail, with their last words as evidence, and proven by their probe', async () => {
    const before = await show('worker', 'MainPID');
    await units.control('kill', '--signal=KILL', 'worker');
    const story = await untilIncident(daemon, 'unit[worker]', 'over', ({ resolved_at }) => resolved_at !== undefined);
    expect(story).toMatchObject({
      healed_by: 'restart-it',
      cause: expect.stringContaining('unit worker.service failed: signal, exit code 137'),
    });
    expect(story.attempts).toMatchObject([{ state: 'healed' }]);
    expect(storyKinds(story)).toContain('evidence');
    expect(story.timeline.find(({ kind }) => kind === 'evidence')?.text).toContain('worker.service');
    expect(await show('worker', 'MainPID')).not.toBe(before);
  });

  it('are left alone when a person stopped them, and people are told', async () => {
    await units.control('stop', 'stopped');
    const refused = await untilIncident(daemon, 'unit[stopped]', 'refused', ({ attempts }) =>
      attempts.some(({ refusal }) => refusal === 'stopped_by_person'),
    );
    expect(refused.attempts.filter(({ state }) => state !== 'refused')).toEqual([]);
    await pass(3_000);
    expect(await show('stopped', 'ActiveState')).toBe('inactive');
    await units.control('start', 'stopped');
    await untilState(daemon, 'unit[stopped]', 'up');
  });

  it('are brought up after systemd gave them up', async () => {
    await units.run('touch', '/run/broken');
    await units.control('kill', '--signal=KILL', 'given-up');
    await untilIncident(daemon, 'unit[given-up]', 'open');
    await units.run('rm', '/run/broken');
    await untilState(daemon, 'unit[given-up]', 'up');
    expect(await show('given-up', 'ActiveState')).toBe('active');
    expect(await incidentsOf(daemon, 'unit[given-up]')).toHaveLength(1);
  });
});
