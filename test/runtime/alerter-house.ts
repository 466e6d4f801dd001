/** An alerter on a real store, real channels on loopback, and a clock that tests move. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Alert, Configuration, Incident, Notification, NotifierDefinition } from '../../src/model.ts';
import { notifierTypes } from '../../src/notifiers/index.ts';
import type { Clock, Meter, NotifierTypes, Store } from '../../src/ports.ts';
import { type Alerter, type AlerterParts, createAlerter } from '../../src/runtime/alerter.ts';
import { openStore } from '../../src/store/open.ts';
import { alertOf, incidentOf, quietLog } from '../notifiers/alerts.ts';

export interface TestClock extends Clock {
  advance(ms: number): void;
}

function movableClock(): TestClock {
  let ahead = 0;
  return {
    now: () => Math.round(Date.now() + ahead),
    monotonic: () => performance.now() + ahead,
    advance(ms) {
      ahead += ms;
    },
  };
}

export interface House {
  readonly store: Store;
  readonly clock: TestClock;
  readonly counted: { readonly notifier: string; readonly outcome: string }[];
  readonly health: { readonly notifier: string; readonly healthy: boolean; readonly error?: string }[];
  /** Replaces the notifiers, as a reload does. */
  configure(definitions: readonly Definition[]): void;
  /** Starts an alerter; the one before should be stopped. */
  start(changes?: Partial<AlerterParts>): Alerter;
  incident(changes?: Partial<Incident>): Promise<Incident>;
  /** Writes one alert about it for a notifier, as the desk does. */
  announce(notifier: string, incident: Incident, kind?: Alert['kind'], changes?: Partial<Alert>): Promise<Notification>;
  pending(notifier: string): Promise<readonly Notification[]>;
  /** Moves the clock and lets the alerter see it. */
  pass(ms: number): void;
  close(): Promise<void>;
}

export interface Definition {
  readonly name: string;
  readonly type: string;
  readonly spec: Record<string, unknown>;
  readonly fallback?: string;
  readonly burst?: number;
  readonly timeoutMs?: number;
  readonly unset?: readonly string[];
}

export async function openHouse(extraTypes: NotifierTypes = {}): Promise<House> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-alerter-'));
  const clock = movableClock();
  const store = await openStore({ home, clock, log: quietLog });
  const types: NotifierTypes = { ...notifierTypes, ...extraTypes };
  const counted: { notifier: string; outcome: string }[] = [];
  const health: { notifier: string; healthy: boolean; error?: string }[] = [];
  const alerters: Alerter[] = [];
  let notifiers: ReadonlyMap<string, NotifierDefinition> = new Map();
  let events = 0;

  return {
    store,
    clock,
    counted,
    health,
    configure(definitions) {
      notifiers = new Map(definitions.map((definition) => [definition.name, definitionOf(definition, types)]));
    },
    start(changes = {}) {
      const alerter = createAlerter({
        store,
        notifierTypes: types,
        configuration: () => configurationOf(notifiers),
        clock,
        log: quietLog,
        meter: { notification: (notifier, outcome) => counted.push({ notifier, outcome }) } as Partial<Meter> as Meter,
        random: () => 0,
        onNotifierHealth: (notifier, healthy, error) =>
          health.push({ notifier, healthy, ...(error !== undefined && { error }) }),
        ...changes,
      });
      alerters.push(alerter);
      alerter.start();
      return alerter;
    },
    incident(changes = {}) {
      events += 1;
      const { id: _id, ...incident } = incidentOf({ subject: `probe-${events}`, title: `Probe ${events}`, ...changes });
      return store.insertIncident(incident);
    },
    async announce(notifier, incident, kind = 'opened', changes = {}) {
      events += 1;
      const now = clock.now();
      const alert = alertOf({ eventId: `event-${events}`, kind, at: now, incident, ...changes });
      const row = { notifier, incidentId: incident.id, alert, state: 'pending', tries: 0 } as const;
      const written = await store.insertNotification({ ...row, createdAt: now, dueAt: now });
      alerters.at(-1)?.wake();
      return written;
    },
    pending: (notifier) => store.pendingNotifications({ notifier, limit: 10_000 }),
    pass(ms) {
      clock.advance(ms);
      alerters.at(-1)?.wake();
    },
    async close() {
      await Promise.all(alerters.map((alerter) => alerter.stop()));
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function definitionOf(definition: Definition, types: NotifierTypes): NotifierDefinition {
  return {
    ...{ burst: 5, timeoutMs: 5_000, unset: [], location: { file: 'brainstem.yml', line: 1, column: 1 } },
    ...definition,
    spec: types[definition.type]?.spec.parse(definition.spec),
  };
}

/** The alerter reads the notifiers and the public URL of it, nothing else. */
function configurationOf(notifiers: ReadonlyMap<string, NotifierDefinition>): Configuration {
  return {
    notifiers,
    settings: { http: { publicUrl: 'http://127.0.0.1:9911' } },
  } as Partial<Configuration> as Configuration;
}
