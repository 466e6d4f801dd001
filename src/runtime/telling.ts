/** What tells people, put together: incidents, what is kept back of them, and the outbox. */
import type { Configuration } from '../model.ts';
import type { Store } from '../ports.ts';
import { type Alerter, type AlerterParts, createAlerter } from './alerter.ts';
import { createAnnouncer } from './announcer.ts';
import { createFlapping, type Flapping } from './flapping.ts';
import { createIncidentDesk, type IncidentDesk } from './incident-desk.ts';
import type { RuntimeParts } from './runtime-parts.ts';
import { createSilences, type Silences } from './silences.ts';

export interface Telling {
  readonly alerter: Alerter;
  readonly flapping: Flapping;
  readonly silences: Silences;
  readonly desk: IncidentDesk;
}

export interface TellingParts
  extends Pick<RuntimeParts, 'registries' | 'clock' | 'log' | 'meter' | 'redact' | 'random'>,
    Required<Pick<AlerterParts, 'onNotifierHealth'>> {
  readonly store: Store;
  configuration(): Configuration;
}

export function createTelling(parts: TellingParts): Telling {
  const { store, registries, clock, log, meter, redact, random, configuration, onNotifierHealth } = parts;
  const alerter = createAlerter({
    ...{ store, clock, log, meter, random, configuration, onNotifierHealth },
    notifierTypes: registries.notifierTypes,
  });
  const flapping = createFlapping({ clock, configuration });
  const silences = createSilences({ store, clock, log, configuration });
  const desk = createIncidentDesk({
    ...{ store, clock, meter, onCommitted: () => alerter.wake() },
    announcer: (openIncidents) =>
      createAnnouncer({ clock, configuration, openIncidents, flapping, silenceOf: silences.of, redact }),
  });
  return { alerter, flapping, silences, desk };
}
