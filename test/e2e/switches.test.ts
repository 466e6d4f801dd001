import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { brainstem } from '../estate/program.ts';
import { metricOf, pass, type Scene, type SeenStory, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene;
let daemon: Daemon;

const command = (...argv: readonly string[]) => brainstem([...argv, '--url', daemon.url]);
const refusals = ({ attempts }: SeenStory) => attempts.flatMap(({ refusal }) => refusal ?? []);
const fixesOf = (target: string) =>
  scene.targets
    .fixes()
    .filter((run) => run.target === target)
    .map((run) => run.fix);

beforeAll(async () => {
  scene = await setScene((targets) => ({
    'probes/all.yaml': probesFile(
      probe(targets, 'frozen', ['remediate: [{ try: [mend-frozen] }]', 'page_after: 10m']),
      probe(targets, 'filed', ['remediate: [{ try: [idle-filed, mend-filed] }]']),
      probe(targets, 'unseen', [
        'docker: { container: web, socket: "/nowhere/docker.sock" }',
        'remediate: [{ try: [restart-seen] }]',
        'page_after: 10m',
      ]),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'mend-frozen', 'frozen', 'mends'),
      fix(targets, 'idle-filed', 'filed', 'nothing', ['verify_within: 2s']),
      fix(targets, 'mend-filed', 'filed', 'mends'),
      '  - name: restart-seen\n    docker: { restart: { from: probe }, socket: "/nowhere/docker.sock" }\n',
    ),
  }));
  daemon = await scene.start();
});

afterAll(() => scene.close());

describe('a fix on what the probe observed', () => {
  it('is refused, and the page released, when nothing was observed', async () => {
    const story = await untilIncident(daemon, 'unseen', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['target']);
    await until(() => scene.alerts.kinds('unseen').length > 0, { what: 'the page' });
    const series = 'brainstem_remediation_refusals_total{remediation="restart-seen",reason="target"}';
    expect(await metricOf(daemon, series)).toBeGreaterThan(0);
    const byHand = await command('remediate', 'restart-seen', '--probe', 'unseen');
    expect(byHand).toMatchObject({ code: 1, out: expect.stringContaining('refused: target') });
  });
});

describe('freezing', () => {
  it('by command stops healing, pages at once, survives a restart, and ends by command', async () => {
    await untilState(daemon, 'frozen', 'up');
    expect(await command('freeze', '--why', 'moving house')).toMatchObject({ code: 0 });
    scene.targets.set('frozen', 'broken');
    await until(() => scene.alerts.kinds('frozen').length > 0, { what: 'the page, in spite of its hold' });
    const story = await untilIncident(daemon, 'frozen', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['frozen']);
    expect((await command('status')).out).toMatch(/healing is frozen by .*: moving house/);
    expect(await daemon.stop()).toBe(0);
    daemon = await scene.start();
    await untilState(daemon, 'frozen', 'down');
    await pass(2_000);
    expect((await command('status')).out).toContain('moving house');
    expect(fixesOf('frozen')).toEqual([]);
    expect(scene.alerts.kinds('frozen')).toEqual(['opened']);
    expect(await command('unfreeze')).toMatchObject({ code: 0 });
    await untilIncident(daemon, 'frozen', 'healed', ({ healed_by }) => healed_by === 'mend-frozen');
    expect(fixesOf('frozen')).toEqual(['mend-frozen']);
  });

  it('by file stops a ladder half-way, cannot be lifted by command, and ends with the file', async () => {
    await untilState(daemon, 'filed', 'up');
    scene.targets.set('filed', 'broken');
    await until(() => fixesOf('filed').length > 0, { what: 'the first rung' });
    await scene.home.write({ 'data/FREEZE': '' });
    const story = await untilIncident(daemon, 'filed', 'refused', (each) => refusals(each).length > 0);
    expect(refusals(story)).toEqual(['frozen']);
    const lifted = await command('unfreeze');
    expect(lifted.code).toBe(1);
    expect(lifted.err).toContain('freeze file');
    expect(fixesOf('filed')).toEqual(['idle-filed']);
    await rm(join(scene.home.path, 'data/FREEZE'));
    await untilIncident(daemon, 'filed', 'healed', ({ healed_by }) => healed_by === 'mend-filed');
    expect(fixesOf('filed')).toEqual(['idle-filed', 'mend-filed']);
  });
});
