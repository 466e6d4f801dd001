import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { ActionInput, ActionOutput, ActionType } from '../../src/ports.ts';
import { createActionRunner } from '../../src/runtime/action-runner.ts';
import { QUIET } from '../action-types/input.ts';
import { aProbe } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INPUT: ActionInput = {
  ...{ remediation: 'restart', attemptId: 1, probe: aProbe(), folder: '/', onChild: async () => undefined },
  ...QUIET,
};

function runnerOf(
  run: (signal: AbortSignal) => Promise<ActionOutput>,
  { stopping = new AbortController(), hold = new AbortController(), isHeld = (): boolean => true } = {},
) {
  const action: ActionType = {
    ...{ name: 'deed', summary: '', mainOption: '', example: '', spec: z.unknown() },
    ...{ resource: () => 'deed', would: () => '', readsOnly: () => false, fromProbe: () => false },
    run: (_spec, _input, { signal }) => run(signal),
  };
  return createActionRunner({
    ...{ actionTypes: { deed: action }, clock: { now: Date.now, monotonic: () => performance.now() } },
    ...{ log: quietLog, environment: {}, isHeld, hold: () => hold.signal, stopping: stopping.signal },
  });
}

function untilAborted(signal: AbortSignal): Promise<ActionOutput> {
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve({ done: false, error: String(signal.reason) })),
  );
}

it('aborts an act at its deadline', async () => {
  const ended = runnerOf(untilAborted)('deed', {}, INPUT, 1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await ended).toMatchObject({ done: false, error: expect.stringContaining('deadline') });
});

it('aborts an act when the daemon stops', async () => {
  const stopping = new AbortController();
  const ended = runnerOf(untilAborted, { stopping })('deed', {}, INPUT, 60_000);
  stopping.abort(new Error('the daemon stops'));
  expect(await ended).toMatchObject({ done: false, error: expect.stringContaining('the daemon stops') });
});

it('breaks an act off when the hold on the store is lost', async () => {
  const hold = new AbortController();
  const ended = runnerOf(untilAborted, { hold })('deed', {}, INPUT, 60_000);
  hold.abort(new Error('the connection was lost'));
  expect(await ended).toMatchObject({ done: false, error: expect.stringContaining('the connection was lost') });
});

it('does not begin an act when another daemon may be the brain', async () => {
  const run = vi.fn(untilAborted);
  const ended = runnerOf(run, { isHeld: () => false })('deed', {}, INPUT, 60_000);
  expect(await ended).toEqual({ done: false, error: expect.stringContaining('another daemon') });
  expect(run).not.toHaveBeenCalled();
});

it('gives up an act that ignores its deadline', async () => {
  const ended = runnerOf(() => new Promise(() => undefined))('deed', {}, INPUT, 1_000);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(await ended).toMatchObject({ done: false, error: 'the act did not end at its deadline' });
});

it('takes what a type throws, and a type that nobody knows, for an act that failed', async () => {
  const throws = runnerOf(() => Promise.reject(new Error('a bug')));
  expect(await throws('deed', {}, INPUT, 1_000)).toEqual({ done: false, error: 'a bug' });
  expect(await throws('other', {}, INPUT, 1_000)).toMatchObject({ done: false });
  expect(vi.getTimerCount()).toBe(0);
});
