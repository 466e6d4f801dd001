import { chmod, copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compileCondition } from '../../src/engine/condition.ts';
import { icmp } from '../../src/probe-types/icmp.ts';
import { listProcesses, readEnvironment } from '../../src/shared/process-table.ts';
import { startNameServer, startSilentNameServer } from '../estate/hostile-names.ts';
import { probe, type RunOptions } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { createNamespace } from '../estate/network-namespace.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(icmp, icmp.spec.parse({ host: '127.0.0.1', ...spec }) as never, options);

/** A folder for PATH, empty but for what is put there. */
async function emptyPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-ping-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** PATH with a `ping` that is this script of a shell. */
async function withPing(script: string): Promise<RunOptions> {
  const folder = await emptyPath();
  await writeFile(join(folder, 'ping'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { environment: { PATH: folder } };
}

const inNamespace = async (...rules: string[]) =>
  withPing(`exec /usr/sbin/ip netns exec ${await createNamespace(...rules)} /usr/bin/ping "$@"`);

describe('a host that answers', () => {
  test.each(['127.0.0.1', '::1', 'localhost'])('%s', async (host) => {
    const { reason, fields, error, latencyMs } = await ask({ host, count: 2 });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ packet_loss: 0, sent: 2, received: 2, hop_limit: 64 });
    expect(fields['ip']).toMatch(host === '::1' ? '::1' : '127.0.0.1');
    const { rtt_min_ms: least, rtt_avg_ms: average, rtt_max_ms: most } = fields as Record<string, number>;
    expect(least).toBeGreaterThan(0);
    expect(average).toBeGreaterThanOrEqual(least ?? Number.NaN);
    expect(most).toBeGreaterThanOrEqual(average ?? Number.NaN);
    expect(latencyMs).toBe(average);
  });

  test('by a name in the family that was asked for', async () => {
    const { address } = await startNameServer('--address=/host.test/127.0.0.3');
    const output = await ask({ host: 'host.test', resolver: address, ip_protocol: 'ip4', count: 1 });
    expect(output).toMatchObject({ reason: 'ok', fields: { ip: '127.0.0.3' } });
    expect((output.fields['phases'] as { resolve_ms: number }).resolve_ms).toBeGreaterThan(0);
    expect(await ask({ host: 'host.test', resolver: address, ip_protocol: 'ip6' })).toMatchObject({ reason: 'dns' });
  });

  test('is asked as the definition says', async () => {
    const options = await withPing('printf "%s " "$@" >&2; exit 2');
    const output = await ask({ count: 4, interval: '1500ms', size: 1000, ttl: 5 }, options);
    expect(output.error).toMatch(/: -n -c 4 -i 1\.500 -s 1000 -W [0-9.]+ -t 5 -- 127\.0\.0\.1;/);
  });

  test("its series are blackbox_exporter's", async () => {
    const { fields } = await ask({ count: 1 });
    const sampled = Object.fromEntries(icmp.families.map(({ name, sample }) => [name, sample(fields, {} as never)]));
    expect(sampled).toMatchObject({ probe_icmp_reply_hop_limit: 64, probe_ip_protocol: 4 });
    const phases = sampled['probe_icmp_duration_seconds'] as readonly { labels: { phase: string }; value: number }[];
    expect(phases.map(({ labels }) => labels.phase)).toEqual(['resolve', 'setup', 'rtt']);
    expect(phases[1]?.value).toBeGreaterThan(0);
    expect(phases[2]?.value).toBeCloseTo(Number(fields['rtt_avg_ms']) / 1_000, 9);
  });
});

describe('a host that does not', () => {
  test('every second packet lost is half a loss, and conditions decide', async () => {
    const options = await inNamespace('icmp type echo-request numgen inc mod 2 0 drop');
    const { reason, fields, error } = await ask({ count: 4 }, options);
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ packet_loss: 0.5, sent: 4, received: 2 });
    const location = { file: 'p.yaml', line: 1, column: 1 };
    const scope = { fields: icmp.fields, everyMs: 30_000, windows: true, location };
    const bindings = { ok: true, reason, latency_ms: 1, error: null, ...fields };
    const judge = (source: string) => compileCondition(source, scope).evaluate(bindings, { read: () => undefined });
    expect(judge('packet_loss < 0.6').outcome).toBe('true');
    expect(judge('packet_loss == 0').outcome).toBe('false');
  });

  test('silence is timeout, said before the deadline', async () => {
    const options = await inNamespace('icmp type echo-request drop');
    expect(await ask({ count: 2 }, { ...options, timeoutMs: 2_000 })).toMatchObject({
      reason: 'timeout',
      error: 'no reply to 2 echo requests',
      fields: { packet_loss: 1, received: 0, ip: '127.0.0.1' },
    });
  });

  test('somebody who says no is unreachable', async () => {
    const options = await inNamespace('icmp type echo-request reject with icmp type host-prohibited');
    expect(await ask({ count: 1 }, options)).toMatchObject({
      reason: 'unreachable',
      error: expect.stringMatching(/Prohibited|Filtered|Unreachable/i),
      fields: { packet_loss: 1 },
    });
  });

  test('no way there is unreachable', async () => {
    expect(await ask({ host: '192.0.2.7', count: 1 }, await inNamespace())).toMatchObject({
      reason: 'unreachable',
      error: expect.stringMatching(/Network is unreachable/),
    });
  });

  test('no address is dns, also when the name server is silent', async () => {
    const { address } = await startNameServer('--local=/test/');
    expect(await ask({ host: 'gone.test', resolver: address })).toMatchObject({ reason: 'dns' });
    const silent = await startSilentNameServer();
    const output = await ask({ host: 'slow.test', resolver: silent.address }, { timeoutMs: 1_000 });
    expect(output).toMatchObject({ reason: 'dns', error: expect.stringMatching(/before the deadline/) });
  });
});

