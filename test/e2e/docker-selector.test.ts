/** Several containers as one probe, through the whole daemon: the fix acts on those that fail, one at a time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { type DockerScene, POLITE, setDockerScene, untilStory } from '../estate/docker-scene.ts';
import { dockerAvailable, IMAGE } from '../estate/dockerd.ts';
import { QUICK_FIX } from '../estate/quick.ts';
import { type SeenStory, untilState } from '../estate/scene.ts';

const QUICK = 'every: 2s, timeout: 2s, retry_every: 400ms, fail_after: 2, recover_after: 2, relapse: 0s';
const FRAGILE = [
  IMAGE,
  '/bin/sh',
  '-c',
  'test -e /tmp/broken && exit 1; trap "exit 0" TERM; while :; do sleep 1000 & wait; done',
];

describe.skipIf(dockerAvailable())('containers with a label', { timeout: 120_000 }, () => {
  let scene: DockerScene;
  let daemon: Daemon;

  beforeAll(async () => {
    const socket = 'socket: "${DOCKER_SOCKET}"';
    const restart = `docker: { restart: { from: probe }, timeout: 1s, ${socket} }`;
    scene = await setDockerScene([], 'nobody', {
      'probes/shop.yaml': `
probes:
  - { name: web, docker: { selector: [app=web], ${socket} }, ${QUICK}, remediate: [{ try: [restart-one] }] }
  - { name: shaky, docker: { selector: [app=shaky], ${socket} }, ${QUICK}, remediate: [{ try: [restart-briefly] }] }
`,
      'remediations/shop.yaml': `
remediations:
  - { name: restart-one, ${restart}, ${QUICK_FIX} }
  - { name: restart-briefly, ${restart}, ${QUICK_FIX.replace('verify_within: 20s', 'verify_within: 4s')} }
`,
    });
    for (const name of ['web-1', 'web-2', 'web-3', 'web-4']) await scene.create(name, '-l', 'app=web', ...POLITE);
    for (const name of ['shaky-1', 'shaky-2']) await scene.create(name, '-l', 'app=shaky', ...FRAGILE);
    daemon = await scene.start();
    for (const name of ['web', 'shaky']) await untilState(daemon, name, 'up');
  }, 180_000);

  afterAll(() => scene?.close(), 60_000);

  const acts = ({ attempts }: SeenStory) =>
    attempts
      .filter(({ state }) => state !== 'refused')
      .map(({ resource, state }) => `${resource.replace(/@.*/, '')} ${state}`)
      .sort();
  const runs = (name: string) => scene.inspect(name, '.State.Running');

  it('are each restarted under their own lock, and those that are well are left alone', async () => {
    const untouched = await scene.inspect('web-3', '.State.StartedAt');
    await scene.engine.run('kill', 'web-1', 'web-2');
    const story = await untilStory(daemon, 'web', 'over', ({ resolved_at }) => resolved_at !== undefined);
    expect(story.cause).toMatch(/web-[12] is exited/);
    expect(acts(story)).toEqual(['container:web-1 healed', 'container:web-2 healed']);
    expect(await runs('web-1')).toBe('true');
    expect(await runs('web-2')).toBe('true');
    expect(await scene.inspect('web-3', '.State.StartedAt')).toBe(untouched);
  });

  it('that a person stopped do not keep the others from being healed', async () => {
    await scene.engine.run('stop', 'web-3');
    await untilStory(
      daemon,
      'web',
      'refused',
      ({ resolved_at, attempts }) =>
        resolved_at === undefined && attempts.some(({ refusal }) => refusal === 'stopped_by_person'),
    );
    await scene.engine.run('kill', 'web-4');
    const story = await untilStory(daemon, 'web', 'healed in part', (told) => acts(told).length === 1);
    await until(async () => (await runs('web-4')) === 'true', { what: 'web-4 to run' });
    expect(await runs('web-3')).toBe('false');
    expect(acts(story)[0]).toMatch(/^container:web-4 /);
    await scene.engine.run('start', 'web-3');
    await untilState(daemon, 'web', 'up');
  });

  it('that fail after the ladder was exhausted for another are healed all the same', async () => {
    await scene.engine.run('exec', 'shaky-1', 'touch', '/tmp/broken');
    await scene.engine.run('kill', 'shaky-1');
    const given = await untilStory(daemon, 'shaky', 'exhausted', ({ exhausted }) => exhausted);
    expect(acts(given)).toEqual(['container:shaky-1 failed']);
    await scene.engine.run('kill', 'shaky-2');
    const story = await untilStory(
      daemon,
      'shaky',
      'healed in part',
      (told) => acts(told).length === 2 && acts(told)[1]?.endsWith('healed') === true,
    );
    expect(acts(story)).toEqual(['container:shaky-1 failed', 'container:shaky-2 healed']);
    expect(story.resolved_at).toBeUndefined();
  });
});
