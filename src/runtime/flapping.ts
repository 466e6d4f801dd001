/** What people heard of an incident's changes, and whether they may hear of another one now. */
import { flappingUntil, type Told } from '../engine/flap.ts';
import type { Configuration } from '../model.ts';
import type { Clock, StoreQueries } from '../ports.ts';

export interface Flapping {
  /** Newest first; a copy for a fallback is the same event. */
  told(queries: StoreQueries, incidentId: number): Promise<readonly Told[]>;
  /** Until when no further change is told; undefined: it may be. */
  until(told: readonly Told[]): number | undefined;
}

const ROWS = 500;

export function createFlapping(parts: { readonly clock: Clock; configuration(): Configuration }): Flapping {
  const { clock, configuration } = parts;
  return {
    async told(queries, incidentId) {
      const rows = await queries.notifications({ incidentId, limit: ROWS });
      return [...new Map(rows.map(({ alert }) => [alert.eventId, { kind: alert.kind, at: alert.at }])).values()];
    },
    until: (told) => flappingUntil(told, configuration().settings.alerts.flapping, clock.now()),
  };
}
