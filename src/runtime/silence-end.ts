/**
 * Tells what a silence kept back, when the silence has ended and the incident has not: once, in one transaction with the
 * mark that it is told. What is owed stands on the incident, so a restart neither repeats nor forgets it.
 */
import type { AlertKind, Incident } from '../model.ts';
import type { Log } from '../ports.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { Silences } from './silences.ts';

export interface SilenceEndParts {
  readonly log: Log;
  readonly desk: IncidentDesk;
  readonly silences: Silences;
}

const LOOK_MS = 1_000;

export function startSilenceEnd({ log, desk, silences }: SilenceEndParts): { stop(): Promise<void> } {
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch((error: unknown) => log.error('silence_end_not_told', { error }));
  }, LOOK_MS);
  timer.unref();

  /** A child is told when its root is over, as ever. */
  function isDue(incident: Incident): boolean {
    return incident.withheld !== undefined && incident.parentId === undefined && silences.of(incident) === undefined;
  }

  async function look(): Promise<void> {
    for (const { id } of desk.open().filter(isDue)) {
      await desk.edit(id, {
        edit(current) {
          const { withheld: _told, ...rest } = current;
          return isDue(current) ? rest : undefined;
        },
        kind: 'silence_ended',
        text: 'the silence is over, and it is still open',
        alert: kindOwed,
        afterSilence: true,
      });
    }
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
