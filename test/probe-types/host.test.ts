import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../src/engine/condition.ts';
import type { Context, Log } from '../../src/ports.ts';
import { createHostProbeType } from '../../src/probe-types/host.ts';
import { cpuPercent, parseCpuTicks, parseMemory } from '../../src/probe-types/host-figures.ts';
import { createMountReader, findMounts, mountsOf, type Statfs } from '../../src/probe-types/host-mounts.ts';
import { readPortableHost } from '../../src/probe-types/host-portable.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

function context(timeoutMs = 10_000): Context {
  const clock = { now: () => 0, monotonic: () => 0 };
  return { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log };
}

const input = { probe: 'host', heartbeat: () => Promise.reject(new Error('not a heartbeat')) };

function run(written: object = {}, type = createHostProbeType()) {
  return type.run(type.spec.parse(written), input, context());
}

describe('the probe', () => {
  it('sees this machine as free, df and nproc see it', async () => {
    const { reason, fields } = await run();
    expect(reason).toBe('ok');
    expect(fields['load1_per_cpu']).toBeGreaterThanOrEqual(0);
    expect(fields['memory_percent']).toBeGreaterThan(0);
    expect(fields['memory_percent']).toBeLessThan(100);
    expect(fields['uptime_s']).toBeGreaterThan(0);
    const shown = Number(
      execFileSync('df', ['--output=pcent', '/'])
        .toString()
        .match(/(\d+)%/)?.[1],
    );
    const seen = (fields['disk_percent'] as Record<string, number>)['/'] ?? Number.NaN;
    // df rounds up.
    expect(Math.abs(seen - shown)).toBeLessThanOrEqual(1.5);
    expect(fields['disk_percent_max']).toBeGreaterThanOrEqual(seen);
    expect((fields['inodes_percent'] as Record<string, number>)['/']).toBeGreaterThan(0);
  });

  it('measures the processors at the first run, and between runs afterwards', async () => {
    const type = createHostProbeType();
    const spec = type.spec.parse({});
    const first = await type.run(spec, input, context());
    expect(first.fields['cpu_percent']).toBeGreaterThanOrEqual(0);
    const busyUntil = performance.now() + 700;
    while (performance.now() < busyUntil);
    const { fields } = await type.run(spec, input, context());
    // One of at most some processors was busy all the time.
    expect(fields['cpu_percent']).toBeGreaterThan(60 / Number(execFileSync('nproc').toString()) / 2);
    expect(fields['cpu_percent']).toBeLessThanOrEqual(100);
  });

  it('looks only at the chosen mounts, and names one that is not there', async () => {
    const chosen = await run({ mounts: ['/', '/dev/shm'] });
    expect(Object.keys(chosen.fields['disk_percent'] as object)).toEqual(['/', '/dev/shm']);
    expect(await run({ mounts: ['/no/such/mount'] })).toMatchObject({
      reason: 'not_found',
      error: expect.stringContaining('/no/such/mount'),
    });
  });

  it('fails, and says where, when a file system hangs', async () => {
    const hang: Statfs = (path) => (path === '/dev/shm' ? new Promise(() => {}) : statfs(path));
    const output = await run({ mounts: ['/', '/dev/shm'] }, createHostProbeType(hang));
    expect(output).toMatchObject({ reason: 'timeout', error: 'no answer from the file system at /dev/shm' });
    expect(Object.keys(output.fields['disk_percent'] as object)).toEqual(['/']);
  });

  it('shares one answer between probes that look at the same time', async () => {
    const type = createHostProbeType();
    const seen = await Promise.all([run({}, type), run({}, type), run({}, type)]);
    expect(seen.map(({ reason }) => reason)).toEqual(['ok', 'ok', 'ok']);
  });

  it('ends when it is told to', async () => {
    const type = createHostProbeType();
    const aborted = { ...context(), signal: AbortSignal.abort() };
    expect(await type.run(type.spec.parse({}), input, aborted)).toMatchObject({ reason: 'timeout' });
  });

  it.each([
    ['disk_percent.all(m, disk_percent[m] < 100.5)', 'true'],
    ['disk_percent["/"] < 0', 'false'],
    ['disk_percent_max < 101', 'true'],
    ['cpu_percent <= 100 && memory_percent < 100', 'true'],
  ])('can be judged by %s', async (source, outcome) => {
    const type = createHostProbeType();
    const location = { file: 'p.yaml', line: 1, column: 1 };
    const condition = compileCondition(source, { fields: type.fields, everyMs: 30_000, windows: true, location });
    const { reason, fields } = await run({}, type);
    const bindings = { ok: true, reason, latency_ms: 1, error: null, ...fields };
    expect(condition.evaluate(bindings, { read: () => undefined }).outcome).toBe(outcome);
  });
});

