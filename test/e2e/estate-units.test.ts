/** The estate's own definitions of programs and of providers' status pages, on a real supervisord and a server that answers as a page does. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { fixesOf, isOver, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { close, listen } from '../estate/faults.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import type { SeenStory } from '../estate/scene.ts';
import { type Supervisord, startSupervisord } from '../estate/supervisord.ts';
import { bootUnits, type Units } from '../estate/units.ts';

const LOGIN = { user: 'me', password: ['never', 'to', 'be', 'seen'].join('-') };

let indicator = 'none';
const page = createServer((_request, response) => {
  const status = { indicator, description: `It says ${indicator}` };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ page: {}, status, components: [], incidents: [], scheduled_maintenances: [] }));
});

let estate: OwnEstate | undefined;
let supervisord: Supervisord | undefined;
let units: Units | undefined;
let folder: string | undefined;

afterEach(async () => {
  await estate?.close();
  await supervisord?.stop();
  await units?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
  await close(page);
});

it('a program that dies is restarted, and an outage of somebody else is told as that', {
  timeout: 240_000,
}, async () => {
  const program = ['command=/bin/sh -c "echo at work; exec sleep 1000"', 'startsecs=0', 'autorestart=false'];
  supervisord = await startSupervisord({ worker: program }, LOGIN);
  const address = `http://127.0.0.1:${await listen(page)}`;
  estate = await startOwnEstate({
    ...{ SUPERVISOR_URL: supervisord.url, SUPERVISOR_PROGRAM: 'worker' },
    ...{ SUPERVISOR_USER: LOGIN.user, SUPERVISOR_PASSWORD: LOGIN.password },
    ...{ RENDER_STATUS_URL: address },
  });
  const { daemon } = estate;
  await untilAllUp(daemon, ['supervisor-program', 'status-render']);

  indicator = 'major';
  const outage = await untilStory(daemon, 'status-render', 'open', () => true);
  expect(outage).toMatchObject({ severity: 'info', cause: expect.stringContaining('It says major') });
  indicator = 'none';
  await untilStory(daemon, 'status-render', 'over', isOver);

  await supervisord.control('signal', 'KILL', 'worker');
  await untilStory(daemon, 'supervisor-program', 'being restarted', (begun) => fixesOf(begun).length > 0);
  const isHealed = ({ healed_by }: SeenStory) => healed_by === 'restart-program';
  const story = await untilStory(daemon, 'supervisor-program', 'healed', isHealed);
  expect(story.timeline.find(({ kind }) => kind === 'evidence')?.text).toContain('at work');
  expect(await supervisord.control('status', 'worker')).toContain('RUNNING');
});

it('a program that takes long to start is an incident, and is left to start', { timeout: 120_000 }, async () => {
  const slow = ['command=/bin/sleep 1000', 'startsecs=1000'];
  supervisord = await startSupervisord({ worker: slow }, LOGIN);
  const program = await supervisord.control('pid', 'worker');
  estate = await startOwnEstate({
    ...{ SUPERVISOR_URL: supervisord.url, SUPERVISOR_PROGRAM: 'worker' },
    ...{ SUPERVISOR_USER: LOGIN.user, SUPERVISOR_PASSWORD: LOGIN.password },
  });
  const { heard } = estate;
  await until(() => heard('supervisor-program').includes('opened'), { what: 'people to hear of it', withinMs: 30_000 });
  expect((await untilStory(estate.daemon, 'supervisor-program', 'open', () => true)).attempts).toEqual([]);
  expect(await supervisord.control('pid', 'worker')).toBe(program);
});

// systemd-nspawn needs root.
it.skipIf(process.getuid?.() !== 0)(
  'a unit that takes long to start is left to start, and restarted when it fails',
  {
    timeout: 400_000,
  },
  async () => {
    units = await bootUnits();
    await units.define('slow.service', ['Type=notify', 'ExecStart=/bin/sleep 1000', 'TimeoutStartSec=infinity']);
    await units.control('start', '--no-block', 'slow');
    const show = (property: string) => units?.control('show', 'slow', '--value', `--property=${property}`);
    const pid = await show('MainPID');
    estate = await startOwnEstate({ SYSTEMD_UNIT: 'slow', PATH: await pathTo(units) });
    const { heard, daemon } = estate;
    await until(() => heard('systemd-unit').includes('opened'), { what: 'people to hear of it', withinMs: 30_000 });
    expect((await untilStory(daemon, 'systemd-unit', 'open', () => true)).attempts).toEqual([]);
    expect(await show('MainPID')).toBe(pid);
    await units.define('slow.service', ['Type=notify', 'ExecStart=/bin/sleep 1000', 'TimeoutStartSec=1']);
    await units.control('restart', 'slow');
    // Failed by a timeout: `unhealthy` as well.
    await untilStory(daemon, 'systemd-unit', 'being restarted', (story) => fixesOf(story).length > 0);
  },
);

/** A PATH whose `systemctl` speaks to the systemd in there. */
async function pathTo({ systemctl }: Units): Promise<string> {
  folder = await mkdtemp(join(tmpdir(), 'estate-units-'));
  const program = join(folder, 'systemctl');
  await writeFile(program, `#!/bin/sh\nexec ${systemctl.join(' ')} "$@"\n`);
  await chmod(program, 0o755);
  return `${folder}:${process.env['PATH']}`;
}
