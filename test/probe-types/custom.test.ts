import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Observation } from '../../src/model.ts';
import type { Log, ProbeType } from '../../src/ports.ts';
import { createCustomProbeType } from '../../src/probe-types/custom.ts';
import { createRunner } from '../../src/runtime/runner.ts';
import { homeWith, loadHome, writeInto } from '../config/homes.ts';

/** Everything that a module can do, by its option `mode`. Places in it are asserted: lines count. */
const MODULE = `import { defineProbe } from 'brainstem';
import { deep } from './lib/deep.ts';

const leaked: unknown[] = [];
let runs = 0;

export default defineProbe({
  fields: { runs: { type: 'double', summary: '' }, word: { type: 'string', summary: '' } },
  async run(context): Promise<any> {
    const { options, signal, env, secrets, failed, log } = context;
    runs += 1;
    switch (options['mode']) {
      case 'fine': return { runs, word: 'yes', more: { list: [1, undefined, 2n], at: new Date(0) }, gone: undefined };
      case 'given': return { env, secrets, options, folder: context.folder, probe: context.probe, own: Object.keys(process.env).sort() };
      case 'failed': return failed('connect_refused', new Error('nobody there', { cause: new Error('ECONNREFUSED') }), { runs });
      case 'throws': throw new Error('a slip');
      case 'throws text': throw 'a text';
      case 'deep': return deep();
      case 'never': return new Promise(() => setInterval(() => undefined, 1_000));
      case 'loop': for (;;) ;
      case 'exit': process.exit(3);
      case 'leak': for (;;) leaked.push(new Array(10_000).fill(runs).map(String));
      case 'stray': setTimeout(() => { throw new Error('too late'); }, 10); return new Promise(() => undefined);
      case 'stray rejection': void Promise.reject(new Error('nobody waits')); return new Promise(() => undefined);
      case 'fetch': await fetch(String(options['url']), { signal }); return {};
      case 'function': return { call() {} };
      case 'text': return 'up';
      case 'wrong type': return { word: 5 };
      case 'taken': return { ok: true };
      case 'endless': { const value: any = {}; value.value = value; return value; }
      case 'many': return { all: new Array(5_000).fill(0) };
      case 'prints': console.log('out'); console.error('err'); log('said', { runs }); return {};
      case 'floods': for (let line = 0; line < 50_000; line++) { console.log('line', line); log('line', { line }); } return {};
      case 'timers': setInterval(() => undefined, 1_000); leaked.push(runs); return { runs };
      case 'no reason': return failed('slow' as never, 'too slow');
      case 'reason of all objects': return failed('constructor' as never, 'too slow');
      case 'fine failure': return failed('ok' as never, 'fine');
      case 'own bug': return failed('internal' as never, 'a bug');
    }
    throw new Error('no such mode');
  },
});
`;
const DEEP = 'export function deep(): never {\n  throw new TypeError(`deep down`);\n}\n';

const logged: Record<string, unknown>[] = [];
const log: Log = {
  debug() {},
  info: (event, fields) => void logged.push({ event, ...fields }),
  warn: (event, fields) => void logged.push({ event, ...fields }),
  error: (event, fields) => void logged.push({ event, ...fields }),
  child: () => log,
};
let type: ProbeType;
let ending: AbortController;

beforeEach(() => {
  type = createCustomProbeType() as unknown as ProbeType;
  ending = new AbortController();
  type.watch?.([], () => undefined, { signal: ending.signal, timeoutMs: 0, clock, log });
  logged.length = 0;
});

afterEach(() => ending.abort());

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

function yaml(options: Record<string, unknown>, timeout: string, extra: string): string {
  return `probes:\n  - name: p\n    timeout: ${timeout}\n    custom: { module: ./m.ts, options: ${JSON.stringify(options)}${extra} }\n`;
}

async function prepare(options: Record<string, unknown>, { timeout = '20s', extra = '' } = {}) {
  const home = await homeWith({
    'probes/m.ts': MODULE,
    'probes/lib/deep.ts': DEEP,
    'probes/p.yaml': yaml(options, timeout, extra),
  });
  const run = createRunner({
    onScarce: () => undefined,
    ...{ probeTypes: { custom: type }, clock, log, home: () => home, redact: (text: string) => text },
    stalls: { since: () => undefined },
    heartbeat: () => Promise.reject(new Error('not a heartbeat')),
    environment: { PATH: '/bin', SHOP_PASSWORD: 'not-for-modules' },
    stopping: new AbortController().signal,
  });
  const reload = async () => {
    const probe = (await loadHome(home)).probes.get('p');
    if (!probe) throw new Error('the probe is gone');
    return () => run(probe);
  };
  return { home, reload, run: await reload() };
}

async function once(mode: string, more: Record<string, unknown> = {}, timeout?: string): Promise<Observation> {
  const { run } = await prepare({ mode, ...more }, { ...(timeout && { timeout }) });
  return run();
}

/** The tests' own loop goes on while a module misbehaves. */
async function withoutBlocking<T>(work: () => Promise<T>): Promise<T> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(10);
  }
}

it('observes what the module returns, as plain data', async () => {
  expect(await once('fine')).toMatchObject({
    reason: 'ok',
    fields: { runs: 1, word: 'yes', more: { list: [1, null, 2], at: '1970-01-01T00:00:00.000Z' } },
  });
});

it('gives the module what its definition asks for, and nothing of the environment besides', async () => {
  const { run, home } = await prepare({ mode: 'given' }, { extra: ', env: { A: one }, secrets: { b: two-two-two }' });
  expect((await run()).fields).toEqual({
    env: { A: 'one' },
    secrets: { b: 'two-two-two' },
    options: { mode: 'given' },
    folder: `${home}/probes`,
    probe: 'p',
    own: ['HOME', 'PATH'],
  });
});

