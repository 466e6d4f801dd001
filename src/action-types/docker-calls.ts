/** What the `docker` action asks of an engine, one function an operation. Errors are those of the engine. */
import { z } from 'zod';
import type { ActionOutput } from '../ports.ts';
import type { Engine } from '../shared/docker-engine.ts';
import { callEngine, parseAnswer, statusOf, withSignal } from '../shared/docker-engine.ts';
import { readOutput } from '../shared/docker-output.ts';

export const PRUNABLE = ['images', 'containers', 'build-cache'] as const;
export type Prunable = (typeof PRUNABLE)[number];

/** The engine answers 304 to a start of what runs, and to a stop of what does not: that is done. */
export async function unlessAlready(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (statusOf(error) !== 304) throw error;
  }
}

/**
 * Runs a command in a container; it is done when it exits with 0. At the deadline we stop listening: the engine has no
 * way to end the command itself.
 */
export async function executeIn(
  engine: Engine,
  container: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<ActionOutput> {
  const create = { Cmd: [...argv], AttachStdout: true, AttachStderr: true, abortSignal: signal };
  const execution = await withSignal(signal, engine.getContainer(container).exec(create));
  const stream = await withSignal(signal, execution.start({ hijack: false, stdin: false, abortSignal: signal }));
  const output = await withSignal(signal, readOutput(stream as AsyncIterable<Buffer>, true));
  const { ExitCode: exitCode } = await withSignal(signal, execution.inspect({ abortSignal: signal }));
  if (exitCode === null) return { done: false, output, error: 'the command is still running, detached from us' };
  const failed = exitCode !== 0 && { error: `${argv[0]} exited with code ${exitCode} in ${container}` };
  return { done: exitCode === 0, exitCode, output, ...failed };
}

const TERMINAL = z.object({ Id: z.string(), Config: z.object({ Tty: z.boolean() }) });

/** The last `tail` lines, with the engine's times; head and tail of 64 KiB each. */
export async function readLogs(
  engine: Engine,
  inspection: unknown,
  tail: number,
  signal: AbortSignal,
): Promise<ActionOutput> {
  const { Id, Config } = parseAnswer(TERMINAL, inspection);
  const stream = await callEngine(engine, {
    method: 'GET',
    path: `/containers/${Id}/logs`,
    query: { stdout: true, stderr: true, timestamps: true, tail },
    signal,
    stream: true,
  });
  const output = await withSignal(signal, readOutput(stream as AsyncIterable<Buffer>, !Config.Tty));
  return { done: true, output };
}

const deleted = z.array(z.unknown()).nullish();
const PRUNED = z.object({
  ImagesDeleted: deleted,
  ContainersDeleted: deleted,
  CachesDeleted: deleted,
  SpaceReclaimed: z.number(),
});

/** Untagged images, stopped containers, or build cache, created longer ago than that. */
export async function prune(
  engine: Engine,
  what: Prunable,
  olderThanMs: number,
  signal: AbortSignal,
): Promise<ActionOutput> {
  const filters = { until: [`${Math.ceil(olderThanMs / 1_000)}s`] };
  const path = what === 'build-cache' ? '/build/prune' : `/${what}/prune`;
  const answer = await callEngine(engine, { method: 'POST', path, query: { filters }, signal });
  const { ImagesDeleted, ContainersDeleted, CachesDeleted, SpaceReclaimed } = parseAnswer(PRUNED, answer);
  const count = (ImagesDeleted ?? ContainersDeleted ?? CachesDeleted ?? []).length;
  return { done: true, output: `${what}: ${count} deleted, ${SpaceReclaimed} bytes reclaimed` };
}
