import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { brainstem } from '../estate/program.ts';
import { metricOf, pass, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene;
let daemon: Daemon;
const command = (...argv: readonly string[]) => brainstem([...argv, '--url', daemon.url]);

beforeAll(async () => {
  scene = await setScene((targets) => ({
    'probes/all.yaml': probesFile(probe(targets, 'web', ['labels: { team: a }']), probe(targets, 'other')),
  }));
  daemon = await scene.start();
  for (const name of ['web', 'other']) await untilState(daemon, name, 'up');
});

afterAll(() => scene.close());

it('a silence by command is kept over a kill, shows everywhere, and what is left is told when it is ended', async () => {
  const added = await command('silence', 'add', '--matcher', 'team=~"a|b"', '--for', '2h', '--comment', 'new disks');
  expect(added).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^silence 1: team=~"a\|b" until .* no open incident/),
  });
  for (const name of ['web', 'other']) scene.targets.set(name, 'broken');
  const { id } = await untilIncident(daemon, 'web', 'open');
  await until(() => scene.alerts.kinds('other').includes('opened'), { what: 'the other page' });
  await daemon.kill();
  daemon = await scene.start();
  await untilState(daemon, 'web', 'down');
  await pass(2_500);
  expect(scene.alerts.kinds('web')).toEqual([]);
  expect((await command('status')).out).toMatch(/silence 1: team=~"a\|b" until .* new disks[\s\S]* web .*silence 1\n/);
  expect((await command('silence', 'list')).out).toContain(`#${id}`);
  expect(await metricOf(daemon, 'brainstem_silences_active')).toBe(1);
  expect(await metricOf(daemon, 'brainstem_incidents_silenced{severity="warning"}')).toBe(1);

  expect(await command('silence', 'add', '--matcher', 'probe=~.*', '--for', '1h', '--comment', 'all')).toMatchObject({
    ...{ code: 1, err: expect.stringContaining('would silence everything') },
  });
  expect(await command('silence', 'expire', '1')).toMatchObject({ code: 0 });
  await until(() => scene.alerts.kinds('web').length > 0, { what: 'what was kept back' });
  expect(scene.alerts.of('web')[0]?.text).toMatch(/^web is down for .*, silenced until now: /);
  scene.targets.set('web', 'ok');
  await until(() => scene.alerts.kinds('web').includes('resolved'), { what: 'the end' });
  expect(scene.alerts.kinds('web')).toEqual(['opened', 'resolved']);
}, 120_000);
