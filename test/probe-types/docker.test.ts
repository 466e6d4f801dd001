import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Context, Log, ProbeOutput } from '../../src/ports.ts';
import { createDockerProbeType } from '../../src/probe-types/docker.ts';
import type { Dockerd } from '../estate/dockerd.ts';
import { dockerAvailable, IMAGE, IMAGE_HEALTHY, startDockerd } from '../estate/dockerd.ts';

const missing = dockerAvailable();
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const heartbeat = () => Promise.reject(new Error('not a heartbeat'));

function contextOf(timeoutMs = 20_000): Context {
  return { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet };
}

function probe(
  type: ReturnType<typeof createDockerProbeType>,
  socket: string,
  reads: readonly string[] = [],
  timeoutMs?: number,
): Promise<ProbeOutput> {
  const input = { probe: 'web', reads: new Set(reads), heartbeat };
  return type.run({ container: 'web', socket }, input, contextOf(timeoutMs));
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
  const { spec, target } = createDockerProbeType();

  test.each(['', ' ', 'web/../x', '*', '/web'])('refuses %j as a container', (container) => {
    expect(spec.safeParse({ container }).success).toBe(false);
  });

  test.each(['docker.sock', 'ftp://host', 'http://'])('refuses %j as a socket', (socket) => {
    expect(spec.safeParse({ container: 'web', socket }).success).toBe(false);
  });

  test('takes the usual socket by default, and names another engine in its target', () => {
    expect(target(spec.parse({ container: 'web' }))).toBe('web');
    expect(target(spec.parse({ container: 'web', socket: 'http://user:x@127.0.0.1:2375' }))).toBe('127.0.0.1:2375/web');
  });
});

test('an engine that is not there is told apart from every fault of a container', async () => {
  const type = createDockerProbeType();
  const seen = await probe(type, '/nonexistent/docker.sock');
  expect(seen).toMatchObject({ reason: 'connect_refused', fields: {} });
  expect(seen.error).toContain('the Docker engine at /nonexistent/docker.sock did not answer');
  expect(type.resource?.({ container: 'web', socket: '/nonexistent/docker.sock' }, seen.fields)).toBeUndefined();
});

