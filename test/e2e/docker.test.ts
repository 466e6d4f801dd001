import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import {
  type DockerScene,
  fixesOf,
  isOver,
  isRefused,
  POLITE,
  setDockerScene,
  untilAllUp,
  untilStory,
} from '../estate/docker-scene.ts';
import { IMAGE, IMAGE_HEALTHY } from '../estate/dockerd.ts';
import { incidentsOf, pass, probeOf, storyKinds, untilState } from '../estate/scene.ts';

const BREAKABLE = ['crashed', 'killed', 'sick', 'hungry', 'hung'] as const;
const STOPPED = ['stopped', 'restarted', 'removed', 'ours'] as const;
const WHILE_AWAY = ['away-stopped', 'away-crashed', 'away-forgotten'] as const;

/** The only one of the repository's own containers that is configured. */
const environment = { POSTGRES_CONTAINER: 'shipped' };

const sh = (script: string) => ['/bin/sh', '-c', script];
/** Longer than the healer waits before it asks again after a no. */
const ASKED_AGAIN_MS = 7_000;

let scene: DockerScene;
let daemon: Daemon;

const startedAt = (name: string) => scene.inspect(name, '.State.StartedAt');
const runs = (name: string) => scene.inspect(name, '.State.Running');

async function createContainers(): Promise<void> {
  const { create } = scene;
  await create('crashed', ...POLITE);
  await create('killed', ...POLITE);
  await create('sick', IMAGE_HEALTHY, ...sh('rm -f /tmp/sick; exec sleep 1000'));
  const eatWhenTold = 'while ! test -e /tmp/eat; do sleep 0.1; done; rm /tmp/eat; exec tail /dev/zero';
  await create('hungry', '-m', '16m', '--memory-swap', '16m', IMAGE, ...sh(eatWhenTold));
  const check = ['--health-cmd', 'wget -q -O /dev/null http://127.0.0.1:8080/'];
  const pace = ['--health-interval', '500ms', '--health-timeout', '1s', '--health-retries', '2'];
  const serve = 'echo alive >/tmp/index.html; exec httpd -f -p 8080 -h /tmp';
  await create('hung', ...check, ...pace, IMAGE, ...sh(serve));
  await create(
    'ours',
    IMAGE_HEALTHY,
    ...sh('rm -f /tmp/sick; trap "exit 0" TERM; while :; do sleep 1000 & wait; done'),
  );
  await create('stubborn', IMAGE_HEALTHY, ...sh('rm -f /tmp/sick; exec sleep 1000'));
  for (const name of ['stopped', 'restarted', 'removed', 'behind', ...WHILE_AWAY, 'shipped'])
    await create(name, ...POLITE);
}

/** Those of the repository that its docker.yaml names, by their files. */
async function ownRemediations(...names: readonly string[]): Promise<Record<string, string>> {
  const files = names.map((name) => `remediations/${name}.yaml`);
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')])));
}

beforeAll(async () => {
  const watched = [
    ...BREAKABLE.map((name) => ({ name })),
    ...STOPPED.map((name) => (name === 'ours' ? { name, fixes: ['stop-it', 'start-it'] } : { name })),
    ...WHILE_AWAY.map((name) => ({ name, every: '5s' })),
    { name: 'stubborn', every: '5s', fixes: ['restart-slowly'] },
  ];
  scene = await setDockerScene(watched, 'behind', {
    'probes/docker.yaml': await readFile('probes/docker.yaml', 'utf8'),
    ...(await ownRemediations('docker', 'postgres', 'redis')),
  });
  await createContainers();
  daemon = await scene.start({ environment });
  const names = watched.map(({ name }) => name);
  await untilAllUp(daemon, names);
}, 180_000);

afterAll(() => scene?.close(), 60_000);