const ROUND_TRIPS = 'echo "rtt min/avg/max/mdev = 0.1/0.1/0.1/0.0 ms"';
const GOOD = `echo "2 packets transmitted, 2 received, 0% packet loss"; ${ROUND_TRIPS}`;

describe('without a ping that can be used nothing is known', () => {
  test('none', async () => {
    expect(await ask({}, { environment: { PATH: await emptyPath() } })).toMatchObject({
      reason: 'internal',
      error: expect.stringMatching(/"ping" is not on PATH.*iputils-ping/),
    });
  });

  test("BusyBox's", async () => {
    const folder = await emptyPath();
    await symlink('/bin/busybox', join(folder, 'ping'));
    expect(await ask({}, { environment: { PATH: folder } })).toMatchObject({
      reason: 'internal',
      error: expect.stringMatching(/BusyBox's.*iputils-ping/),
    });
  });

  test('one that is not permitted to send', async () => {
    const folder = await emptyPath();
    await chmod(folder, 0o755);
    // A copy has no capability, and in a new namespace no group may open such sockets.
    await copyFile('/usr/bin/ping', join(folder, 'bare'));
    const namespace = await createNamespace();
    const script = `exec ip netns exec ${namespace} setpriv --reuid=65534 --clear-groups ${folder}/bare "$@"`;
    await writeFile(join(folder, 'ping'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    expect(await ask({ count: 1 }, { environment: { PATH: `${folder}:/usr/sbin:/usr/bin` } })).toMatchObject({
      reason: 'internal',
      error: expect.stringMatching(/not permitted to send.*setcap/),
    });
  });

  test.each([
    ['silence', 'exit 0', /exit code 0 and said: nothing/],
    ['a lie', `echo "2 packets transmitted, 3 received, 0% packet loss"; ${ROUND_TRIPS}`, /iputils-ping is understood/],
    ['one thing and ends otherwise', `${GOOD}; exit 2`, /exit code 2/],
    ['replies without round trips', 'echo "2 packets transmitted, 2 received, 0% packet loss"', /is understood/],
    ['a huge number', 'echo "9999999999 packets transmitted, 0 received, 0% packet loss"', /is understood/],
    ['a usage', 'echo "Usage: ping [-aAb] host" >&2; exit 64', /exit code 64 and said: Usage/],
    ['a crash', 'kill -SEGV $$', /exit code 139/],
  ])('one that says %s', async (_name, script, message) => {
    expect(await ask({}, await withPing(script))).toMatchObject({
      reason: 'internal',
      error: expect.stringMatching(message),
    });
  });

  test('one that hangs, or prints without end, is ended at the deadline with all it started', async () => {
    const mark = `hanging-${process.pid}`;
    for (const script of [`MARK=${mark} /bin/sleep 99 & exec /bin/sleep 99`, 'exec /usr/bin/yes']) {
      const output = await ask({ count: 1 }, { ...(await withPing(script)), timeoutMs: 1_000 });
      expect(output).toMatchObject({ reason: 'timeout', error: 'no reply before the deadline' });
    }
    expect(listProcesses().filter(({ pid }) => readEnvironment(pid, 'MARK') === mark)).toEqual([]);
  });
});

test('what cannot be sent within the timeout is the fault of the definition', async () => {
  expect(await ask({ count: 100 }, { timeoutMs: 10_000 })).toMatchObject({
    reason: 'internal',
    error: '100 requests, one every 200ms, take 20s: more than the timeout of 10s',
  });
});

test('many runs leave nothing behind', async () => {
  const spec = icmp.spec.parse({ host: '127.0.0.1', count: 1 });
  await leavesNothing(async () => expect((await probe(icmp, spec, { timeoutMs: 30_000 })).reason).toBe('ok'), 60, 20);
}, 90_000);

describe('definition', () => {
  test.each([
    [{ host: '' }, 'host', /./],
    [{ host: '-c' }, 'host', /not a name/],
    [{ host: '--help' }, 'host', /not a name/],
    [{ host: 'a b' }, 'host', /not a name/],
    [{ host: 'a\n-f' }, 'host', /not a name/],
    [{ count: 0 }, 'count', /./],
    [{ interval: '100ms' }, 'interval', /shorter than 200ms/],
    [{ size: 8 }, 'size', /./],
    [{ size: 65_508 }, 'size', /./],
    [{ ttl: 256 }, 'ttl', /./],
  ])('%j is refused', (spec, path, message) => {
    const issues = icmp.spec.safeParse({ host: 'x', ...spec }).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
  });
});