it('fails the target for the reason that the module gives', async () => {
  const observation = await once('failed');
  expect(observation).toMatchObject({
    reason: 'connect_refused',
    error: 'nobody there: ECONNREFUSED',
    fields: { runs: 1 },
  });
  expect(observation.unknown).toBeUndefined();
});

it.each([
  ['throws', 'probes/m.ts:16:28: Error: a slip'],
  ['throws text', 'probes/m.ts:1:1: threw a text'],
  ['deep', 'probes/lib/deep.ts:2:9: TypeError: deep down'],
  ['exit', 'probes/m.ts:21:28: Error: the module called process.exit(3)'],
  ['stray', 'probes/m.ts:23:46: Error: too late'],
  ['stray rejection', 'probes/m.ts:24:51: Error: nobody waits'],
  ['function', 'what run returned.call is a function, which is no plain data'],
  ['text', 'run must return fields by name, and returned string'],
  ['wrong type', 'the field "word" is declared as string, and run returned 5'],
  ['taken', '"ok" is what Brainstem says itself; return it under another name'],
  ['endless', 'is nested deeper than 16 levels'],
  ['many', 'what run returned holds more than 1000 values'],
  ['no reason', 'failed() takes no reason "slow"'],
  ['reason of all objects', 'failed() takes no reason "constructor"'],
  ['fine failure', 'failed() takes no reason "ok"'],
  ['own bug', 'failed() takes no reason "internal"'],
])('knows nothing, at a place, when a run %s', async (mode, error) => {
  const observation = await once(mode);
  expect(observation).toMatchObject({ reason: 'internal', unknown: 'internal', error: expect.stringContaining(error) });
  expect(observation.error).toMatch(/^probes\/[\w/.]+:\d+:\d+: /);
});

it.each([
  ['never', 'probes/m.ts:9:9: run did not end at its deadline; pass context.signal to what it waits for'],
  ['loop', 'probes/m.ts:9:9: run blocks its thread'],
])('ends a run that does not end: %s', async (mode, error) => {
  const { run } = await prepare({ mode }, { timeout: '3s' });
  const began = performance.now();
  const observation = await withoutBlocking(run);
  expect(observation).toMatchObject({ reason: 'internal', error: expect.stringContaining(error) });
  // The deadline, the grace, and two busy cores; without an end it would be for ever.
  expect(performance.now() - began).toBeLessThan(3_000 + 500 + 1_400);
  expect(logged.filter(({ event }) => event === 'probe_ignored_deadline')).toEqual([]);
});

it('ends a thread whose module takes all its memory, and not the daemon', async () => {
  const observation = await once('leak', {}, '30s');
  expect(observation).toMatchObject({
    reason: 'internal',
    error: 'probes/m.ts:9:9: its thread ran out of memory (64 MiB)',
  });
});

it('takes a new thread after one was lost', async () => {
  const { run, home, reload } = await prepare({ mode: 'exit' });
  expect((await run()).reason).toBe('internal');
  expect((await run()).reason).toBe('internal');
  await writeInto(home, { 'probes/p.yaml': yaml({ mode: 'fine' }, '20s', '') });
  expect((await (await reload())()).fields['runs']).toBe(1);
});

it('takes an abort that the module heeds for a timeout of the target', async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const observation = await once('fetch', { url }, '3s');
    expect(observation).toMatchObject({ reason: 'timeout', error: 'the deadline passed while the probe was looking' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

it('runs what was read, whatever is saved meanwhile', async () => {
  const { run, home, reload } = await prepare({ mode: 'deep' });
  await writeInto(home, { 'probes/lib/deep.ts': 'export const deep = () => ({ word: "new" });\n' });
  expect((await run()).error).toContain('deep down');
  expect((await (await reload())()).fields).toEqual({ word: 'new' });
});

it('sends what a module prints to the log', async () => {
  expect(await once('prints')).toMatchObject({ reason: 'ok' });
  expect(logged).toEqual([
    { event: 'module_printed', text: 'out' },
    { event: 'module_printed', text: 'err' },
    { event: 'module_said', probe: 'p', said: 'said', runs: 1 },
  ]);
});

it('does not let a flood of them through', async () => {
  expect(await once('floods')).toMatchObject({ reason: 'ok' });
  const printed = logged.filter(({ event }) => event === 'module_printed').map(({ text }) => String(text));
  expect(printed.join('').length).toBeLessThanOrEqual(4_096);
  expect(logged.filter(({ event }) => event === 'module_said')).toHaveLength(20);
});

it('ends a thread in which nothing has run for a while', async () => {
  type = createCustomProbeType(300) as unknown as ProbeType;
  const { run } = await prepare({ mode: 'fine' });
  const runs = async () => (await run()).fields['runs'];
  expect([await runs(), await runs()]).toEqual([1, 2]);
  // Only a new thread counts from one again.
  await vi.waitFor(async () => expect(await runs()).toBe(1), { timeout: 30_000, interval: 1_500 });
});

const threads = () => readdirSync('/proc/self/task').length;

it('replaces its thread after 500 runs, and leaves none behind', async () => {
  const before = threads();
  const { run } = await prepare({ mode: 'timers' });
  const seen: unknown[] = [];
  for (let index = 0; index < 620; index++) seen.push((await run()).fields['runs']);
  expect([seen[0], seen[499], seen[500], seen[619]]).toEqual([1, 500, 1, 120]);
  ending.abort();
  await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before), { timeout: 20_000 });
});