describe.skipIf(missing !== undefined)('on a real engine', () => {
  let engine: Dockerd;
  beforeAll(async () => {
    engine = await startDockerd();
  });
  afterAll(() => engine?.stop());
  afterEach(async () => {
    await engine.run('rm', '-f', 'web').catch(() => '');
  });

  const start = (...args: string[]) => engine.run('run', '-d', '--name', 'web', '--network', 'none', ...args);
  const sleeper = [IMAGE, '/bin/sleep', '1000'];
  /** Ends at once on SIGTERM, as a well-behaved service does. */
  const polite = [IMAGE, '/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'];
  const mainPid = async () => Number(await engine.run('inspect', '-f', '{{.State.Pid}}', 'web'));
  const look = (reads?: string[]) => probe(createDockerProbeType(), engine.socket, reads);

  test('a running container is ok, and is what a fix would act on', async () => {
    await start(...sleeper);
    const type = createDockerProbeType();
    const seen = await probe(type, engine.socket);
    expect(seen.reason).toBe('ok');
    expect(seen.fields).toMatchObject({ name: 'web', state: 'running', health: 'none', exit_code: 0, restarts: 0 });
    expect(seen.fields).toMatchObject({ oom_killed: false, image: IMAGE });
    expect(seen.fields['uptime_s']).toBeGreaterThan(0);
    expect(seen.fields).not.toHaveProperty('memory_bytes');
    expect(type.resource?.({ container: 'web', socket: engine.socket }, seen.fields)).toEqual({
      kind: 'container',
      name: 'web',
      at: engine.socket,
    });
  });

  test('a name that is only the beginning of some id names nothing', async () => {
    const id = await start(...sleeper);
    const input = { probe: 'web', reads: new Set<string>(), heartbeat };
    const look = (container: string) =>
      createDockerProbeType().run({ container, socket: engine.socket }, input, contextOf());
    expect((await look(id.slice(0, 2))).reason).toBe('not_found');
    expect((await look(id.slice(0, 12))).reason).toBe('ok');
  });

  test('an engine is reached over TCP too, whatever DOCKER_HOST says', async () => {
    await start(...sleeper);
    const proxy = createServer((client) => void pipeline(client, connect(engine.socket), client, () => {}));
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    try {
      const { port } = proxy.address() as AddressInfo;
      expect((await probe(createDockerProbeType(), `http://127.0.0.1:${port}`)).reason).toBe('ok');
      expect((await look()).reason).toBe('ok');
      proxy.close();
      expect((await probe(createDockerProbeType(), `http://127.0.0.1:${port}`)).reason).toBe('connect_refused');
    } finally {
      vi.unstubAllEnvs();
      proxy.close();
    }
  });

  test('CPU and memory are measured when somebody reads them', async () => {
    await start(IMAGE, '/bin/sh', '-c', 'while :; do :; done');
    const type = createDockerProbeType();
    for (const _run of ['first', 'with an earlier reading']) {
      const { fields } = await probe(type, engine.socket, ['cpu_percent', 'memory_bytes']);
      expect(fields['memory_bytes']).toBeGreaterThan(0);
      expect(fields['cpu_percent']).toBeGreaterThan(5);
      expect(fields['cpu_percent']).toBeLessThan(250);
    }
  });

  test('a crash is an exit code, with nobody to respect', async () => {
    await start(...sleeper);
    process.kill(await mainPid(), 'SIGKILL');
    const seen = await until(look, ({ reason }) => reason !== 'ok');
    expect(seen).toMatchObject({ reason: 'exit_code', fields: { state: 'exited', exit_code: 137, oom_killed: false } });
    expect(seen.intervention).toBeUndefined();
  });

  test('a service that ends by itself with 0 is stopped, with nobody to respect', async () => {
    await start(IMAGE, '/bin/sh', '-c', 'exit 0');
    const seen = await until(look, ({ reason }) => reason !== 'ok');
    expect(seen).toMatchObject({ reason: 'stopped', fields: { exit_code: 0 } });
    expect(seen.intervention).toBeUndefined();
  });

  test('docker kill is a failure, not a person’s stop', async () => {
    await start(...sleeper);
    await engine.run('kill', 'web');
    const seen = await look();
    expect(seen.reason).toBe('exit_code');
    expect(seen.intervention).toBeUndefined();
  });

  test.each([
    ['that ends on SIGTERM', polite],
    ['that has to be killed', sleeper],
  ])('docker stop of a service %s is a person’s hand', async (_how, command) => {
    await start(...command);
    const before = Date.now();
    await engine.run('stop', '-t', '1', 'web');
    const seen = await look();
    expect(seen.reason).toBe('stopped');
    expect(seen.intervention).toMatchObject({ certain: true, what: 'docker stop of web' });
    expect(seen.intervention?.at).toBeGreaterThanOrEqual(before);
    expect(seen.intervention?.at).toBeLessThanOrEqual(Date.now());
  });

  test('a crash after an earlier docker stop is a crash', async () => {
    await start(...polite);
    await engine.run('stop', 'web');
    await engine.run('start', 'web');
    process.kill(await mainPid(), 'SIGKILL');
    const seen = await until(look, ({ reason }) => reason !== 'ok');
    expect(seen.reason).toBe('exit_code');
    expect(seen.intervention).toBeUndefined();
  });

  test('docker restart by hand is no failure', async () => {
    await start(...polite);
    const restart = engine.run('restart', 'web');
    const seen: ProbeOutput[] = [];
    let done = false;
    void restart.finally(() => {
      done = true;
    });
    while (!done) seen.push(await look());
    await restart;
    seen.push(await look());
    expect(new Set(seen.map(({ reason }) => reason))).toEqual(new Set(['ok']));
  });

  test('a restart policy at work is no failure, a crash loop is one', async () => {
    await start('--restart', 'always', ...sleeper);
    process.kill(await mainPid(), 'SIGKILL');
    const seen = await until(look, ({ fields }) => Number(fields['restarts']) > 0);
    expect(seen.reason).toBe('ok');
    await engine.run('rm', '-f', 'web');
    await start('--restart', 'always', IMAGE, '/bin/sh', '-c', 'exit 3');
    const looping = await until(
      look,
      ({ fields }) => Number(fields['restarts']) >= 5 && fields['state'] === 'restarting',
    );
    expect(looping).toMatchObject({ reason: 'exit_code', fields: { exit_code: 3 } });
    expect(looping.error).toContain('crashes in a loop');
    expect(looping.intervention).toBeUndefined();
  });

  test('docker stop in a crash loop is a person’s hand', async () => {
    await start('--restart', 'always', IMAGE, '/bin/sh', '-c', 'exit 3');
    await sleep(1_000);
    await engine.run('stop', 'web');
    expect((await look()).intervention).toMatchObject({ certain: true, what: 'docker stop of web' });
  });

  test('killed for want of memory', async () => {
    const eatOnce = 'test -e /tmp/ate && exec sleep 1000; touch /tmp/ate; exec tail /dev/zero';
    await start('-m', '16m', '--memory-swap', '16m', IMAGE, '/bin/sh', '-c', eatOnce);
    const seen = await until(look, ({ reason }) => reason !== 'ok');
    expect(seen).toMatchObject({ reason: 'exit_code', fields: { oom_killed: true, exit_code: 137 } });
    expect(seen.error).toContain('want of memory');
    expect(seen.intervention).toBeUndefined();
    await engine.run('start', 'web');
    expect(await look()).toMatchObject({ reason: 'ok', fields: { oom_killed: false } });
  });

  test('unhealthy says what the check printed, and starting is fine', async () => {
    await start(IMAGE_HEALTHY, '/bin/sleep', '1000');
    expect((await look()).reason).toBe('ok');
    await until(look, ({ fields }) => fields['health'] === 'healthy');
    await engine.run('exec', 'web', 'touch', '/tmp/sick');
    const seen = await until(look, ({ reason }) => reason !== 'ok');
    expect(seen).toMatchObject({ reason: 'unhealthy', fields: { state: 'running', health: 'unhealthy' } });
    expect(seen.error).toBe('container web is unhealthy: sick');
  });

  test('paused is stopped', async () => {
    await start(...sleeper);
    await engine.run('pause', 'web');
    expect(await look()).toMatchObject({ reason: 'stopped', error: 'container web is paused' });
  });

  test('a container never started is nothing to start by itself', async () => {
    await engine.run('create', '--name', 'web', '--network', 'none', ...sleeper);
    expect(await look()).toMatchObject({ reason: 'stopped', intervention: { certain: false } });
  });

  test('a container removed or renamed by hand is gone by a person’s hand', async () => {
    await start(...sleeper);
    await engine.run('stop', '-t', '0', 'web');
    await engine.run('rm', 'web');
    const type = createDockerProbeType();
    const removed = await probe(type, engine.socket);
    expect(removed).toMatchObject({ reason: 'not_found', intervention: { certain: true, what: 'docker rm of web' } });
    expect(type.resource?.({ container: 'web', socket: engine.socket }, removed.fields)).toBeUndefined();
    await start(...sleeper);
    await engine.run('rename', 'web', 'web2');
    const renamed = await look();
    await engine.run('rm', '-f', 'web2');
    expect(renamed.intervention).toMatchObject({ certain: true, what: 'docker rename of web to web2' });
  });

  test('a hung engine is a timeout at the deadline', async () => {
    await start(...sleeper);
    engine.hangEngine();
    try {
      const began = performance.now();
      const seen = await probe(createDockerProbeType(), engine.socket, [], 500);
      expect(seen).toMatchObject({ reason: 'timeout', fields: {} });
      expect(performance.now() - began).toBeLessThan(2_500);
    } finally {
      engine.resumeEngine();
    }
  });

  describe('followed', () => {
    let follow: AbortController;
    let type: ReturnType<typeof createDockerProbeType>;
    let wakes: { readonly why: string; readonly at: number }[];
    const woken = (since: number) => until(async () => wakes.find(({ at }) => at >= since), Boolean);
    const beginFollowing = async (reloaded = createDockerProbeType()) => {
      follow = new AbortController();
      type = reloaded;
      wakes = [];
      const watched = [{ probe: 'web', spec: { container: 'web', socket: engine.socket } }];
      const wake = (_probe: string, why: string) => void wakes.push({ why, at: Date.now() });
      const opened = new Promise<void>((resolve) => {
        const log: Log = { ...quiet, debug: (event) => event === 'docker_events_open' && resolve(), child: () => log };
        type.watch?.(watched, wake, { ...contextOf(), log, signal: follow.signal });
      });
      await opened;
    };
    afterEach(() => follow.abort());

    test('a probe is woken within a second of a crash', async () => {
      await start(...sleeper);
      await beginFollowing();
      const killedAt = Date.now();
      process.kill(await mainPid(), 'SIGKILL');
      expect((await woken(killedAt))?.why).toBe('container die');
      expect(wakes[0]?.at).toBeLessThan(killedAt + 1_000);
    });

    test('bursts are gathered, health checks and other containers wake nobody', async () => {
      await start(IMAGE_HEALTHY, '/bin/sleep', '1000');
      await until(look, ({ fields }) => fields['health'] === 'healthy');
      await beginFollowing();
      await engine.run('run', '--rm', '--name', 'web-other', '--network', 'none', IMAGE, '/bin/echo', 'x');
      await sleep(1_200);
      expect(wakes).toEqual([]);
      await engine.run('restart', '-t', '0', 'web');
      await sleep(600);
      expect(wakes.length).toBeGreaterThan(0);
      expect(wakes.length).toBeLessThanOrEqual(4);
    });

    test('a crash is still a crash when a reload came while the engine was away', async () => {
      await start(...polite);
      await beginFollowing();
      await engine.stopEngine();
      await until(
        async () => wakes,
        (all) => all.some(({ why }) => why === 'engine went away'),
      );
      follow.abort();
      await engine.startEngine();
      await engine.run('start', 'web');
      await beginFollowing(type);
      process.kill(await mainPid(), 'SIGKILL');
      const crashed = await until(
        () => probe(type, engine.socket),
        ({ reason }) => reason !== 'ok',
      );
      expect(crashed).toMatchObject({ reason: 'exit_code' });
      expect(crashed.intervention).toBeUndefined();
    });

    test('nothing wakes after the end', async () => {
      await start(...sleeper);
      await beginFollowing();
      follow.abort();
      await engine.run('kill', 'web');
      await sleep(300);
      expect(wakes).toEqual([]);
    });

    test('a stop is remembered when the engine has long forgotten it', async () => {
      await start(...polite);
      await beginFollowing();
      await engine.run('stop', 'web');
      await woken(0);
      await engine.run('run', '-d', '--name', 'noise', '--network', 'none', ...sleeper);
      // 256 events are all the engine keeps.
      await engine.run('kill', '-s', 'CONT', ...Array<string>(260).fill('noise'));
      await engine.run('rm', '-f', 'noise');
      expect((await look()).intervention).toMatchObject({ certain: false });
      expect((await probe(type, engine.socket)).intervention).toMatchObject({
        certain: true,
        what: 'docker stop of web',
      });
    });

    test('an engine that restarts wakes, and what it stopped is not a failure to heal', async () => {
      await start(...polite);
      await beginFollowing();
      const stoppedAt = Date.now();
      await engine.stopEngine();
      expect((await woken(stoppedAt))?.why).toMatch(/container|engine went away/);
      await until(
        async () => wakes,
        (all) => all.some(({ why }) => why === 'engine went away'),
      );
      expect(await probe(type, engine.socket)).toMatchObject({ reason: 'connect_refused', fields: {} });
      await engine.startEngine();
      await until(
        async () => wakes,
        (all) => all.some(({ why }) => why === 'engine is back'),
      );
      for (const seen of [await probe(type, engine.socket), await look()]) {
        expect(seen).toMatchObject({ fields: { state: 'exited' }, intervention: { certain: false } });
      }
    });

    test('an engine killed and started again stops what it finds: nothing to heal either', async () => {
      await start(...polite);
      await beginFollowing();
      await engine.killEngine();
      expect(await probe(type, engine.socket)).toMatchObject({ reason: 'connect_refused', fields: {} });
      await engine.startEngine();
      await until(
        async () => wakes,
        (all) => all.some(({ why }) => why === 'engine is back'),
      );
      const seen = await probe(type, engine.socket);
      expect(seen).toMatchObject({ fields: { state: 'exited' }, intervention: { certain: false } });
      // One that was not there cannot tell the engine's stop from a person's: it stands off all the same.
      expect((await look()).intervention).toBeDefined();
      await engine.run('start', 'web');
      expect((await probe(type, engine.socket)).reason).toBe('ok');
      process.kill(await mainPid(), 'SIGKILL');
      const crashed = await until(
        () => probe(type, engine.socket),
        ({ reason }) => reason !== 'ok',
      );
      expect(crashed.intervention).toBeUndefined();
    });
  });
});
