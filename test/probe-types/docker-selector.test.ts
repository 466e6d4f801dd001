import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { compileCondition, NO_WINDOW } from '../../src/engine/condition.ts';
import type { Context, Log } from '../../src/ports.ts';
import { createDockerProbeType } from '../../src/probe-types/docker.ts';
import { gather, type SeenItem } from '../../src/probe-types/items.ts';
import type { Dockerd } from '../estate/dockerd.ts';
import { dockerAvailable, IMAGE, startDockerd } from '../estate/dockerd.ts';
import { leavesNothing } from '../estate/leaks.ts';

const missing = dockerAvailable();
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const heartbeat = () => Promise.reject(new Error('not a heartbeat'));
const SLEEP = [IMAGE, '/bin/sleep', '1000'];
const POLITE = [IMAGE, '/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'];

const contextOf = (timeoutMs: number): Context => ({
  ...{ signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet },
});

describe('the definition', () => {
  const { spec, target } = createDockerProbeType();

  test.each([{}, { container: 'web', selector: ['a'] }, { selector: [] }, { selector: [''] }, { selector: ['=b'] }])(
    'refuses %j: it never means all',
    (written) => {
      expect(spec.safeParse(written).success).toBe(false);
    },
  );

  test('names its labels as its target', () => {
    expect(target(spec.parse({ selector: ['app=web', 'tier'] }))).toBe('app=web,tier');
  });
});

test.each([
  ['items.all(name, items[name].restarts < 5)', 'true'],
  ['items.all(name, items[name].restarts < 1)', 'false'],
  ['items["a"].state == "running" && total >= 2', 'true'],
  ['size(failing) == 0', 'true'],
])('conditions read every item: %s is %s', (source, outcome) => {
  const { fields } = createDockerProbeType();
  const location = { file: 'x', line: 1, column: 1 };
  const condition = compileCondition(source, { fields, everyMs: undefined, windows: false, location });
  const items = { a: { state: 'running', restarts: 0 }, b: { state: 'running', restarts: 3 } };
  const seen = { ok: true, reason: 'ok', latency_ms: 1, error: null, items, total: 2, failing: [] } as const;
  expect(condition.evaluate(seen, NO_WINDOW).outcome).toBe(outcome);
});

describe('the worst decides', () => {
  const item = (name: string, reason: SeenItem['seen']['reason'], byHand = false): SeenItem => ({
    item: name,
    resource: { kind: 'container', name },
    seen: {
      ...{ reason, fields: { restarts: 1 }, error: `${name} is bad` },
      ...(byHand && { intervention: { certain: true, at: 0, what: 'a stop' } }),
    },
  });

  test('and what a person stopped is not the worst', () => {
    const all = [item('a', 'stopped', true), item('b', 'ok'), item('c', 'exit_code'), item('d', 'unhealthy')];
    expect(gather(all)).toMatchObject({
      reason: 'exit_code',
      error: '3 of 4: c is bad; d is bad; a is bad',
      fields: { total: 4, failing: ['c', 'd', 'a'], items: { b: { ok: true, restarts: 1 }, c: { ok: false } } },
      failing: [{ item: 'c', resource: { name: 'c' } }, { item: 'd' }, { item: 'a', intervention: { certain: true } }],
    });
  });

  test('and five are told by name', () => {
    const all = Array.from({ length: 40 }, (_, index) => item(`c${index}`, 'exit_code'));
    expect(gather(all).error).toMatch(/^40 of 40: c0 is bad; .*; and 35 more$/);
  });
});

