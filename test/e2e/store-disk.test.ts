/** The daemon on its own file when the disk is full or fails, and when it may open no more descriptors. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import {
  incidentsOf,
  metricOf,
  pass,
  probeOf,
  type Scene,
  setScene,
  untilIncident,
  untilState,
} from '../estate/scene.ts';

let scene: Scene | undefined;
let mounted: string | undefined;

afterEach(async () => {
  // Lazily: the daemon still has its file open.
  if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
  await scene?.close();
  [scene, mounted] = [undefined, undefined];
});

const isRoot = process.getuid?.() === 0;
const steady = Array.from({ length: 40 }, (_, index) => `steady-${index}`);

/** On a busy machine a target that is well must not look slow. */
const PATIENT = ['every: 1s', 'timeout: 1s', 'retry_every: 1s', 'fail_after: 4'];

function set(): Promise<Scene> {
  return setScene((targets) => ({
    'probes/all.yaml': probesFile(
      probe(targets, 'mended', ['remediate: [{ try: [mend] }]']),
      ...steady.map((name) => probe(targets, name, PATIENT)),
    ),
    'remediations/all.yaml': remediationsFile(fix(targets, 'mend', 'mended', 'mends')),
  }));
}

it.skipIf(!isRoot)(
  'says that the disk is full, does nothing that it could not record, and goes on when there is room',
  async () => {
    scene = await set();
    const { home, targets, alerts } = scene;
    const data = join(home.path, 'data');
    await mkdir(data, { recursive: true, mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'tmpfs', data]);
    mounted = data;
    const daemon = await scene.start();
    await untilState(daemon, 'mended', 'up');
    const ballast = join(data, 'ballast');
    const fill = () => writeFile(ballast, Buffer.alloc(4 * 2 ** 20)).catch(() => undefined);
    await fill();
    await until(async () => (await metricOf(daemon, 'brainstem_store_up')) === 0, {
      withinMs: 60_000,
      what: 'it to be full',
    });
    targets.set('mended', 'broken');
    await untilState(daemon, 'mended', 'down');
    await until(() => alerts.kinds('store').includes('opened'), { what: 'the message from memory' });
    expect(alerts.of('store')[0]?.text).toMatch(/no space is left|full/);
    expect(targets.fixes()).toEqual([]);
    expect(await incidentsOf(daemon, 'mended').catch(() => [])).toEqual([]);
    await rm(ballast);
    await untilIncident(daemon, 'mended', 'healed', ({ healed_by }) => healed_by === 'mend');
    await until(() => alerts.kinds('store').includes('resolved'), { what: 'the end to be told' });
    expect(targets.fixNames()).toEqual(['mend']);
    expect(await daemon.stop()).toBe(0);
  },
  120_000,
);

it('ends when the disk fails under a commit, after it has said so', async () => {
  scene = await set();
  const { alerts } = scene;
  const daemon = await scene.start();
  await untilState(daemon, 'mended', 'up');
  const failing = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO'];
  const strace = spawn('strace', ['-f', '-q', '-p', String(daemon.pid), ...failing], { stdio: 'ignore' });
  const detached = once(strace, 'exit');
  expect(await daemon.exited).toBe(1);
  await detached;
  expect(daemon.output()).toMatch(/brainstem ends: the store is lost: .*brainstem\.db/);
  expect(alerts.of('store').map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    expect.stringMatching(/^opened Store: it is lost, and Brainstem ends/),
  ]);
  const next = await scene.start();
  await untilState(next, 'mended', 'up');
}, 120_000);

it('blames no target for descriptors that it lacks itself, and goes on when it has them again', async () => {
  scene = await set();
  const { targets, alerts } = scene;
  const daemon = await scene.start();
  for (const name of ['mended', ...steady]) await untilState(daemon, name, 'up');
  // What a channel loads at its first use cannot be loaded without descriptors.
  targets.set('mended', 'broken');
  await until(() => alerts.kinds('mended').includes('resolved'), { withinMs: 40_000, what: 'a first alert' });
  const told = alerts.of('mended').length;
  const limit = (count: number) => execFileSync('prlimit', ['--pid', String(daemon.pid), `--nofile=${count}:20000`]);
  for (const name of steady.slice(20)) targets.set(name, 'slow');
  limit(Math.max(64, (await readdir(`/proc/${daemon.pid}/fd`)).length + 3));
  limit((await readdir(`/proc/${daemon.pid}/fd`)).length);
  await pass(8_000);
  limit(20_000);
  await untilIncident(daemon, 'resources', 'told');
  for (const name of ['mended', ...steady]) {
    expect((await probeOf(daemon, name)).state).toBe('up');
    expect(alerts.kinds(name).slice(name === 'mended' ? told : 0)).toEqual([]);
  }
  // The channel lacked descriptors, too: its next try may be some way off.
  await until(() => alerts.kinds('resources').length > 0, { withinMs: 60_000, what: 'it to be told' });
  expect(alerts.kinds('resources')[0]).toBe('opened');
  const seen = targets.requests('mended').length;
  await until(() => targets.requests('mended').length > seen + 3, { what: 'it to probe again' });
  expect(await daemon.stop()).toBe(0);
}, 120_000);
