/** The estate's own definitions of programs and of providers' status pages, on a real supervisord and a server that answers as a page does. */
import { createServer } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { fixesOf, isOver, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { close, listen } from '../estate/faults.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import type { SeenStory } from '../estate/scene.ts';
import { type Supervisord, startSupervisord } from '../estate/supervisord.ts';

const LOGIN = { user: 'me', password: ['never', 'to', 'be', 'seen'].join('-') };

let indicator = 'none';
const page = createServer((_request, response) => {
  const status = { indicator, description: `It says ${indicator}` };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ page: {}, status, components: [], incidents: [], scheduled_maintenances: [] }));
});

let estate: OwnEstate | undefined;
let supervisord: Supervisord | undefined;

afterEach(async () => {
  await estate?.close();
  await supervisord?.stop();
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
