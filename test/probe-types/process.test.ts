import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compileCondition } from '../../src/engine/condition.ts';
import { createProcessProbeType } from '../../src/probe-types/process.ts';
import { cpuPercentSince, remember } from '../../src/probe-types/process-past.ts';
import { createCommandReader } from '../../src/probe-types/process-search.ts';
import { type ProcessEntry, readProcess } from '../../src/shared/process-table.ts';
import { probe, type RunOptions, sleep } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';
import { startStranger } from '../estate/strangers.ts';

/** A type and a spec that stay the same from run to run. */
function asking(written: Record<string, unknown>, type = createProcessProbeType()) {
  const spec = type.spec.parse(written);
  return (options: RunOptions = {}) => probe(type, spec as never, options);
}

/** Seconds that nobody else sleeps, to be found by. */
const uniqueSeconds = () => `9${String(Number.parseInt(randomUUID().slice(0, 6), 16))}`;

/** A program of a name of its own that sleeps. */
async function sleeperCalled(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-process-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await copyFile('/bin/sleep', join(folder, name));
  return join(folder, name);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

/** Waits until the program runs: between fork and exec a child still has the command line of its parent. */
const running = (pid: number, name: string) => until(() => readProcess(pid)?.name === name);

describe('finding', () => {
  test('by the command line, its arguments separated by blanks', async () => {
    const seconds = uniqueSeconds();
    const { pid } = await startStranger('/bin/sleep', seconds, '0');
    await running(pid, 'sleep');
    expect(await asking({ pattern: `^/bin/sleep ${seconds} 0$` })()).toMatchObject({
      reason: 'ok',
      fields: { count: 1, pid },
    });
    expect(await asking({ pattern: `^sleep ${seconds}` })()).toMatchObject({ reason: 'ok', fields: { count: 0 } });
  });

  test('by the exact name, of which the kernel keeps 15 characters', async () => {
    const name = `x${randomUUID().slice(0, 7)}-worker-of-mine`;
    const { pid } = await startStranger(await sleeperCalled(name), '99');
    await running(pid, name.slice(0, 15));
    expect(await asking({ name })()).toMatchObject({ fields: { count: 1, pid } });
    expect(await asking({ name: name.slice(0, 15) })()).toMatchObject({ fields: { count: 1 } });
    expect(await asking({ name: name.slice(0, 14) })()).toMatchObject({ fields: { count: 0 } });
    expect(await asking({ name, pattern: ' 98$' })()).toMatchObject({ fields: { count: 0 } });
  });

  test('by the effective user, as name or number', async () => {
    const seconds = uniqueSeconds();
    const { pid } = await startStranger('setpriv', '--reuid=65534', '--clear-groups', '/bin/sleep', seconds);
    await running(pid, 'sleep');
    for (const user of ['nobody', 65_534, '65534']) {
      expect(await asking({ pattern: seconds, user })()).toMatchObject({ fields: { count: 1 } });
    }
    expect(await asking({ pattern: seconds, user: 'root' })()).toMatchObject({ fields: { count: 0 } });
    expect(await asking({ pattern: seconds, user: 'nobody-of-that-name' })()).toMatchObject({
      reason: 'not_found',
      error: '/etc/passwd has no user nobody-of-that-name',
    });
  });

  test('never ourselves, nor what descends from us', async () => {
    const seconds = uniqueSeconds();
    const child = spawn('/bin/sh', ['-c', `/bin/sleep ${seconds}; true`], { detached: true });
    onTestFinished(() => {
      process.kill(-Number(child.pid), 'SIGKILL');
    });
    const { pid } = await startStranger('/bin/sleep', seconds);
    await running(pid, 'sleep');
    // The stranger, our child and its child.
    await until(
      () =>
        execFileSync('pgrep', ['-c', '-f', `sleep ${seconds}`])
          .toString()
          .trim() === '3',
    );
    const { title } = process;
    onTestFinished(() => {
      process.title = title;
    });
    process.title = `like ${seconds}`;
    expect(
      execFileSync('pgrep', ['-f', `^like ${seconds}`])
        .toString()
        .trim(),
    ).toBe(String(process.pid));
    expect(await asking({ pattern: seconds })()).toMatchObject({ fields: { count: 1, pid } });
  });

  test('no zombie', async () => {
    const name = `z${randomUUID().slice(0, 8)}`;
    // The parent does not look at its dead child.
    const { pid } = await startStranger('/bin/sh', '-c', `${await sleeperCalled(name)} 0.1 & exec /bin/sleep 99`);
    await running(pid, 'sleep');
    await until(() =>
      execFileSync('ps', ['-o', 'stat=', '--ppid', String(pid)])
        .toString()
        .startsWith('Z'),
    );
    expect(execFileSync('ps', ['-o', 'comm=', '--ppid', String(pid)]).toString()).toContain(name);
    expect(await asking({ name })()).toMatchObject({ fields: { count: 0 } });
  });

  test('no thread of the kernel by a pattern: it has no command line', async () => {
    const { pid } = await startStranger('/bin/sleep', '99');
    await running(pid, 'sleep');
    const type = createProcessProbeType(() => Promise.resolve(''));
    expect(await asking({ name: 'sleep', pattern: '^' }, type)()).toMatchObject({ fields: { count: 0 } });
  });

  test('a pattern that hangs a backtracking engine is matched in linear time', async () => {
    const tag = uniqueSeconds();
    const { pid } = await startStranger('/bin/sh', '-c', 'while :; do sleep 1; done', tag, `${'a'.repeat(3_000)}!`);
    await running(pid, 'sh');
    const startedAt = performance.now();
    expect(await asking({ pattern: `${tag} (a+)+$` })()).toMatchObject({ reason: 'ok', fields: { count: 0 } });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(await asking({ pattern: `${tag} (a+)+!$` })()).toMatchObject({ fields: { count: 1, pid } });
  });
});

describe('figures', () => {
  test('are those that ps shows, all together', async () => {
    const seconds = uniqueSeconds();
    const pids: number[] = [];
    for (let index = 0; index < 3; index += 1) pids.push((await startStranger('/bin/sleep', seconds)).pid);
    for (const pid of pids) await running(pid, 'sleep');
    const { reason, fields } = await asking({ pattern: `^/bin/sleep ${seconds}$` })();
    const ps = execFileSync('ps', ['-o', 'rss=,nlwp=', '-p', pids.join()]).toString().trim().split('\n');
    const sum = (column: number) => ps.reduce((total, row) => total + Number(row.trim().split(/\s+/)[column]), 0);
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({ count: 3, threads: sum(1), restarts: 0, pid: pids[0] });
    const descriptors = pids.flatMap((pid) => readdirSync(`/proc/${pid}/fd`));
    expect(fields['open_files']).toBe(descriptors.length);
    expect(fields['memory_bytes']).toBeGreaterThan(0);
    expect(Math.abs(Number(fields['memory_bytes']) / 1_024 - sum(0))).toBeLessThan(300);
    expect(fields['uptime_s']).toBeGreaterThanOrEqual(Number(fields['youngest_s']));
    expect(fields['uptime_s']).toBeLessThan(60);
  });

  test('the processor at the first run, and between runs afterwards', async () => {
    const tag = uniqueSeconds();
    const { pid } = await startStranger('/bin/sh', '-c', 'while :; do :; done', tag);
    await until(() => (readProcess(pid)?.cpuTicks ?? 0) > 5);
    const ask = asking({ pattern: `done ${tag}$` });
    expect((await ask()).fields['cpu_percent']).toBeGreaterThan(5);
    await sleep(500);
    const { fields } = await ask();
    expect(fields['cpu_percent']).toBeGreaterThan(5);
    expect(fields['cpu_percent']).toBeLessThan(120);
  });

  test('what nobody reads is not measured', async () => {
    const { fields } = await asking({ name: 'sleep' })({ reads: new Set(['count']) });
    expect(Object.keys(fields)).not.toContain('cpu_percent');
    expect(Object.keys(fields)).not.toContain('open_files');
  });

  test('a process that was replaced is a restart, also when a run saw neither', async () => {
    const seconds = uniqueSeconds();
    const ask = asking({ pattern: `^/bin/sleep ${seconds}$` });
    const first = await startStranger('/bin/sleep', seconds);
    await running(first.pid, 'sleep');
    expect((await ask()).fields).toMatchObject({ count: 1, restarts: 0 });
    await first.end();
    expect((await ask()).fields).toMatchObject({ count: 0, restarts: 0 });
    const second = await startStranger('/bin/sleep', seconds);
    await running(second.pid, 'sleep');
    expect((await ask()).fields).toMatchObject({ count: 1, restarts: 1 });
    const third = await startStranger('/bin/sleep', seconds);
    await running(third.pid, 'sleep');
    await second.end();
    expect((await ask()).fields).toMatchObject({ count: 1, restarts: 2, pid: third.pid });
  });
});

describe('the past', () => {
  const entry = (pid: number, startTicks: number, cpuTicks: number): ProcessEntry => ({
    pid,
    startTicks,
    cpuTicks,
    name: 'x',
    state: 'S',
    parentPid: 1,
    groupId: pid,
    sessionId: pid,
    threads: 1,
  });

  test('one more is no restart, one less neither, and a recycled id is another process', () => {
    const first = remember(undefined, [entry(1, 10, 0)], 100);
    expect(remember(first, [entry(1, 10, 0), entry(2, 20, 0)], 101)).toMatchObject({ restarts: 0, missing: 0 });
    expect(remember(first, [], 101)).toMatchObject({ restarts: 0, missing: 1 });
    expect(remember(first, [entry(1, 99, 0)], 101)).toMatchObject({ restarts: 1, missing: 0 });
  });

  test('a process counts from the last run on, a new one from its start on', () => {
    const past = remember(undefined, [entry(1, 10, 1_000)], 100);
    const now = [entry(1, 10, 1_050), entry(2, 10_050, 25), entry(3, 20, 7_777)];
    expect(cpuPercentSince(past, now, 101)).toBe(75);
    expect(cpuPercentSince(past, now, 100)).toBeUndefined();
  });
});

describe('a process that hangs whoever reads it', () => {
  test('ends the run at its deadline, and the next ones at once until it lets go', async () => {
    const tag = uniqueSeconds();
    const { pid } = await startStranger('/bin/sleep', tag);
    await running(pid, 'sleep');
    let letGo = (_command: string) => {};
    let reads = 0;
    const read = (asked: number) => {
      if (asked !== pid) return Promise.resolve('');
      reads += 1;
      return new Promise<string>((resolve) => {
        letGo = resolve;
      });
    };
    const ask = asking({ pattern: tag }, createProcessProbeType(createCommandReader(read)));
    const hung = { reason: 'timeout', error: `process ${pid} hangs: its command line cannot be read` };
    expect(await Promise.all([ask({ timeoutMs: 500 }), ask({ timeoutMs: 500 })])).toMatchObject([
      { reason: 'timeout' },
      { reason: 'timeout' },
    ]);
    const startedAt = performance.now();
    expect(await ask({ timeoutMs: 20_000 })).toMatchObject(hung);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(reads).toBe(1);
    letGo('');
    await sleep(10);
    const again = ask({ timeoutMs: 20_000 });
    await until(() => reads === 2);
    letGo(`/bin/sleep ${tag}`);
    expect(await again).toMatchObject({ reason: 'ok', fields: { count: 1, pid } });
  });

  test('an aborted signal is a timeout', async () => {
    expect(await asking({ name: 'x' })({ signal: AbortSignal.abort() })).toMatchObject({
      reason: 'timeout',
      error: expect.stringMatching(/were read in time/),
    });
  });
});

test.each([
  ['count > 0', 'false'],
  ['count == 0', 'true'],
  ['restarts == 0', 'true'],
  ['memory_bytes < 1e9', 'true'],
  ['uptime_s > 5', 'false'],
])('when none is there, %s is %s', async (source, outcome) => {
  const type = createProcessProbeType();
  const { reason, fields } = await asking({ name: 'no-such-name' }, type)();
  const location = { file: 'p.yaml', line: 1, column: 1 };
  const condition = compileCondition(source, { fields: type.fields, everyMs: 30_000, windows: true, location });
  const bindings = { ok: true, reason, latency_ms: 1, error: null, ...fields };
  expect(condition.evaluate(bindings, { read: () => undefined }).outcome).toBe(outcome);
  expect(type.impliedExpect).toEqual({ unlessNames: 'count', source: 'count > 0' });
});

test('many runs leave nothing behind', async () => {
  const ask = asking({ pattern: 'sleep' });
  await leavesNothing(async () => expect((await ask({ timeoutMs: 30_000 })).reason).toBe('ok'), 60, 20);
}, 90_000);

describe('definition', () => {
  test.each([
    [{}, '', /wants pattern, name, or both/],
    [{ user: 'root' }, '', /wants pattern, name, or both/],
    [{ pattern: '(' }, 'pattern', /not a regular expression/],
    [{ pattern: '' }, 'pattern', /./],
    [{ name: 'x', user: -1 }, 'user', /./],
  ])('%j is refused', (spec, path, message) => {
    const issues = createProcessProbeType().spec.safeParse(spec).error?.issues ?? [];
    expect(issues.map((issue) => issue.path.join('.'))).toContain(path);
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
  });

  test.each([
    [{ pattern: 'celery .*worker' }, 'celery .*worker'],
    [{ name: 'postgres', user: 'postgres' }, 'postgres of postgres'],
  ])('the target of %j, and what a fix acts on, is %s', (written, target) => {
    const type = createProcessProbeType();
    const spec = type.spec.parse(written);
    expect(type.target(spec)).toBe(target);
    expect(type.resource?.(spec, {})).toEqual({ kind: 'process', name: target });
  });
});

test('a command line that cannot be opened for want of a descriptor is nobody’s failure', async () => {
  const scarce = () => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
  const run = asking({ pattern: '.' }, createProcessProbeType(createCommandReader(scarce)));
  await expect(run()).rejects.toMatchObject({ name: 'RetryableError', code: 'out_of_resources' });
});