describe('a container that fails', () => {
  it.each<[(typeof BREAKABLE)[number], string, RegExp, () => Promise<unknown>]>([
    [
      'crashed',
      'killed from outside',
      /exited: exit code 137/,
      async () => process.kill(await scene.mainPid('crashed'), 'SIGKILL'),
    ],
    ['killed', 'ended by docker kill', /exited: exit code 137/, () => scene.engine.run('kill', 'killed')],
    ['sick', 'unhealthy', /is unhealthy: sick/, () => scene.engine.run('exec', 'sick', 'touch', '/tmp/sick')],
    [
      'hungry',
      'out of memory',
      /want of memory \(OOM\)/,
      () => scene.engine.run('exec', 'hungry', 'touch', '/tmp/eat'),
    ],
    ['hung', 'hung', /is unhealthy: .*timeout/i, async () => process.kill(await scene.mainPid('hung'), 'SIGSTOP')],
  ])('%s: when it is %s, an event starts its probe, and one restart heals it', async (name, _how, cause, breakIt) => {
    const before = await startedAt(name);
    await breakIt();
    const story = await untilStory(daemon, name, 'over', isOver);
    expect(story).toMatchObject({
      healed_by: 'restart-it',
      resolution: 'recovered',
      cause: expect.stringMatching(cause),
    });
    expect(fixesOf(story)).toEqual(['restart-it']);
    expect(await runs(name)).toBe('true');
    expect(await startedAt(name)).not.toBe(before);
    expect(scene.alerts.kinds(name)[0]).toBe('opened');
    await until(() => scene.alerts.kinds(name).at(-1) === 'resolved', { what: 'the resolved message' });
  });

  it('has its last words attached to the incident before anything is done to it', async () => {
    const [incident] = await incidentsOf(daemon, 'crashed');
    const story = await untilStory(daemon, 'crashed', 'over', isOver);
    expect(story.id).toBe(incident?.id);
    const kinds = storyKinds(story);
    expect(kinds.indexOf('evidence')).toBeGreaterThan(kinds.indexOf('opened'));
    expect(kinds.indexOf('evidence')).toBeLessThan(kinds.indexOf('attempt_started'));
    expect(story.timeline.find(({ kind }) => kind === 'evidence')?.text).toContain('at work');
  });
});

describe('a person’s hand', () => {
  it('that stops a container is respected until it starts it again', async () => {
    const before = await startedAt('stopped');
    await scene.engine.run('stop', 'stopped');
    const refused = await untilStory(daemon, 'stopped', 'refused', isRefused);
    expect(refused.attempts[0]).toMatchObject({ refusal: 'stopped_by_person' });
    expect(refused).toMatchObject({ paged: true, cause: expect.stringContaining('was stopped (docker stop)') });
    await pass(ASKED_AGAIN_MS);
    expect(await startedAt('stopped')).toBe(before);
    expect(await runs('stopped')).toBe('false');
    await scene.engine.run('start', 'stopped');
    const story = await untilStory(daemon, 'stopped', 'over', isOver);
    expect(story.resolution).toBe('recovered');
    expect(story.healed_by).toBeUndefined();
    expect(fixesOf(story)).toEqual([]);
    await until(() => scene.alerts.kinds('stopped').at(-1) === 'resolved', { what: 'the resolved message' });
    expect(scene.alerts.kinds('stopped')).toEqual(['opened', 'resolved']);
  });

  it('that restarts a container is no failure', async () => {
    await scene.engine.run('restart', 'restarted');
    const before = await startedAt('restarted');
    await pass(ASKED_AGAIN_MS / 2);
    expect(await incidentsOf(daemon, 'restarted')).toEqual([]);
    expect((await probeOf(daemon, 'restarted')).state).toBe('up');
    expect(await startedAt('restarted')).toBe(before);
  });

  it('that removes a container is respected until there is one of its name again', async () => {
    await scene.engine.run('rm', '-f', 'removed');
    const refused = await untilStory(daemon, 'removed', 'refused', isRefused);
    expect(refused).toMatchObject({ paged: true, cause: 'there is no container removed' });
    expect(refused.attempts[0]).toMatchObject({ refusal: 'stopped_by_person' });
    await scene.create('removed', ...POLITE);
    const story = await untilStory(daemon, 'removed', 'over', isOver);
    expect(fixesOf(story)).toEqual([]);
  });

  it('is respected by the fix of a probe that looks at something else', async () => {
    const { engine, targets } = scene;
    await untilState(daemon, 'front', 'up');
    await engine.run('stop', 'behind');
    targets.set('front', 'broken');
    const refused = await untilStory(daemon, 'front', 'refused', isRefused);
    expect(refused.attempts[0]).toMatchObject({ remediation: 'restart-behind', refusal: 'stopped_by_person' });
    await pass(ASKED_AGAIN_MS);
    expect(await runs('behind')).toBe('false');
    await engine.run('start', 'behind');
    targets.set('front', 'ok');
    const resolved = await untilStory(daemon, 'front', 'over', isOver);
    expect(fixesOf(resolved)).toEqual([]);

    process.kill(await scene.mainPid('behind'), 'SIGKILL');
    targets.set('front', 'broken');
    await untilStory(daemon, 'front', 'acted on', (story) => fixesOf(story).length > 0);
    await until(async () => (await runs('behind')) === 'true', { what: 'the container to run again' });
    targets.set('front', 'ok');
    const healed = await untilStory(daemon, 'front', 'over', isOver);
    expect(healed).toMatchObject({ healed_by: 'restart-behind' });
  });

  it('is not seen in a stop that a fix of ours made', async () => {
    await scene.engine.run('exec', 'ours', 'touch', '/tmp/sick');
    const story = await untilStory(daemon, 'ours', 'over', isOver);
    expect(story).toMatchObject({ healed_by: 'start-it' });
    expect(fixesOf(story)).toEqual(['stop-it', 'start-it']);
    expect(story.attempts.map(({ refusal }) => refusal)).not.toContain('stopped_by_person');
  });
});