describe('mounts', () => {
  const MOUNTINFO = [
    '22 27 0:21 / /proc rw - proc proc rw',
    '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '30 27 254:0 /srv /srv/bind rw - ext4 /dev/vda rw',
    '31 27 254:16 / /mnt/two\\040words rw - xfs /dev/vdb rw',
    '32 27 0:40 / /mnt/nfs rw shared:1 master:2 - nfs4 server:/export rw',
    '33 27 0:41 / /tmp rw - tmpfs tmpfs rw',
    '34 27 7:0 / /snap/core ro - squashfs /dev/loop0 ro',
    '35 27 0:50 / /tank rw - zfs tank rw',
    '36 27 0:51 / /home/me/remote rw - fuse.sshfs me@host:/ rw',
    '37 27 0:52 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw',
    '',
  ].join('\n');

  it('are those that can fill up, each once, at its shortest path', () => {
    expect(findMounts(MOUNTINFO)).toEqual([
      { path: '/', remote: false },
      { path: '/home/me/remote', remote: true },
      { path: '/mnt/nfs', remote: true },
      { path: '/mnt/two words', remote: false },
      { path: '/tank', remote: false },
    ]);
  });

  it('of a container are its root and its volumes, not its files', () => {
    const container = [
      '100 1 0:60 / / rw - overlay overlay rw',
      '101 100 254:0 /d/hosts /etc/hosts rw - ext4 /dev/vda rw',
      '102 100 254:0 /d/volume /var/lib/data rw - ext4 /dev/vda rw',
    ].join('\n');
    expect(findMounts(container).map(({ path }) => path)).toEqual(['/', '/var/lib/data']);
  });

  it('are found for any path', () => {
    expect(mountsOf(['/mnt/nfs/deep', '/mnt/nfsx', '/tmp'], MOUNTINFO)).toEqual([
      { path: '/mnt/nfs/deep', remote: true },
      { path: '/mnt/nfsx', remote: false },
      { path: '/tmp', remote: false },
    ]);
  });

  it('that hang are asked once, and hold up no other but remote ones', async () => {
    let release = () => {};
    const calls: string[] = [];
    const reader = createMountReader(async (path) => {
      calls.push(path);
      if (path === '/hangs')
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      return statfs('/');
    });
    const mounts = [
      { path: '/', remote: false },
      { path: '/hangs', remote: true },
      { path: '/remote', remote: true },
    ];
    const kinds = async () => (await reader.read(mounts, 100)).map(({ kind }) => kind);
    for (let round = 0; round < 5; round += 1) expect(await kinds()).toEqual(['read', 'hanging', 'waiting']);
    expect(calls.filter((path) => path === '/hangs').length).toBe(1);
    release();
    await sleep(100);
    void kinds();
    release();
    await sleep(50);
    expect(calls.filter((path) => path === '/remote').length).toBeGreaterThan(0);
  });
});

describe('figures', () => {
  it('count waiting for disks as idle, and guests once', () => {
    const before = parseCpuTicks('cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3\n');
    const after = parseCpuTicks('cpu  150 0 75 850 75 0 0 0 60 0\n');
    expect(before).toEqual({ busy: 150, total: 1_000 });
    expect(cpuPercent(before, after)).toBe(50);
    expect(cpuPercent(before, before)).toBeUndefined();
  });

  it('count caches as available memory', () => {
    expect(
      parseMemory('MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable:  600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n'),
    ).toEqual({
      memory_percent: 40,
      memory_available_bytes: 614_400,
      swap_percent: 0,
    });
  });

  it('come from systeminformation where there is no /proc', async () => {
    const fields = await readPortableHost(undefined);
    for (const name of ['cpu_percent', 'load1', 'memory_percent', 'disk_percent_max', 'uptime_s']) {
      expect(fields[name], name).toEqual(expect.any(Number));
    }
  });

  it('are told by this kernel in the format that is read', () => {
    expect(existsSync('/proc/self/mountinfo')).toBe(true);
    expect(parseCpuTicks(readFileSync('/proc/stat', 'utf8')).total).toBeGreaterThan(0);
    expect(parseMemory(readFileSync('/proc/meminfo', 'utf8')).memory_available_bytes).toBeGreaterThan(0);
  });
});
