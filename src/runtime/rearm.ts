/**
 * A disarmed remediation arms itself again only after sustained health: every probe that is watched and names it has been
 * UP for as long as its limit looks back.
 */
import type { Configuration, Probe } from '../model.ts';
import type { Clock, Log } from '../ports.ts';
import { isActive, type LiveProbe } from './live-probe.ts';
import { createRecurring } from './recurring.ts';
import type { Switches } from './switches.ts';

export interface RearmParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly switches: Switches;
  configuration(): Configuration;
  all(): Iterable<LiveProbe>;
  /** While it is away nothing can be armed. */
  storeUp(): boolean;
}

const LOOK_MS = 10_000;

export function startRearm({ clock, log, switches, configuration, all, storeUp }: RearmParts): { stop(): void } {
  const recurring = createRecurring(log);
  const timer = setInterval(
    () => void look().then(recurring.over, (error: unknown) => recurring.failed('rearm_failed', error)),
    LOOK_MS,
  );
  timer.unref();

  async function look(): Promise<void> {
    if (!storeUp()) return;
    for (const { remediation, at } of switches.disarmed()) {
      const healthyMs = configuration().remediations.get(remediation)?.limit.windowMs;
      if (healthyMs === undefined || clock.now() - at < healthyMs) continue;
      const probes = [...all()].filter(({ definition }) => isActive(definition) && names(definition, remediation));
      const healthy = probes.every(({ state }) => state.state === 'up' && clock.now() - state.since >= healthyMs);
      if (healthy && probes.length > 0) await switches.arm(remediation, 'brainstem (sustained health)');
    }
  }

  return { stop: () => clearInterval(timer) };
}

function names({ remediate }: Probe, remediation: string): boolean {
  return remediate.some(({ rungs }) => rungs.some((rung) => rung.remediation === remediation));
}
