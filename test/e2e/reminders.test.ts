import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { incidentsOf, pass, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

/** Moves the wall clock of the daemon alone; its intervals run on. */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

describe.skipIf(!existsSync(FAKETIME))('a route that repeats', () => {
  let scene: Scene;
  let daemon: Daemon;
  const jump = (seconds: number) => writeFile(join(scene.home.path, 'clock'), `+${seconds}s\n`);
  const reminders = () => scene.alerts.kinds('broken').filter((kind) => kind === 'reminder').length;

  beforeAll(async () => {
    scene = await setScene((targets) => ({
      'brainstem.yml': 'routes: [{ notify: [bus], repeat: 1m }]\n',
      'probes/all.yaml': probesFile(probe(targets, 'broken'), probe(targets, 'steady')),
    }));
    await jump(0);
    daemon = await scene.start({
      environment: {
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: join(scene.home.path, 'clock'),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    });
    for (const name of ['broken', 'steady']) await untilState(daemon, name, 'up');
  });

  afterAll(() => scene.close());

  it('reminds while the incident is open, until somebody acknowledges it', async () => {
    scene.targets.set('broken', 'broken');
    const { id } = await untilIncident(daemon, 'broken', 'open');
    await until(() => scene.alerts.kinds('broken').includes('opened'), { what: 'the page' });
    expect(reminders()).toBe(0);
    await jump(61);
    await until(() => reminders() === 1, { what: 'the first reminder' });
    await jump(122);
    await until(() => reminders() === 2, { what: 'the second reminder' });
    await daemon.api(`incidents/${id}/ack`, {});
    await jump(400);
    // Longer than the daemon takes to look.
    await pass(6_500);
    expect(reminders()).toBe(2);
    scene.targets.set('broken', 'ok');
    await until(() => scene.alerts.kinds('broken').includes('resolved'), { what: 'the resolved message' });
    expect(await incidentsOf(daemon, 'steady')).toEqual([]);
  }, 90_000);
});
