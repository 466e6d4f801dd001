/**
 * Tells people that our own store is away, straight from memory: the outbox is in that store. One message, and updates while
 * what it names changes, at most one a minute; each notifier is tried until it has taken it, or the store is back.
 */
import { randomUUID } from 'node:crypto';
import { composeAlert } from '../engine/alert.ts';
import { route } from '../engine/route.ts';
import type { Alert, Configuration, Incident } from '../model.ts';
import type { Clock, Log, Meter, NotifierTypes } from '../ports.ts';
import { deliver } from './alerter-delivery.ts';
import { fallbackOf } from './alerter-fallback.ts';
import { Rest } from './alerter-rest.ts';
import type { IncidentDesk, SelfTrouble, Told } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import { backOff, MAX_BACK_OFF_MS } from './outbox-failure.ts';
import type { Outage } from './store-watch.ts';

export interface OutageTellerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Pick<Meter, 'notification'>;
  readonly notifierTypes: NotifierTypes;
  configuration(): Configuration;
  /** Titles of the probes that are DOWN and of which nobody has been told. */
  down(): readonly string[];
  redact(text: string): string;
  random(): number;
}

export interface OutageTeller {
  begin(outage: Outage): void;
  /** Says nothing more; resolves to what was said, when the deliveries under way have ended. */
  end(): Promise<{ readonly trouble: SelfTrouble; readonly told: readonly Told[] }>;
  /**
   * Before the daemon ends by itself: says at once what it is, and resolves when it is said or the time is over. Where another
   * one goes on in its place, only whoever heard of the outage hears it.
   */
  lastWords(withinMs: number): Promise<void>;
  /** Breaks off what is under way. */
  stop(): Promise<void>;
}

/** The incident's subject. */
export const STORE = 'store';
/** What ends sooner is recorded, and nobody is woken for it. */
const GRACE_MS = 2_000;
const EVERY_MS = 60_000;
/** Failures after which the fallback hears it too. */
const PATIENCE = 3;
const MEANWHILE = 'probes go on, but nothing is healed and no other alert can be sent';
/** Of names in the text; all of them stand in the facts. */
const NAMES_CHARS = 1_000;

interface Message {
  readonly eventId: string;
  readonly down: readonly string[];
  readonly trouble: SelfTrouble;
}

/** One outage, as far as people hear of it. */
interface Telling {
  outage: Outage;
  readonly told: Told[];
  readonly voices: Map<string, { readonly rest: Rest; readonly ended: Promise<void> }>;
  message: Message;
  over: boolean;
}

