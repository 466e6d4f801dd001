/**
 * Sends the outbox of one notifier, one row at a time, so that order is kept and a slow channel delays itself alone.
 * The order is outbox-queue.ts, what a failure means outbox-failure.ts, what is written outbox-commit.ts.
 *
 * A row is marked sent only after the channel accepted it. When that mark cannot be written, it is tried again until it
 * can: the alert is not sent again for it. A crash between the two is the one way to a duplicate, which has the same
 * event id.
 */
import { failpoint } from '../failpoint.ts';
import type { Configuration, Notification, NotifierDefinition } from '../model.ts';
import type { Clock, Log, Meter, NotifierTypes, Store, StoreQueries } from '../ports.ts';
import { type Channel, createChannel } from './alerter-channel.ts';
import { type Delivery, deliver, type Failed } from './alerter-delivery.ts';
import { createHandOver, fallbackOf, type HandOver } from './alerter-fallback.ts';
import { Rest } from './alerter-rest.ts';
import { type Budget, createBudget, recentStarts } from './outbox-budget.ts';
import { dropStale, gatherDigest, markFailed, markSent } from './outbox-commit.ts';
import { backOff } from './outbox-failure.ts';
import { mayBeStale, withLateness } from './outbox-lateness.ts';
import { nextStep, type QueueFacts } from './outbox-queue.ts';
import { createRecurring, type Recurring } from './recurring.ts';

export interface SenderParts {
  readonly store: Store;
  readonly notifierTypes: NotifierTypes;
  configuration(): Configuration;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  random(): number;
  onNotifierHealth?(notifier: string, healthy: boolean, error?: string): void;
  /** Called when the outbox has changed. */
  onProgress(): void;
  /** Another notifier was given something to send. */
  onCopies(fallback: string): void;
}

/** Longest wait for a store that is away: it is used soon after it is back. */
const INSIST_MS = 15_000;
/** What nobody can take for so long is no news any more. */
const KEPT_MS = 7 * 86_400_000;
/** Incidents whose conversation is remembered without asking the store. */
const REMEMBERED_MAX = 5_000;

export class Sender {
  readonly #notifier: string;
  readonly #parts: SenderParts;
  readonly #log: Log;
  readonly #recurring: Recurring;
  readonly #rest = new Rest();
  readonly #stop = new AbortController();
  readonly #channel: Channel;
  readonly #handOver: HandOver;
  readonly #known = new Map<number, boolean>();
  #budget: Budget = createBudget();
  #idle: string | undefined;
  #stopping = false;
  #running: Promise<void> = Promise.resolve();

