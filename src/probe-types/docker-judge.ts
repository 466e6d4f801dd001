/** What a container's state means for it: pure. */
import type { Fields, Reason } from '../model.ts';
import type { Inspection } from '../shared/docker-inspect.ts';

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
