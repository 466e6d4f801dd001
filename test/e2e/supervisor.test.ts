/** A program of a real supervisord, through the whole daemon: seen dead, restarted, proven; left alone when a person stopped it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Daemon } from '../estate/daemon.ts';
import { QUICK_FIX, QUICK_PROBE } from '../estate/quick.ts';
import { pass, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';
import { type Supervisord, startSupervisord } from '../estate/supervisord.ts';

const LOGIN = { user: 'me', password: ['never', 'to', 'be', 'seen'].join('-') };
const AT_WORK = ['command=/bin/sh -c "echo at work; exec sleep 1000"', 'startsecs=0', 'autorestart=false'];

let server: Supervisord;
let scene: Scene;
let daemon: Daemon;

beforeAll(async () => {
  server = await startSupervisord({ worker: AT_WORK, stopped: AT_WORK }, LOGIN);
  const login = 'user: me, password: "${SUPERVISOR_PASSWORD}"';
  scene = await setScene(() => ({
    'probes/programs.yaml': `
probes:
  - { name: program, supervisor: { url: "${server.url}", program: "{{item}}", ${login} }, ${QUICK_PROBE}, remediate: [{ try: [restart-it] }], each: [worker, stopped] }
`,
    'remediations/programs.yaml': `
remediations:
  - { name: restart-it, supervisor: { restart: { from: probe }, ${login} }, evidence: [{ supervisor: { logs: { from: probe }, ${login} } }], ${QUICK_FIX} }
`,
  }));
  daemon = await scene.start({ environment: { SUPERVISOR_PASSWORD: LOGIN.password } });
  for (const name of ['worker', 'stopped']) await untilState(daemon, `program[${name}]`, 'up');
}, 90_000);

afterAll(async () => {
  await scene?.close();
  await server?.stop();
}, 60_000);

it('restarts a program that died, and its probe proves it', async () => {
  await server.control('signal', 'KILL', 'worker');
  const story = await untilIncident(daemon, 'program[worker]', 'over', ({ resolved_at }) => resolved_at !== undefined);
  expect(story).toMatchObject({ healed_by: 'restart-it', attempts: [{ state: 'healed' }] });
  expect(story.timeline.find(({ kind }) => kind === 'evidence')?.text).toContain('at work');
  expect(await server.control('status', 'worker')).toContain('RUNNING');
  expect(JSON.stringify(scene.alerts.of()) + daemon.log.map((line) => JSON.stringify(line)).join()).not.toContain(
    LOGIN.password,
  );
}, 60_000);

it('leaves a program alone that a person stopped', async () => {
  await server.control('stop', 'stopped');
  const story = await untilIncident(daemon, 'program[stopped]', 'refused', ({ attempts }) =>
    attempts.some(({ refusal }) => refusal === 'stopped_by_person'),
  );
  expect(story.attempts.filter(({ state }) => state !== 'refused')).toEqual([]);
  await pass(2_000);
  expect(await server.control('status', 'stopped')).toContain('STOPPED');
}, 60_000);
