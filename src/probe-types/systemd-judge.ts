/** What a unit's state means for it: pure. */
import type { Reason } from '../model.ts';
import { isIdleJob, type Unit } from '../shared/systemd-unit.ts';

export interface Judgement {
  readonly reason: Reason;
  readonly error?: string;
}

/** Ends that a process brought about itself. */
const EXITS: ReadonlySet<string> = new Set(['exit-code', 'signal', 'core-dump', 'start-limit-hit']);

export function judge(unit: Unit, byHand: boolean, now: number): Judgement {
  const { id, load, type, active, sub } = unit;
  if (load === 'not-found') return { reason: 'not_found', error: `there is no unit ${id}` };
  if (load === 'masked') return { reason: 'stopped', error: `unit ${id} is masked` };
  if (load !== 'loaded' && active !== 'active') {
    return { reason: 'unhealthy', error: `unit ${id} cannot be loaded (${load}): ${unit.loadError}` };
  }
  switch (active) {
    case 'failed':
      return { reason: EXITS.has(unit.result) ? 'exit_code' : 'unhealthy', error: `unit ${id} failed: ${endOf(unit)}` };
    case 'activating':
      if (sub.startsWith('auto-restart')) {
        return {
          reason: 'exit_code',
          error: `unit ${id} crashes in a loop: ${endOf(unit)}, ${unit.restarts} restarts`,
        };
      }
      // A job is `active` only when it is over, if then: this is how it works.
      if (type === 'oneshot') return { reason: 'ok' };
      return { reason: 'unhealthy', error: `unit ${id} is still starting (${sub})${sinceWords(unit, now)}` };
    case 'deactivating':
      return { reason: 'stopped', error: `unit ${id} is stopping (${sub})` };
    case 'inactive':
      if (isIdleJob(unit)) return { reason: 'ok' };
      return { reason: 'stopped', error: `unit ${id} is not running${byHand ? ': somebody stopped it' : ''}` };
    default:
      return { reason: 'ok' };
  }
}

function endOf({ result, exitCode }: Unit): string {
  return exitCode === undefined ? result : `${result}, exit code ${exitCode}`;
}

function sinceWords({ changedAt }: Unit, now: number): string {
  return changedAt === undefined ? '' : ` for ${Math.max(0, Math.round((now - changedAt) / 1_000))} s`;
}