  constructor(notifier: string, parts: SenderParts) {
    this.#notifier = notifier;
    this.#parts = parts;
    this.#log = parts.log.child({ notifier });
    this.#recurring = createRecurring(this.#log);
    this.#handOver = createHandOver({ ...parts, log: this.#log });
    this.#channel = createChannel({
      random: parts.random,
      onHealth: (healthy, error) => {
        if (healthy) this.#log.info('notifier_works');
        else this.#log.warn('notifier_failing', { error });
        parts.onNotifierHealth?.(notifier, healthy, error);
      },
    });
  }

  start(): void {
    this.#running = this.#run();
  }

  wake(): void {
    this.#rest.wake();
  }

  /** The delivery under way may end by itself for `graceMs`, then it is aborted. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#rest.wake();
    const timer = setTimeout(() => this.#stop.abort(new DOMException('the daemon stops', 'AbortError')), graceMs);
    await this.#running;
    clearTimeout(timer);
  }

  async #run(): Promise<void> {
    const spent = await this.#insist('outbox_not_read', () => recentStarts(this.#parts, this.#notifier));
    this.#budget = createBudget(spent);
    while (!this.#stopping) {
      const waitMs = await this.#insist('outbox_pass_failed', () => this.#pass());
      if (waitMs !== undefined && waitMs > 0 && !this.#stopping) await this.#rest.take(waitMs);
    }
  }

  /** Does what can be done now; returns how long to rest. */
  async #pass(): Promise<number> {
    const { configuration, clock, store } = this.#parts;
    const { notifiers, settings } = configuration();
    const definition = notifiers.get(this.#notifier);
    if (!definition || definition.unset.length > 0) return this.#keep(definition);
    this.#idle = undefined;
    const monotonic = clock.monotonic();
    const healthMs = this.#channel.checkHealth(monotonic);
    if (this.#channel.isAway()) await this.#handOver.all(definition);
    const channelMs = this.#channel.waitMs(monotonic);
    if (channelMs > 0) return Math.min(channelMs, healthMs);
    const facts = this.#facts(definition);
    const step = await nextStep(store, facts);
    if (step.kind === 'wait') {
      await this.#handOver.some(definition, step.stuck);
      return Math.min(step.waitMs, healthMs);
    }
    if (step.kind === 'send') await this.#send(definition, step.row, step.starts);
    else await this.#gather(facts, settings.http.publicUrl);
    this.#parts.onProgress();
    return 0;
  }

  #facts({ burst }: NotifierDefinition): QueueFacts {
    const { clock } = this.#parts;
    return {
      ...{ notifier: this.#notifier, burst, budget: this.#budget },
      ...{ now: clock.now(), monotonic: clock.monotonic() },
      knows: (queries, incidentId) => this.#knows(queries, incidentId),
    };
  }

  async #knows(queries: StoreQueries, incidentId: number): Promise<boolean> {
    const remembered = this.#known.get(incidentId);
    if (remembered !== undefined) return remembered;
    const known = (await queries.conversation(this.#notifier, incidentId)) !== undefined;
    this.#remember(incidentId, known);
    return known;
  }

  #remember(incidentId: number, known: boolean): void {
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    this.#known.set(incidentId, known);
  }

  async #send(definition: NotifierDefinition, row: Notification, starts: boolean): Promise<void> {
    failpoint('before_send');
    const delivery = await this.#deliver(definition, row);
    if (delivery.kind === 'accepted') failpoint('after_send');
    if (delivery.kind === 'accepted') await this.#accepted(row, starts, delivery.conversation);
    if (delivery.kind === 'failed') await this.#failed(definition, row, delivery);
  }

  async #deliver(definition: NotifierDefinition, row: Notification): Promise<Delivery> {
    const { store, notifierTypes, clock } = this.#parts;
    const { incidentId, alert } = row;
    const type = notifierTypes[definition.type];
    if (!type) return { kind: 'failed', retry: false, timedOut: false, error: `no notifier type ${definition.type}` };
    const conversation = incidentId === undefined ? undefined : await store.conversation(this.#notifier, incidentId);
    const incident = incidentId === undefined || !mayBeStale(alert) ? undefined : await store.incident(incidentId);
    const input = { alert: withLateness(alert, incident, clock.now()), conversation };
    return deliver(type, definition, input, { clock, log: this.#log, signal: this.#stop.signal });
  }

  async #accepted(row: Notification, starts: boolean, conversation: unknown): Promise<void> {
    const { store, clock, meter } = this.#parts;
    const now = clock.now();
    if (starts || row.alert.kind === 'digest') this.#budget.spend(clock.monotonic());
    this.#channel.delivered();
    const carried = await this.#insist('notification_not_marked', () => markSent(store, row, conversation, now));
    if (row.incidentId !== undefined) this.#remember(row.incidentId, true);
    meter.notification(this.#notifier, 'delivered');
    const delayMs = now - row.alert.at;
    this.#log.info('notification_sent', { ...describe(row), tries: row.tries + 1, delay_ms: delayMs, carried });
  }

  async #failed(definition: NotifierDefinition, row: Notification, failed: Failed): Promise<void> {
    const { store, clock, meter, configuration, onCopies } = this.#parts;
    const tries = row.tries + 1;
    const plan = this.#channel.failed(failed, { id: row.id, tries }, clock.monotonic());
    const now = clock.now();
    const fallback = plan.handOver ? fallbackOf(definition, configuration()) : undefined;
    const { error } = failed;
    const mark = { error, dueAt: now + plan.alertWaitMs, now, ...(fallback !== undefined && { fallback }) };
    meter.notification(this.#notifier, 'retried');
    const retryInMs = Math.round(Math.max(plan.alertWaitMs, plan.channelWaitMs));
    this.#log.warn('notification_failed', { ...describe(row), tries, error, retry_in_ms: retryInMs });
    const copied = await this.#insist('notification_not_marked', () => markFailed(store, row, mark));
    if (!copied || fallback === undefined) return;
    this.#log.warn('notification_handed_over', { ...describe(row), fallback });
    onCopies(fallback);
  }

  async #gather(facts: QueueFacts, publicUrl: string): Promise<void> {
    const carried = await gatherDigest(this.#parts.store, facts, publicUrl);
    for (let count = 0; count < carried; count += 1) this.#parts.meter.notification(this.#notifier, 'digested');
    this.#log.info('notifications_digested', { count: carried });
  }

  /** Gone or unconfigured: its rows wait for it a week, and its fallback, if it is known, stands in. */
  async #keep(definition: NotifierDefinition | undefined): Promise<number> {
    const why = definition ? `not set: ${definition.unset.join(', ')}` : 'no such notifier';
    if (this.#idle !== why) this.#log.warn('notifier_unconfigured', { why });
    this.#idle = why;
    if (definition) await this.#handOver.all(definition);
    return this.#expire(why);
  }

  /** Returns how long until the next one has waited long enough. */
  async #expire(why: string): Promise<number> {
    const { store, clock, meter, onProgress } = this.#parts;
    const before = clock.now() - KEPT_MS;
    const [oldest] = await store.pendingNotifications({ notifier: this.#notifier, limit: 1 });
    if (!oldest) return Number.POSITIVE_INFINITY;
    if (oldest.createdAt >= before) return oldest.createdAt - before + 1;
    const count = await dropStale(store, this.#notifier, before, why);
    for (let dropped = 0; dropped < count; dropped += 1) meter.notification(this.#notifier, 'dropped');
    this.#log.warn('notifications_dropped', { count, why });
    onProgress();
    return 0;
  }

  /** Until it works, or the daemon stops: the store may be away for a while. */
  async #insist<T>(event: string, work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1; ; failures += 1) {
      try {
        const done = await work();
        this.#recurring.over();
        return done;
      } catch (error) {
        this.#recurring.failed(event, error);
      }
      if (this.#stopping) return undefined;
      await this.#rest.take(Math.min(backOff(failures, this.#parts.random()), INSIST_MS));
    }
  }
}

function describe({ alert, incidentId }: Notification): Record<string, unknown> {
  return { kind: alert.kind, event_id: alert.eventId, incident_id: incidentId };
}