export function createOutageTeller(parts: OutageTellerParts): OutageTeller {
  const { clock, log, meter, notifierTypes, configuration, random } = parts;
  const stopping = new AbortController();
  let telling: Telling | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** Monotonic; one outage after the other does not make it more often. */
  let saidAt = Number.NEGATIVE_INFINITY;

  function begin(outage: Outage): void {
    telling ??= { outage, told: [], voices: new Map(), message: messageOf(outage), over: false };
    telling.outage = outage;
    if (!outage.forGood) schedule(telling, Math.max(GRACE_MS, saidAt + EVERY_MS - clock.monotonic()));
  }

  function schedule(current: Telling, dueMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (current.over) return;
      say(current);
      schedule(current, EVERY_MS);
    }, dueMs);
    timer.unref();
  }

  function say(current: Telling): void {
    const message = messageOf(current.outage);
    if (current.voices.size > 0 && isSame(message, current.message)) return;
    current.message = message;
    saidAt = clock.monotonic();
    const { routes, notifiers } = configuration();
    const incident = { source: 'self' as const, subject: STORE };
    const hearers = route({ incident, severity: message.trouble.severity, probe: undefined }, routes, notifiers);
    for (const { notifier } of hearers) addVoice(current, notifier);
    for (const { rest } of current.voices.values()) rest.wake();
  }

  function addVoice(current: Telling, notifier: string): void {
    if (current.voices.has(notifier)) return;
    const rest = new Rest();
    current.voices.set(notifier, { rest, ended: speak(current, notifier, rest) });
  }

  /** Until the outage is over: says what is to be said, again and again if it must. */
  async function speak(current: Telling, notifier: string, rest: Rest): Promise<void> {
    let conversation: unknown;
    let said: Message | undefined;
    for (let failures = 0; !current.over; ) {
      const { message } = current;
      if (message === said && current.outage.forGood) return;
      if (message === said) {
        await rest.take(EVERY_MS);
        continue;
      }
      const alert = compose(current.outage, message, said === undefined ? 'opened' : 'progress');
      const delivery = await send(notifier, alert, conversation);
      if (delivery.kind === 'stopped') return;
      if (delivery.kind === 'accepted') {
        [said, conversation, failures] = [message, delivery.conversation, 0];
        current.told.push({ notifier, alert, sentAt: clock.now(), conversation });
        meter.notification(notifier, 'delivered');
        log.info('store_outage_told', { notifier, event_id: alert.eventId });
        continue;
      }
      failures += 1;
      meter.notification(notifier, 'retried');
      log.warn('store_outage_not_told', { notifier, failures, error: delivery.error });
      if (failures >= PATIENCE || !delivery.retry) standIn(current, notifier);
      await rest.take(delivery.retry ? (delivery.retryAfterMs ?? backOff(failures, random())) : MAX_BACK_OFF_MS);
    }
  }

  function standIn(current: Telling, notifier: string): void {
    const definition = configuration().notifiers.get(notifier);
    const fallback = definition && fallbackOf(definition, configuration());
    if (fallback !== undefined) addVoice(current, fallback);
  }

  async function send(notifier: string, alert: Alert, conversation: unknown) {
    const definition = configuration().notifiers.get(notifier);
    const type = definition && notifierTypes[definition.type];
    if (!definition || !type)
      return { kind: 'failed', retry: false, timedOut: false, error: `no notifier is called ${notifier}` } as const;
    return deliver(type, definition, { alert, conversation }, { clock, log, signal: stopping.signal });
  }

  function messageOf({ error, forGood, superseded, stuck }: Outage): Message {
    const down = superseded ? [] : parts.down();
    const known = down.length === 0 ? 'nothing new is down' : `down: ${listed(down)}`;
    const what = forGood
      ? 'it is lost, and Brainstem ends so that its next start examines it'
      : `${stuck ? 'it cannot be used until somebody mends it' : 'it does not answer'}: ${MEANWHILE}`;
    const cause = parts.redact(superseded ? error : `${what} (${error}); ${known}`);
    return { eventId: randomUUID(), down, trouble: { title: 'Store', cause, severity: 'critical' } };
  }

  function compose({ since }: Outage, { eventId, down, trouble }: Message, kind: 'opened' | 'progress'): Alert {
    const { publicUrl } = configuration().settings.http;
    const incident: Incident = {
      // It gets its number when the store is back.
      ...{ id: 0, source: 'self', subject: STORE, ...trouble, reason: 'internal' },
      ...{ openedAt: since, activeAt: since, paged: true, degraded: true, reopened: 0, exhausted: true },
    };
    const now = clock.now();
    const facts = { eventId, kind, incident, probe: undefined, attempts: [], othersOpen: [], note: trouble.cause };
    const alert = composeAlert({ ...facts, now, publicUrl });
    const named = down.length === 0 ? [] : [{ label: 'Down', value: parts.redact(down.join(', ')) }];
    return {
      ...alert,
      facts: [...alert.facts.filter(({ label }) => label !== 'Note'), ...named],
      url: `${publicUrl}/`,
    };
  }

  async function silence(current: Telling): Promise<void> {
    clearTimeout(timer);
    current.over = true;
    for (const { rest } of current.voices.values()) rest.wake();
    await Promise.all([...current.voices.values()].map(({ ended }) => ended));
  }

  return {
    begin,
    async end() {
      const current = telling;
      telling = undefined;
      if (!current) throw new Error('an outage ended that had not begun');
      await silence(current);
      return { trouble: current.message.trouble, told: current.told };
    },
    async lastWords(withinMs) {
      if (!telling) return;
      if (telling.outage.superseded && telling.told.length === 0) return silence(telling);
      say(telling);
      const impatience = setTimeout(() => stopping.abort(), withinMs);
      await Promise.all([...telling.voices.values()].map(({ ended }) => ended));
      clearTimeout(impatience);
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      if (telling) await silence(telling);
    },
  };
}

/** Titles of what is DOWN and nobody has heard of: it is not on record, only degraded there, or its page is held. */
export function untold(probes: Iterable<LiveProbe>, desk: Pick<IncidentDesk, 'ofProbe'>): readonly string[] {
  const titles: string[] = [];
  for (const { definition, state } of probes) {
    const known = desk.ofProbe(definition.name);
    const told = known && !known.degraded && (known.paged || known.parentId !== undefined);
    if (state.state === 'down' && !told) titles.push(definition.title);
  }
  return titles;
}

function isSame(one: Message, other: Message): boolean {
  return one.trouble.cause === other.trouble.cause && one.down.join() === other.down.join();
}

/** As many as fit, and how many more there are. */
function listed(names: readonly string[]): string {
  let text = names[0] ?? '';
  let count = 1;
  for (const name of names.slice(1)) {
    if (text.length + name.length > NAMES_CHARS) break;
    text += `, ${name}`;
    count += 1;
  }
  return count === names.length ? text : `${text} and ${names.length - count} more`;
}
