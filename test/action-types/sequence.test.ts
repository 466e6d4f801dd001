/** The `sequence` action, with real programs as its steps. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { actionTypes } from '../../src/action-types/index.ts';
import type { ActionInput, ActionType } from '../../src/ports.ts';
import { load, problems } from '../config/homes.ts';
import { aProbe } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { QUIET } from './input.ts';

const sequence = actionTypes['sequence'] as ActionType<z.ZodType>;
const specOf = (...steps: readonly object[]) => sequence.spec.parse({ steps });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sequence-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const shell = (script: string) => ({ exec: { argv: ['/bin/sh', '-c', script] } });
const note = (word: string) => shell(`echo ${word} | tee -a ran`);
const ran = () => readFile(join(folder, 'ran'), 'utf8');

function run(steps: readonly object[], input: Partial<ActionInput> = {}, timeoutMs = 30_000) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const complete = { remediation: 'mend', attemptId: 1, probe: aProbe(), folder, onChild: async () => {}, ...QUIET };
  const signal = AbortSignal.timeout(timeoutMs);
  return sequence.run(specOf(...steps), { ...complete, ...input }, { signal, timeoutMs, clock, log: quietLog });
}

describe('the steps', () => {
  it('run one after the other, and each says what came of it', async () => {
    const told: string[] = [];
    const steps = [note('one'), { wait: '300ms' }, { notify: 'half of it' }, note('two')];
    const started = performance.now();
    const output = await run(steps, { tell: async (text) => void told.push(text) });
    expect(output).toEqual({
      ...{ done: true, exitCode: 0 },
      output: 'step 1 (exec): done\none\nstep 2 (wait): done\nstep 3 (notify): done\nstep 4 (exec): done\ntwo',
    });
    expect(performance.now() - started).toBeGreaterThanOrEqual(290);
    expect(told).toEqual(['half of it']);
    expect(await ran()).toBe('one\ntwo\n');
  });

  it('stop at the first that fails, which is named', async () => {
    const output = await run([note('one'), shell('echo why; exit 3'), note('two')]);
    expect(output).toMatchObject({ done: false, exitCode: 3, error: 'step 2 (exec): exit code 3' });
    expect(output.output).toContain('why');
    expect(await ran()).toBe('one\n');
  });

  it('share one deadline: a wait that is longer ends with it, and nothing runs after', async () => {
    const output = await run([note('one'), { wait: '1m' }, note('two')], {}, 1_500);
    expect(output).toMatchObject({ done: false, error: 'step 2 (wait): the deadline passed meanwhile' });
    expect(await ran()).toBe('one\n');
  });

  it('store each of their children before it can do anything', async () => {
    const children: number[] = [];
    await run([note('one'), note('two')], { onChild: async ({ pid }) => void children.push(pid) });
    expect(new Set(children).size).toBe(2);
    const refused = run([note('three'), note('four')], { onChild: () => Promise.reject(new Error('store away')) });
    await expect(refused).rejects.toThrow();
    expect(await ran()).toBe('one\ntwo\n');
  });

  it('act on what the probe observed where they say so', () => {
    const restart = { docker: { restart: { from: 'probe' } } };
    const observed = { kind: 'container', name: 'web' };
    expect(sequence.fromProbe(specOf(shell('true'), restart))).toBe(true);
    expect(sequence.fromProbe(specOf(shell('true')))).toBe(false);
    expect(sequence.resource(specOf(restart), 'mend', observed)).toBe('container:web');
    // One that does not resolve keeps all of them from beginning.
    expect(sequence.resource(specOf(shell('true'), restart), 'mend', undefined)).toBeUndefined();
  });

  it('are locked all, each once: the first for the attempt, the others besides', () => {
    const spec = specOf(
      ...[{ docker: { stop: 'web' } }, { docker: { restart: 'db' } }, shell('true'), { docker: { start: 'web' } }],
    );
    expect(sequence.resource(spec, 'mend', undefined)).toBe('container:web');
    expect(sequence.alsoLocks?.(spec, 'mend', undefined)).toEqual(['container:db', 'exec:mend']);
  });

  it('only read when each of them does', () => {
    const logs = { docker: { logs: 'web' } };
    expect(sequence.readsOnly(specOf(logs, { wait: '1s' }))).toBe(true);
    expect(sequence.readsOnly(specOf(logs, shell('true')))).toBe(false);
    expect(sequence.readsOnly(specOf(logs, { notify: 'people' }))).toBe(false);
  });

  it('are told one by one in a dry run', () => {
    const spec = specOf({ docker: { stop: 'web' } }, { wait: '5s' }, { notify: 'soon' });
    expect(sequence.would(spec, undefined)).toBe('1. stop container web; 2. wait 5s; 3. tell people "soon"');
  });
});

describe('a definition', () => {
  const fix = (steps: string) => ({
    'remediations/a.yaml': `remediations:\n  - name: mend\n    sequence:\n      steps:\n${steps}`,
  });

  it.each([
    ['        - wait: 5s\n', 'needs a step that acts'],
    ['        - { wait: 5s, notify: a }\n', 'needs exactly one of wait, notify, '],
    ['        - {}\n', 'needs exactly one of'],
    ['        - docker: { restrat: web }\n', '5:21: unknown key "restrat" (did you mean "restart"?)'],
    ['        - sequence: { steps: [] }\n', 'unknown key "sequence"'],
    ['        - sql: { url: "postgres://a@h/b", statements: ["select ${X:-1}"] }\n', 'without a variable'],
    [
      '        - http: { url: "http://x", wait_until: { url: "http://x", expect: [jsn == 1] } }\n',
      'unknown field `jsn` (did you mean "json"?)',
    ],
  ])('is refused with its place: %s', async (steps, message) => {
    expect((await problems(fix(steps))).join()).toContain(message);
  });

  it('keeps the secrets of its steps', async () => {
    const { secrets } = await load(fix('        - http: { url: "${HOOK}", auth: { bearer: "${TOKEN}" } }\n'), {
      ...{ HOOK: 'http://hooks.example.org/a-secret', TOKEN: 'made-up-token' },
    });
    expect(secrets).toEqual(expect.arrayContaining(['http://hooks.example.org/a-secret', 'made-up-token']));
  });
});
