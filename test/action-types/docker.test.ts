import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { docker } from '../../src/action-types/docker.ts';
import { likenessOf } from '../../src/action-types/docker-recreate.ts';
import type { Probe, Resource } from '../../src/model.ts';
import type { ActionOutput, Context, Log } from '../../src/ports.ts';
import type { Dockerd } from '../estate/dockerd.ts';
import { dockerAvailable, IMAGE, IMAGE_HEALTHY, startDockerd } from '../estate/dockerd.ts';
import { QUIET } from './input.ts';

const missing = dockerAvailable();
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

function contextOf(timeoutMs: number): Context {
  return { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet };
}

/** What one attempt gives; the input's other parts are not for this action. */
function act(written: object, timeoutMs = 20_000, resource?: Resource): Promise<ActionOutput> {
  const probe = { name: 'web' } as Probe;
  const input = { remediation: 'fix', attemptId: 1, probe, folder: '/', onChild: async () => {}, ...QUIET };
  const spec = docker.spec.parse(written);
  return docker.run(spec, { ...input, ...(resource && { resource }) }, contextOf(timeoutMs));
}

async function until<T>(look: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`never came to hold; last seen: ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}

describe('the spec', () => {
  const problemsOf = (written: object) => docker.spec.safeParse(written).error?.issues.map(({ message }) => message);

  test.each([
    [{}, 'needs exactly one of'],
    [{ restart: 'web', stop: 'web' }, 'needs exactly one of'],
    [{ exec: 'web' }, 'needs argv'],
    [{ restart: 'web', argv: ['x'] }, 'goes with exec only'],
    [{ restart: 'web', signal: 'HUP' }, 'goes with kill only'],
    [{ kill: 'web', signal: 'hang up' }, 'is not a signal'],
    [{ start: 'web', older_than: '1h' }, 'goes with prune only'],
    [{ logs: 'web', timeout: '1s' }, 'goes with restart, stop, recreate only'],
  ])('refuses %j', (written, message) => {
    expect(problemsOf(written)?.join()).toContain(message);
  });

  test.each(['', '*', 'web;rm', '../web', undefined, null])(
    'refuses %j as a container: it never means all',
    (container) => {
      expect(docker.spec.safeParse({ restart: container }).success).toBe(false);
    },
  );

  test('never prunes volumes', () => {
    expect(docker.spec.safeParse({ prune: 'volumes' }).success).toBe(false);
  });
});

describe('the resource', () => {
  const resourceOf = (written: object, observed?: Resource) =>
    docker.resource(docker.spec.parse(written), 'fix', observed);

  test('is the container, whatever is done to it', () => {
    expect(resourceOf({ restart: 'web' })).toBe('container:web');
    expect(resourceOf({ stop: 'web' })).toBe('container:web');
  });

  test('tells engines apart', () => {
    expect(resourceOf({ restart: 'web', socket: '/x/docker.sock' })).toBe('container:web@/x/docker.sock');
    const observed = { kind: 'container', name: 'web', at: '/x/docker.sock' };
    expect(resourceOf({ restart: { from: 'probe' } }, observed)).toBe('container:web@/x/docker.sock');
  });

  test('is undefined while the probe observed no container', () => {
    expect(resourceOf({ restart: { from: 'probe' } })).toBeUndefined();
    expect(resourceOf({ restart: { from: 'probe' } }, { kind: 'unit', name: 'web' })).toBeUndefined();
    expect(resourceOf({ restart: { from: 'probe' } }, { kind: 'container', name: '' })).toBeUndefined();
  });

  test('of pruning is what is pruned', () => {
    expect(resourceOf({ prune: 'images' })).toBe('docker-prune:images');
  });

  test('only logs read only', () => {
    expect(docker.readsOnly(docker.spec.parse({ logs: 'web' }))).toBe(true);
    expect(docker.readsOnly(docker.spec.parse({ exec: 'web', argv: ['true'] }))).toBe(false);
    expect(docker.fromProbe(docker.spec.parse({ restart: { from: 'probe' } }))).toBe(true);
    expect(docker.fromProbe(docker.spec.parse({ restart: 'web' }))).toBe(false);
  });
});

describe('the likeness of a container', () => {
  const id = '0123456789abcdef';
  const old = {
    Id: id,
    Name: '/web',
    Image: 'sha256:1',
    State: { Running: true },
    Config: { Image: 'bb:1', Hostname: id.slice(0, 12), ExposedPorts: { '80/tcp': {} } },
    HostConfig: { NetworkMode: 'front', AutoRemove: false },
    Mounts: [],
    NetworkSettings: {
      Networks: { back: { Aliases: ['db'] }, front: { Aliases: ['www', id.slice(0, 12)], IPAMConfig: {} } },
    },
  };

  test('is created in its main network and connected to the others, without the old id', () => {
    const { body, others } = likenessOf(old, 'bb:1');
    expect(body).not.toHaveProperty('Hostname');
    expect(body.NetworkingConfig).toEqual({ EndpointsConfig: { front: { Aliases: ['www'], IPAMConfig: {} } } });
    expect(others).toEqual([{ network: 'back', endpoint: { Aliases: ['db'] } }]);
  });

  test('that shares the network of another has no host name and no ports of its own', () => {
    const HostConfig = { ...old.HostConfig, NetworkMode: 'container:other' };
    const { body, others } = likenessOf({ ...old, HostConfig, NetworkSettings: { Networks: {} } }, 'bb:1');
    expect(body).not.toHaveProperty('Hostname');
    expect(body).toMatchObject({ ExposedPorts: {} });
    expect(body).not.toHaveProperty('NetworkingConfig');
    expect(others).toEqual([]);
  });
});

test('an engine that is not there, and a target that is not, are said to be so', async () => {
  const gone = await act({ restart: 'web', socket: '/nonexistent/docker.sock' });
  expect(gone).toEqual({ done: false, error: expect.stringContaining('/nonexistent/docker.sock did not answer') });
  const nothing = await act({ restart: { from: 'probe' } });
  expect(nothing).toEqual({ done: false, error: 'the probe observed no container to act on' });
});

describe.skipIf(missing !== undefined)('on a real engine', () => {
  let engine: Dockerd;
  beforeAll(async () => {
    engine = await startDockerd();
  });
  afterAll(() => engine?.stop());
  afterEach(async () => {
    const ids = (await engine.run('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await engine.run('rm', '-f', '-v', ...ids);
  });

  const here = (written: object) => ({ ...written, socket: engine.socket });
  const start = (...args: string[]) => engine.run('run', '-d', '--name', 'web', '--network', 'none', ...args);
  const inspect = (format: string, name = 'web') => engine.run('inspect', '-f', format, name);
  const stateOf = () => inspect('{{.State.Status}}');
  const sleeper = [IMAGE, '/bin/sleep', '1000'];

  test('restart heals a crash, and a target that the probe observed', async () => {
    await start(...sleeper);
    process.kill(Number(await inspect('{{.State.Pid}}')), 'SIGKILL');
    await until(stateOf, (state) => state === 'exited');
    expect(await act(here({ restart: 'web', timeout: '1s' }))).toEqual({ done: true });
    expect(await stateOf()).toBe('running');
    await engine.run('kill', 'web');
    const resource = { kind: 'container', name: 'web', at: engine.socket };
    expect(await act({ restart: { from: 'probe' } }, 20_000, resource)).toEqual({ done: true });
    expect(await stateOf()).toBe('running');
  });

  test('restart heals what was killed for want of memory', async () => {
    const eatOnce = 'test -e /tmp/ate && exec sleep 1000; touch /tmp/ate; exec tail /dev/zero';
    await start('-m', '16m', '--memory-swap', '16m', IMAGE, '/bin/sh', '-c', eatOnce);
    await until(stateOf, (state) => state === 'exited');
    expect(await inspect('{{.State.OOMKilled}}')).toBe('true');
    expect(await act(here({ restart: 'web' }))).toEqual({ done: true });
    expect(await engine.run('exec', 'web', 'echo', 'alive')).toBe('alive');
  });

  test('restart heals an unhealthy container', async () => {
    await start(IMAGE_HEALTHY, '/bin/sh', '-c', 'rm -f /tmp/sick; exec sleep 1000');
    await engine.run('exec', 'web', 'touch', '/tmp/sick');
    const health = () => inspect('{{.State.Health.Status}}');
    await until(health, (seen) => seen === 'unhealthy');
    expect(await act(here({ restart: 'web', timeout: '1s' }))).toEqual({ done: true });
    await until(health, (seen) => seen === 'healthy');
  });

  test.each([
    ['stopped with SIGSTOP', async () => process.kill(Number(await inspect('{{.State.Pid}}')), 'SIGSTOP')],
    ['paused', () => engine.run('pause', 'web')],
  ])('restart heals a hung container: %s', async (_how, hang) => {
    await start(...sleeper);
    const before = await inspect('{{.State.Pid}}');
    await hang();
    expect(await act(here({ restart: 'web', timeout: '1s' }))).toEqual({ done: true });
    const after = await inspect('{{.State.Pid}}');
    expect(await stateOf()).toBe('running');
    expect(after).not.toBe(before);
  });

  test('the grace is cut to half of the deadline, so that the restart is done within it', async () => {
    await start(...sleeper);
    expect(await act(here({ restart: 'web' }), 4_000)).toEqual({ done: true });
  });

  test('start and stop of what is so already are done', async () => {
    await start(...sleeper);
    expect(await act(here({ start: 'web' }))).toEqual({ done: true });
    expect(await act(here({ stop: 'web', timeout: '0' }))).toEqual({ done: true });
    expect(await act(here({ stop: 'web' }))).toEqual({ done: true });
    expect(await stateOf()).toBe('exited');
    expect(await act(here({ start: 'web' }))).toEqual({ done: true });
    expect(await stateOf()).toBe('running');
  });

  test('kill sends the signal', async () => {
    await start(IMAGE, '/bin/sh', '-c', 'trap "exit 7" HUP; while :; do sleep 1000 & wait; done');
    await sleep(200);
    expect(await act(here({ kill: 'web', signal: 'HUP' }))).toEqual({ done: true });
    await until(stateOf, (state) => state === 'exited');
    expect(await inspect('{{.State.ExitCode}}')).toBe('7');
    expect((await act(here({ kill: 'web' }))).done).toBe(false);
  });

  test.each([{ restart: 'nobody' }, { logs: 'nobody' }, { recreate: 'nobody' }, { exec: 'nobody', argv: ['true'] }])(
    'an unknown container is said to be unknown: %j',
    async (written) => {
      expect(await act(here(written))).toEqual({
        done: false,
        error: expect.stringContaining('there is no container nobody'),
      });
    },
  );

  test('a name that is only the beginning of some id names nothing', async () => {
    const id = await start(...sleeper);
    const before = await inspect('{{.State.StartedAt}}');
    const container = id.slice(0, 3);
    expect(await act(here({ restart: container }))).toEqual({
      done: false,
      error: `there is no container ${container}`,
    });
    expect(await inspect('{{.State.StartedAt}}')).toBe(before);
  });

  test('logs give both streams, the newest lines', async () => {
    await start(IMAGE, '/bin/sh', '-c', 'echo one; echo two; sleep 0.2; echo three >&2; sleep 1000');
    const { done, output } = await until(
      () => act(here({ logs: 'web', tail: 2 })),
      (seen) => seen.output?.includes('three') === true,
    );
    expect(done).toBe(true);
    expect(output).not.toContain('one');
    expect(output).toMatch(/^\d{4}-\S+Z two$/m);
    expect(output).toMatch(/Z three$/m);
  });

  test('logs of a container with a terminal, and long ones in bounded memory', async () => {
    await start('-t', IMAGE, '/bin/sh', '-c', 'echo {\\"json\\":1}; sleep 1000');
    const logs = (tail: number) => act(here({ logs: 'web', tail }));
    const { output: line } = await until(
      () => logs(1),
      (seen) => seen.output !== '',
    );
    expect(line).toContain('Z {"json":1}');
    await engine.run('rm', '-f', 'web');
    await start(
      IMAGE,
      '/bin/sh',
      '-c',
      'i=0; while test $i -lt 9000; do echo line $i of many words to fill; i=$((i+1)); done; sleep 1000',
    );
    const { output = '' } = await until(
      () => logs(10_000),
      (seen) => seen.output?.includes('line 8999 ') === true,
    );
    expect(output.length).toBeLessThan(140 * 1_024);
    expect(output).toContain('bytes omitted');
  });

  test('exec runs argv without a shell and reports its exit', async () => {
    await start(...sleeper);
    expect(await act(here({ exec: 'web', argv: ['echo', '$HOME; x'] }))).toEqual({
      done: true,
      exitCode: 0,
      output: '$HOME; x\n',
    });
    expect(await act(here({ exec: 'web', argv: ['sh', '-c', 'echo bad >&2; exit 3'] }))).toEqual({
      done: false,
      exitCode: 3,
      output: 'bad\n',
      error: 'sh exited with code 3 in web',
    });
    const began = performance.now();
    const late = await act(here({ exec: 'web', argv: ['sleep', '30'] }), 700);
    expect(late.error).toContain('deadline');
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test('a hung engine ends at the deadline', async () => {
    await start(...sleeper);
    engine.hangEngine();
    try {
      expect((await act(here({ restart: 'web' }), 500)).error).toContain('deadline');
    } finally {
      engine.resumeEngine();
    }
  });

  test('recreate keeps the configuration and the volumes, and gives a new container', async () => {
    const options = ['-e', 'COLOUR=blue', '-v', '/data', '--restart', 'on-failure:3', '-m', '32m', '-l', 'team=x'];
    await start(...options, IMAGE, '/bin/sh', '-c', 'echo $COLOUR >> /data/runs; exec sleep 1000');
    const shown =
      '{{.Config.Env}} {{.Config.Cmd}} {{.Config.Image}} {{.Config.Labels}} {{.HostConfig.RestartPolicy}} {{.HostConfig.Memory}} {{.HostConfig.NetworkMode}}';
    const [before, id] = [await inspect(shown), await inspect('{{.Id}}')];
    expect(await act(here({ recreate: 'web', timeout: '1s' }))).toMatchObject({ done: true });
    expect(await inspect(shown)).toBe(before);
    expect(await inspect('{{.Id}}')).not.toBe(id);
    expect(await inspect('{{.Config.Hostname}}')).toBe((await inspect('{{.Id}}')).slice(0, 12));
    expect(await stateOf()).toBe('running');
    expect(await engine.run('exec', 'web', 'cat', '/data/runs')).toBe('blue\nblue');
    expect(await engine.run('ps', '-a', '--format', '{{.Names}}')).toBe('web');
    // A second time: the volume is named now, and must not be given twice.
    expect(await act(here({ recreate: 'web', timeout: '1s' }))).toMatchObject({ done: true });
    expect(await engine.run('exec', 'web', 'cat', '/data/runs')).toBe('blue\nblue\nblue');
  });

  test('recreate leaves the old one running when the new one cannot take its place', async () => {
    await start(...sleeper);
    const id = await inspect('{{.Id}}');
    const squatter = `web.old-${id.slice(0, 12)}`;
    await engine.run('create', '--name', squatter, '--network', 'none', ...sleeper);
    const { done, error } = await act(here({ recreate: 'web', timeout: '1s' }));
    expect(done).toBe(false);
    expect(error).toContain('is already in use');
    expect(error).not.toContain('rolling back failed');
    expect(await inspect('{{.Id}} {{.State.Status}}')).toBe(`${id} running`);
    expect((await engine.run('ps', '-a', '--format', '{{.Names}}')).split('\n').sort()).toEqual(['web', squatter]);
  });

  test('recreate gives the name back when the new one does not start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'recreate-'));
    try {
      await cp('/bin/busybox', join(folder, 'given'));
      await start('-v', `${join(folder, 'given')}:/bin/busybox`, ...sleeper);
      const id = await inspect('{{.Id}}');
      // A folder now stands where both containers want a file.
      await rm(join(folder, 'given'));
      await mkdir(join(folder, 'given'));
      const { done, error } = await act(here({ recreate: 'web', timeout: '1s' }));
      expect(done).toBe(false);
      expect(error).toContain('rolling back failed');
      expect(await inspect('{{.Id}}')).toBe(id);
      expect(await engine.run('ps', '-a', '--format', '{{.Names}}')).toBe('web');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('pruning says what it deleted, and spares what is young', async () => {
    await start(IMAGE, '/bin/sh', '-c', 'exit 0');
    await until(stateOf, (state) => state === 'exited');
    const spared = await act(here({ prune: 'containers', older_than: '1h' }));
    expect(spared).toEqual({ done: true, output: 'containers: 0 deleted, 0 bytes reclaimed' });
    const old = () => act(here({ prune: 'containers', older_than: '1s' }));
    await until(old, ({ output }) => output?.startsWith('containers: 1 deleted') === true);
    expect(await act(here({ prune: 'images' }))).toMatchObject({ done: true });
    expect(await act(here({ prune: 'build-cache' }))).toMatchObject({ done: true });
    expect(await engine.run('images', '-q', IMAGE)).not.toBe('');
  });
});