describe.skipIf(missing)('the containers with a label', { timeout: 60_000 }, () => {
  let engine: Dockerd;
  const type = createDockerProbeType();
  beforeAll(async () => {
    engine = await startDockerd();
  }, 120_000);
  afterAll(() => engine?.stop(), 60_000);
  afterEach(async () => {
    const ids = (await engine.run('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await engine.run('rm', '-f', ...ids);
  });

  const create = (name: string, labels: readonly string[], what = SLEEP) =>
    engine.run('run', '-d', '--name', name, '--network', 'none', ...labels.flatMap((label) => ['-l', label]), ...what);
  const look = (selector: readonly string[], reads?: readonly string[], timeoutMs = 20_000) => {
    const input = { probe: 'web', heartbeat, ...(reads && { reads: new Set(reads) }) };
    return type.run(type.spec.parse({ selector, socket: engine.socket }), input, contextOf(timeoutMs));
  };

  test('are all of them, and no others', async () => {
    await create('web-1', ['app=web', 'tier=front']);
    await create('web-2', ['app=web']);
    await create('other', ['app=webby']);
    const seen = await look(['app=web'], []);
    expect(seen).toMatchObject({ reason: 'ok', failing: [], fields: { total: 2, failing: [] } });
    expect(Object.keys(seen.fields['items'] as object)).toEqual(['web-1', 'web-2']);
    expect((await look(['app=web', 'tier'], [])).fields['total']).toBe(1);
    expect((await look(['app'], [])).fields['total']).toBe(3);
  });

  test('are measured when their items are read', async () => {
    await create('web-1', ['app=web']);
    const { fields } = await look(['app=web'], ['items']);
    expect(fields['items']).toMatchObject({ 'web-1': { state: 'running', memory_bytes: expect.any(Number) } });
    expect((await look(['app=web'], ['total'])).fields['items']).not.toHaveProperty(['web-1', 'memory_bytes']);
  });

  test('fail by name, each with its own past', async () => {
    await create('web-1', ['app=web']);
    await create('web-2', ['app=web']);
    await create('web-3', ['app=web'], POLITE);
    await engine.run('kill', 'web-1');
    await engine.run('stop', 'web-3');
    const seen = await look(['app=web'], []);
    expect(seen).toMatchObject({
      reason: 'exit_code',
      error: expect.stringMatching(/^2 of 3: container web-1 is exited: exit code 137; container web-3 was stopped/),
      fields: { failing: ['web-1', 'web-3'] },
    });
    expect(seen.failing).toEqual([
      { item: 'web-1', resource: { kind: 'container', name: 'web-1', at: engine.socket } },
      {
        ...{ item: 'web-3', resource: { kind: 'container', name: 'web-3', at: engine.socket } },
        intervention: expect.objectContaining({ certain: true, what: 'docker stop of web-3' }),
      },
    ]);
  });

  test('are not found when there are none', async () => {
    const seen = await look(['app=nothing'], []);
    expect(seen).toMatchObject({
      reason: 'not_found',
      error: 'no container has the label app=nothing',
      fields: { total: 0 },
    });
    expect(seen.failing).toBeUndefined();
  });

  test('wake their probe at once', async () => {
    await create('web-1', ['app=web', 'tier=front']);
    await create('other', ['app=other']);
    const wake = vi.fn();
    const controller = new AbortController();
    const spec = type.spec.parse({ selector: ['app=web', 'tier'], socket: engine.socket });
    type.watch?.([{ probe: 'web', spec }], wake, { ...contextOf(1_000), signal: controller.signal });
    try {
      await sleep(500);
      await engine.run('kill', 'other');
      await sleep(500);
      expect(wake).not.toHaveBeenCalled();
      await engine.run('kill', 'web-1');
      while (wake.mock.calls.length === 0) await sleep(20);
      expect(wake).toHaveBeenCalledWith('web', expect.stringMatching(/^container (kill|die)$/));
    } finally {
      controller.abort();
    }
  });

  test('of an engine that hangs are not waited for', async () => {
    await create('web-1', ['app=web']);
    engine.hangEngine();
    try {
      const began = performance.now();
      expect(await look(['app=web'], [], 500)).toMatchObject({ reason: 'timeout', fields: {} });
      expect(performance.now() - began).toBeLessThan(1_500);
    } finally {
      engine.resumeEngine();
    }
  });

  test('are looked at again and again without a trace', async () => {
    await create('web-1', ['app=web']);
    await create('web-2', ['app=web']);
    await leavesNothing(async () => expect((await look(['app=web'], [])).reason).toBe('ok'), 40, 5);
  });
});
