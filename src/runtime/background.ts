/** What goes on by itself beside probes and fixes, for as long as the daemon runs. */
import type { Configuration } from '../model.ts';
import type { Clock, Log, Meter, Store } from '../ports.ts';
import { startRearm } from './rearm.ts';
import { startReminders } from './reminders.ts';
import { startRetention } from './retention.ts';
import type { Switches } from './switches.ts';
import type { Telling } from './telling.ts';
import type { Watching } from './watching.ts';
import { startWithheld } from './withheld.ts';

export interface BackgroundParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly telling: Telling;
  readonly watching: Watching;
  readonly switches: Switches;
  configuration(): Configuration;
  storeUp(): boolean;
}

export function startBackground(parts: BackgroundParts): { stop(): Promise<void> } {
  const { store, clock, log, meter, telling, watching, switches, configuration, storeUp } = parts;
  const { desk, flapping, silences } = telling;
  const running: readonly { stop(): void | Promise<void> }[] = [
    startReminders({ store, clock, log, desk, configuration, silenceOf: silences.of, storeUp }),
    startWithheld({ store, log, desk, flapping, silences, storeUp }),
    startRearm({ clock, log, switches, configuration, all: watching.probes.all, storeUp }),
    startRetention({ store, clock, log, meter, configuration }),
  ];
  return {
    async stop() {
      for (const part of running) await part.stop();
    },
  };
}
