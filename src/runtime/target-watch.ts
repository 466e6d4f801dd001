/**
 * Lets probe types follow their targets (Docker's events, held connections), so that a probe runs when something happens.
 */
import type { Probe } from '../model.ts';
import type { Clock, Log, ProbeTypes } from '../ports.ts';
import { isActive } from './live-probe.ts';

export interface TargetWatch {
  /** Follows these probes from now on; a type whose probes did not change is not disturbed. */
  set(probes: Iterable<Probe>): void;
  stop(): void;
}

interface Followed {
  readonly key: string;
  readonly controller: AbortController;
}

export function createTargetWatch(parts: {
  probeTypes: ProbeTypes;
  clock: Clock;
  log: Log;
  wake(probe: string, why: string): void;
}): TargetWatch {
  const { probeTypes, clock, log, wake } = parts;
  const followed = new Map<string, Followed>();

  function follow(name: string, probes: readonly Probe[]): void {
    const key = probes.map((probe) => `${probe.name}=${probe.targetRevision}`).join();
    const before = followed.get(name);
    if (before?.key === key) return;
    before?.controller.abort();
    followed.delete(name);
    if (probes.length === 0) return;
    const controller = new AbortController();
    followed.set(name, { key, controller });
    const specs = probes.map((probe) => ({ probe: probe.name, spec: probe.spec }));
    probeTypes[name]?.watch?.(specs, wake, {
      signal: controller.signal,
      timeoutMs: Number.POSITIVE_INFINITY,
      clock,
      log: log.child({ watch: name }),
    });
  }

  return {
    set(probes) {
      const active = [...probes].filter(isActive);
      for (const [name, type] of Object.entries(probeTypes)) {
        if (type.watch)
          follow(
            name,
            active.filter((probe) => probe.type === name),
          );
      }
    },
    stop() {
      for (const { controller } of followed.values()) controller.abort();
      followed.clear();
    },
  };
}
