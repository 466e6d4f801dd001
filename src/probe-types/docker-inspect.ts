/** What the engine says of a container now, and what that means for it: pure but for the two questions asked. */
import { z } from 'zod';
import type { Fields, Reason } from '../model.ts';
import type { Engine } from '../shared/docker-engine.ts';
import { inspectExactly, parseAnswer } from '../shared/docker-engine.ts';

const INSPECTION = z.object({
  Id: z.string(),
  Name: z.string(),
  RestartCount: z.number(),
  Config: z.object({ Image: z.string() }),
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

function toInspection({ Id, Name, RestartCount, Config, State }: z.output<typeof INSPECTION>): Inspection {
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
    startedAt: Date.parse(State.StartedAt),
    finishedAt: Date.parse(State.FinishedAt),
  };
}

/** The engine's own restart, or a person's, is given this long after an exit before it counts as one. */
const SETTLE_MS = 1_000;

/** How long to wait before an end that was just seen may be judged; 0 when it is old enough, or no end. */
export function settleMs({ state, finishedAt }: Inspection, now: number): number {
  if (!hasEnded(state)) return 0;
  return Math.min(SETTLE_MS, Math.max(0, finishedAt + SETTLE_MS - now));
}

export function hasEnded(state: string): boolean {
  return state === 'exited' || state === 'dead' || state === 'removing' || state === 'restarting';
}

export interface Judgement {
  readonly reason: Reason;
  readonly error?: string;
}

/** `byHand`: a person stopped it. `restarting` here has lasted longer than an engine's first restart: it crashes in a loop. */
export function judge(seen: Inspection, byHand: boolean): Judgement {
  const { name, state, health, exitCode } = seen;
  switch (state) {
    case 'running':
      return health === 'unhealthy' ? { reason: 'unhealthy', error: describeHealth(seen) } : { reason: 'ok' };
    case 'paused':
      return { reason: 'stopped', error: `container ${name} is paused` };
    case 'created':
      if (seen.startError !== '')
        return { reason: 'exit_code', error: `container ${name} does not start: ${seen.startError}` };
      return { reason: 'stopped', error: `container ${name} was created and never started` };
    case 'restarting':
      return {
        reason: 'exit_code',
        error: `container ${name} crashes in a loop: ${describeExit(seen)}, ${seen.restarts} restarts`,
      };
    default:
      if (byHand) return { reason: 'stopped', error: `container ${name} was stopped (docker stop)` };
      return {
        reason: exitCode === 0 ? 'stopped' : 'exit_code',
        error: `container ${name} is ${state}: ${describeExit(seen)}`,
      };
  }
}

function describeHealth({ name, healthOutput }: Inspection): string {
  return healthOutput === '' ? `container ${name} is unhealthy` : `container ${name} is unhealthy: ${healthOutput}`;
}

function describeExit({ exitCode, oomKilled, startError }: Inspection): string {
  if (oomKilled) return `killed for want of memory (OOM), exit code ${exitCode}`;
  return startError === '' ? `exit code ${exitCode}` : `exit code ${exitCode}, ${startError}`;
}

/** The declared fields that need no further question to the engine. */
export function fieldsOf(seen: Inspection, now: number): Fields {
  return {
    name: seen.name,
    state: seen.state,
    health: seen.health,
    exit_code: seen.exitCode,
    // The engine goes on saying so while the container runs again.
    oom_killed: seen.oomKilled && seen.state !== 'running',
    restarts: seen.restarts,
    image: seen.image,
    ...(seen.state === 'running' && { uptime_s: Math.max(0, (now - seen.startedAt) / 1_000) }),
  };
}
