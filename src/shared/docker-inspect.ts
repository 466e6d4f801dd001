/** What the engine says of a container now. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Context } from '../ports.ts';
import type { Engine } from './docker-engine.ts';
import { inspectExactly, parseAnswer } from './docker-engine.ts';

const INSPECTION = z.object({
  Id: z.string(),
  Name: z.string(),
  RestartCount: z.number(),
  Config: z.object({ Image: z.string() }),
  HostConfig: z.object({ RestartPolicy: z.object({ Name: z.string() }).nullish() }),
  State: z.object({
    Status: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Error: z.string().default(''),
    StartedAt: z.string(),
    FinishedAt: z.string(),
    Health: z.object({ Status: z.string(), Log: z.array(z.object({ Output: z.string() })).nullish() }).nullish(),
  }),
});

/** A container as the engine reports it, in our units. */
export interface Inspection {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly state: string;
  /** `none` without a HEALTHCHECK, else `starting`, `healthy` or `unhealthy`. */
  readonly health: string;
  /** What the last health check printed. */
  readonly healthOutput: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Why the engine could not start it; empty when it could. */
  readonly startError: string;
  readonly restarts: number;
  /** The engine starts it again when it ends. */
  readonly restartsByPolicy: boolean;
  /** Clock of the engine, ms since the epoch; negative when it never happened. */
  readonly startedAt: number;
  readonly finishedAt: number;
}

/** undefined: the engine knows no such container. */
export async function inspectContainer(
  engine: Engine,
  container: string,
  signal: AbortSignal,
): Promise<Inspection | undefined> {
  const answer = await inspectExactly(engine, container, signal);
  return answer && toInspection(parseAnswer(INSPECTION, answer));
}

function toInspection({ Id, Name, RestartCount, Config, HostConfig, State }: z.output<typeof INSPECTION>): Inspection {
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    image: Config.Image,
    state: State.Status,
    health: State.Health?.Status || 'none',
    healthOutput: State.Health?.Log?.at(-1)?.Output.trim() ?? '',
    exitCode: State.ExitCode,
    oomKilled: State.OOMKilled,
    startError: State.Error,
    restarts: RestartCount,
    restartsByPolicy: !['', 'no'].includes(HostConfig.RestartPolicy?.Name ?? ''),
    startedAt: Date.parse(State.StartedAt),
    finishedAt: Date.parse(State.FinishedAt),
  };
}

/** The engine's own restart, or a person's, is given this long after an exit before it counts as one. */
const SETTLE_MS = 1_000;

/**
 * A container that has just ended is looked at again: it may be on its way up already. `endedAlone`: nobody starts it again,
 * so that there is nothing to wait for.
 */
export async function settle(
  first: Inspection,
  engine: Engine,
  { clock, signal, timeoutMs }: Context,
  endedAlone = false,
): Promise<Inspection | undefined> {
  const waitMs = endedAlone ? 0 : Math.min(settleMs(first, clock.now()), timeoutMs / 2);
  if (waitMs === 0) return first;
  await sleep(waitMs, undefined, { signal });
  return inspectContainer(engine, first.name, signal);
}

/** How long to wait before an end that was just seen may be judged; 0 when it is old enough, or no end. */
function settleMs({ state, finishedAt }: Inspection, now: number): number {
  if (!hasEnded(state)) return 0;
  return Math.min(SETTLE_MS, Math.max(0, finishedAt + SETTLE_MS - now));
}

export function hasEnded(state: string): boolean {
  return state === 'exited' || state === 'dead' || state === 'removing' || state === 'restarting';
}