describe('what happened while the daemon was away', () => {
  let before: string;

  beforeAll(async () => {
    expect(await daemon.stop()).toBe(0);
    const { engine } = scene;
    before = await startedAt('away-stopped');
    await engine.run('stop', 'away-forgotten');
    // 256 events are all that an engine remembers.
    await engine.run('kill', '-s', 'CONT', ...Array<string>(260).fill('restarted'));
    await engine.run('stop', 'away-stopped');
    process.kill(await scene.mainPid('away-crashed'), 'SIGKILL');
    daemon = await scene.start({ environment });
  }, 90_000);

  it('a stop by hand is still a person’s', async () => {
    const story = await untilStory(daemon, 'away-stopped', 'refused', isRefused);
    expect(story.attempts[0]).toMatchObject({ refusal: 'stopped_by_person' });
    expect(story.paged).toBe(true);
    await pass(ASKED_AGAIN_MS);
    expect(await startedAt('away-stopped')).toBe(before);
    expect(await runs('away-stopped')).toBe('false');
  });

  it('a crash is healed', async () => {
    const story = await untilStory(daemon, 'away-crashed', 'over', isOver);
    expect(story).toMatchObject({ healed_by: 'restart-it' });
    expect(await runs('away-crashed')).toBe('true');
  });

  it('an end that the engine has forgotten pages, and is not healed', async () => {
    const story = await untilStory(daemon, 'away-forgotten', 'refused', isRefused);
    expect(story.attempts[0]).toMatchObject({ refusal: 'stopped_by_person' });
    expect(story.timeline.find(({ kind }) => kind === 'refused')?.text).toContain('cannot be told apart');
    expect(story.paged).toBe(true);
    expect(await runs('away-forgotten')).toBe('false');
  });
});

describe('a restart under way', () => {
  it('when the daemon is killed is verified by the next one, and not done again', async () => {
    const since = Date.now() / 1_000;
    const seen = async (event: string) => {
      const window = ['--since', String(since), '--until', String(Date.now() / 1_000)];
      const lines = await scene.engine.run('events', ...window, '-f', 'container=stubborn', '-f', `event=${event}`);
      return lines.split('\n').filter(Boolean).length;
    };
    await scene.engine.run('exec', 'stubborn', 'touch', '/tmp/sick');
    await until(async () => (await seen('kill')) > 0, { what: 'the engine to begin the restart', withinMs: 45_000 });
    await daemon.kill();
    daemon = await scene.start({ environment });
    const story = await untilStory(daemon, 'stubborn', 'over', isOver);
    expect(fixesOf(story)).toEqual(['restart-slowly']);
    expect(story).toMatchObject({ healed_by: 'restart-slowly' });
    expect(await seen('start')).toBe(1);
  });
});

describe('the definitions of this repository', () => {
  it('heal a container that crashed, before anybody is paged', async () => {
    await untilState(daemon, 'postgres', 'up');
    process.kill(await scene.mainPid('shipped'), 'SIGKILL');
    const story = await untilStory(daemon, 'postgres', 'over', isOver);
    expect(story).toMatchObject({ healed_by: 'restart-container', paged: false });
    await until(() => scene.alerts.kinds('postgres').length > 0, { what: 'the note' });
    expect(scene.alerts.kinds('postgres')).toEqual(['healed_itself']);
    expect(await runs('shipped')).toBe('true');
  }, 120_000);
});
