/**
 * Tells what was kept back, when what kept it back is over: a silence that has ended while the incident has not, or an
 * incident that flapped and is no longer what people believe. Once, in one transaction with the mark that it is told. What
 * is owed stands on the incident, so a restart neither repeats nor forgets it.
 */
import { MAY_WAIT } from '../engine/flap.ts';
import type { AlertKind, Incident } from '../model.ts';
import type { Log, Store } from '../ports.ts';
import type { Flapping } from './flapping.ts';
import type { IncidentDesk } from './incident-desk.ts';
import { createRecurring } from './recurring.ts';
import type { Silences } from './silences.ts';

export interface WithheldParts {
  readonly store: Store;
  readonly log: Log;
  readonly desk: IncidentDesk;
  readonly flapping: Flapping;
  readonly silences: Silences;
  /** While it is away nothing can be marked as told. */
  storeUp(): boolean;
}

const LOOK_MS = 1_000;

export function startWithheld(parts: WithheldParts): { stop(): Promise<void> } {
  const { store, log, desk, flapping, silences, storeUp } = parts;
  const recurring = createRecurring(log);
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).then(recurring.over, (error: unknown) => recurring.failed('withheld_not_told', error));
  }, LOOK_MS);
  timer.unref();

  /** A child is told when its root is over, as ever. */
  function isDue(incident: Incident): boolean {
    return incident.withheld !== undefined && incident.parentId === undefined && silences.of(incident) === undefined;
  }

  /** Also after a silence: what opens and ends again and again is told no more often for it. */
  async function isSteady({ id, withheld }: Incident): Promise<boolean> {
    if (withheld === undefined || !MAY_WAIT.has(withheld)) return true;
    return flapping.until(await flapping.told(store, id)) === undefined;
  }

  async function look(): Promise<void> {
    if (!storeUp()) return;
    for (const incident of desk.open().filter(isDue)) if (await isSteady(incident)) await tell(incident);
    for (const incident of desk.endsWithheld()) if (await isSteady(incident)) await desk.tellEnd(incident.id);
  }

  async function tell({ id, withheldBy = 'silence' }: Incident): Promise<void> {
    await desk.edit(id, {
      edit(current) {
        const { withheld: _told, withheldBy: _by, ...rest } = current;
        return isDue(current) ? rest : undefined;
      },
      kind: withheldBy === 'silence' ? 'silence_ended' : 'flapping_ended',
      text: `the ${withheldBy} is over, and it is still open`,
      alert: kindOwed,
      afterWithheld: withheldBy,
    });
  }

  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

/** What got worse and then better again did not get worse for people who hear of it now. */
function kindOwed({ withheld, degraded }: Incident): AlertKind | undefined {
  return withheld === 'escalated' && degraded ? 'opened' : withheld;
}
