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
import { IMAGE } from '../estate/dockerd.ts';
import { incidentsOf, pass, probeOf, untilState } from '../estate/scene.ts';

/** Longer than the healer waits before it asks again after a no. */
const ASKED_AGAIN_MS = 7_000;

let scene: DockerScene;
let daemon: Daemon;

/** What the engine did to containers, by its own record. */
async function actsOn(name: string, since: number): Promise<string[]> {
  const filters = ['--filter', `container=${name}`, '--format', '{{.Action}}'];
  const window = ['--since', String(since / 1_000), '--until', String(Date.now() / 1_000)];
  return (await scene.engine.run('events', ...window, ...filters)).split('\n').filter(Boolean);
}

describe.each(['SIGTERM', 'SIGKILL'] as const)('an engine that is ended by %s and started again', (how) => {
  const away = { SIGTERM: () => scene.engine.stopEngine(), SIGKILL: () => scene.engine.killEngine() };
  let endedAt: number;

  beforeAll(async () => {
    scene = await setDockerScene([{ name: 'plain' }, { name: 'kept' }], 'plain');
    await scene.create('plain', ...POLITE);
    // Ignores SIGTERM: the engine's shutdown waits 10 s for it, long after the others have ended.
    await scene.create('slow', IMAGE, '/bin/sleep', '1000');
    await scene.create('kept', '--restart', 'always', ...POLITE);
    daemon = await scene.start();
    await untilAllUp(daemon, ['plain', 'kept']);
  }, 180_000);

  afterAll(() => scene?.close(), 60_000);

  it('is one fault, the engine’s, for every container', async () => {
    endedAt = Date.now();
    await away[how]();
    for (const name of ['plain', 'kept']) {
      await until(async () => (await probeOf(daemon, name)).reason === 'connect_refused', {
        what: `${name} to say that the engine is away`,
      });
      const story = await untilStory(daemon, name, 'refused', isRefused);
      expect(story.cause).toContain(`the Docker engine at ${scene.engine.socket}`);
      expect(fixesOf(story)).toEqual([]);
    }
  });

  it('has nothing restarted by us', async () => {
    await scene.engine.startEngine();
    await untilState(daemon, 'kept', 'up');
    const story = await untilStory(
      daemon,
      'plain',
      'refused',
      ({ attempts }) => attempts[0]?.refusal === 'stopped_by_person',
    );
    expect(story.timeline.findLast(({ kind }) => kind === 'refused')?.text).toContain('cannot be told apart');
    scene.targets.set('front', 'broken');
    const front = await untilStory(daemon, 'front', 'refused', isRefused);
    expect(front.attempts[0]).toMatchObject({ remediation: 'restart-behind', refusal: 'stopped_by_person' });
    await pass(ASKED_AGAIN_MS);
    expect(await scene.inspect('plain', '.State.Running')).toBe('false');
    expect(await actsOn('plain', endedAt)).not.toContain('start');
    for (const name of ['plain', 'kept']) {
      const [newest] = await incidentsOf(daemon, name);
      expect(newest?.healed_by).toBeUndefined();
      expect(await actsOn(name, endedAt)).not.toContain('restart');
    }
  });

  it('is followed again: what a person starts resolves, and what crashes then is healed', async () => {
    await scene.engine.run('start', 'plain');
    scene.targets.set('front', 'ok');
    const resolved = await untilStory(daemon, 'plain', 'over', isOver);
    expect(resolved.healed_by).toBeUndefined();
    for (const name of ['plain', 'kept']) await untilStory(daemon, name, 'over', isOver);
    process.kill(await scene.mainPid('plain'), 'SIGKILL');
    const healed = await untilStory(
      daemon,
      'plain',
      'healed',
      (story) => isOver(story) && story.healed_by !== undefined,
    );
    expect(healed.healed_by).toBe('restart-it');
    expect(await scene.inspect('plain', '.State.Running')).toBe('true');
  });
});
