/**
 * The one place that writes incidents. Every change is a transaction of state, transition, incident, timeline and outbox
 * rows; changes follow one another, so that none overwrites what another has just decided.
 */
import { failpoint } from '../failpoint.ts';
import type { Alert, AlertKind, Incident, Resolution, Severity } from '../model.ts';
import type { Clock, Meter, Store, StoreQueries } from '../ports.ts';
import type { Announcer } from './announcer.ts';
import { createSerial } from './serial.ts';
import { createStateWriter, type StateChange, type Written } from './state-writer.ts';
import { timelineEntry } from './timeline-entry.ts';

export interface IncidentEdit {
  /** The incident as it shall be; undefined leaves everything as it is. */
  edit(current: Incident): Incident | undefined;
  readonly kind: string;
  readonly text: string;
  readonly actor?: string;
  /** What people hear, which may depend on the incident as it was just before. */
  readonly alert?: AlertKind | ((current: Incident) => AlertKind | undefined);
  /** What kept the alert back is over. */
  readonly afterWithheld?: Incident['withheldBy'];
}

/** A line of an incident's story. */
export interface Note {
  readonly kind: string;
  readonly text: string;
  readonly actor?: string;
  /** When it happened. Default: now. */
  readonly at?: number;
  /** What is written in the same transaction. False: nothing else is. */
  also?(queries: StoreQueries): Promise<boolean>;
}

export interface SelfTrouble {
  readonly title: string;
  readonly cause: string;
  readonly severity: Severity;
}

/** Trouble of our own that was over before it could be written down. */
export interface PastTrouble extends SelfTrouble {
  readonly from: number;
  readonly until: number;
  /** What notifiers took while nothing could be written. */
  readonly told: readonly Told[];
}

/** An alert that went out past the outbox. */
export interface Told {
  readonly notifier: string;
  readonly alert: Alert;
  readonly sentAt: number;
  readonly conversation?: unknown;
}

export interface IncidentDesk {
  /** Reads what is open; also when the store may know more, or less, than we do. */
  load(): Promise<void>;
  open(): readonly Incident[];
  byId(id: number): Incident | undefined;
  ofProbe(probe: string): Incident | undefined;
  /** Writes a new state of a probe with all that follows from it; undefined when it is not wanted any more. */
  change(change: StateChange): Promise<Written | undefined>;
  /** Resolves when every change that was asked for before has been written. */
  settled(): Promise<void>;
  /** Edits an open incident; undefined when it is not open any more, or the edit declined. */
  edit(id: number, edit: IncidentEdit): Promise<Incident | undefined>;
  note(id: number, entry: Note, alert?: AlertKind): Promise<void>;
  close(id: number, resolution: Resolution, text: string, actor?: string): Promise<Incident | undefined>;
  /** Brainstem's own trouble: opened once per subject, closed when `trouble` is undefined. */
  self(subject: string, trouble: SelfTrouble | undefined): Promise<void>;
  /** Those that are over, of which people are owed that they are. */
  endsWithheld(): readonly Incident[];
  /** Tells that it is over, if people are still owed that. */
  tellEnd(id: number): Promise<void>;
  /** Puts it on record as opened and resolved; who was told hears the end. Writing it again changes nothing. */
  past(subject: string, trouble: PastTrouble): Promise<void>;
  remind(id: number, notifiers: ReadonlySet<string>): Promise<void>;
}

export interface DeskParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly meter: Pick<Meter, 'incidentOpened' | 'timeToDetect' | 'timeToRecover'>;
  announcer(openIncidents: () => readonly Incident[]): Announcer;
  /** Called after a commit that may have written outbox rows. */
  onCommitted(): void;
}

/** Trouble of our own that comes back within this time goes on in the same conversation. */
const SELF_RELAPSE_MS = 15 * 60_000;

export function createIncidentDesk({ store, clock, meter, announcer, onCommitted }: DeskParts): IncidentDesk {
  const open = new Map<number, Incident>();
  /** The same by source and subject, of which at most one is open: asked for at every run of a probe. */
  const bySubject = new Map<string, Incident>();
  /** Over, and people are owed that. */
  const ends = new Map<number, Incident>();
  const serial = createSerial();
  const list = () => [...open.values()];
  const announce = announcer(list);
  const writeState = createStateWriter(announce);

  const find = (source: Incident['source'], subject: string) => bySubject.get(`${source} ${subject}`);

  function remember(incident: Incident): void {
    const { id, source, subject, resolvedAt, withheld } = incident;
    if (withheld === 'resolved') ends.set(id, incident);
    else ends.delete(id);
    if (resolvedAt === undefined) {
      open.set(id, incident);
      bySubject.set(`${source} ${subject}`, incident);
    } else {
      open.delete(id);
      // One that is over may be followed by another that is not.
      if (find(source, subject)?.id === id) bySubject.delete(`${source} ${subject}`);
    }
  }

  async function commit<T>(work: (queries: StoreQueries) => Promise<T>): Promise<T> {
    const result = await store.transaction(work);
    failpoint('transition_committed');
    onCommitted();
    return result;
  }

  function measure({ next, from, firstFailureAt }: StateChange, { incident, resolved }: Written): void {
    if (!incident) return;
    if (resolved) meter.timeToRecover((next.since - incident.activeAt) / 1_000, incident.healedBy);
    else if (incident.activeAt === next.since) {
      meter.incidentOpened(incident);
      if (from === 'up' && firstFailureAt !== undefined) meter.timeToDetect((next.since - firstFailureAt) / 1_000);
    }
  }

  async function amend(id: number, change: IncidentEdit): Promise<Incident | undefined> {
    const { edit, kind, text, actor, alert, afterWithheld } = change;
    const current = open.get(id);
    const edited = current && edit(current);
    if (!edited) return undefined;
    const kindOfAlert = typeof alert === 'function' ? alert(current) : alert;
    const written = await commit(async (queries) => {
      await queries.updateIncident(edited);
      await queries.addTimeline(timelineEntry(edited, clock.now(), kind, text, actor));
      if (!kindOfAlert) return edited;
      const told = { kind: kindOfAlert, incident: edited, note: text };
      return announce(queries, { ...told, ...(afterWithheld && { afterWithheld }) });
    });
    remember(written);
    return written;
  }

  /** A new incident of our own, or the last one again; its line of the story is written with it. */
  async function beginSelf(queries: StoreQueries, subject: string, trouble: SelfTrouble, at: number, paged: boolean) {
    const last = await queries.lastIncident('self', subject);
    const again = last?.resolvedAt !== undefined && at - last.resolvedAt <= SELF_RELAPSE_MS ? last : undefined;
    const { title, cause, severity } = trouble;
    const opening = {
      ...{ source: 'self' as const, subject, title, cause, severity, reason: 'internal' as const },
      ...{ openedAt: again?.openedAt ?? at, activeAt: at, paged, degraded: true },
      ...{ reopened: again ? again.reopened + 1 : 0, exhausted: true },
    };
    const incident = again ? { ...opening, id: again.id } : await queries.insertIncident(opening);
    if (again) await queries.updateIncident(incident);
    const kind: AlertKind = again ? 'reopened' : 'opened';
    await queries.addTimeline(timelineEntry(incident, at, kind, cause));
    return { incident, kind };
  }

  async function openSelf(subject: string, trouble: SelfTrouble): Promise<void> {
    const opened = await commit(async (queries) => {
      const { incident, kind } = await beginSelf(queries, subject, trouble, clock.now(), true);
      return announce(queries, { kind, incident });
    });
    remember(opened);
    meter.incidentOpened(opened);
  }

  async function past(subject: string, trouble: PastTrouble): Promise<void> {
    const { from, until, told } = trouble;
    const recorded = await commit(async (queries) => {
      if ((await queries.lastIncident('self', subject))?.activeAt === from) return undefined;
      const { incident: begun } = await beginSelf(queries, subject, trouble, from, told.length > 0);
      const incident: Incident = { ...begun, resolvedAt: until, resolution: 'recovered' };
      await queries.updateIncident(incident);
      await queries.addTimeline(timelineEntry(incident, until, 'resolved', `${incident.title}: over`));
      for (const each of told) await rememberTold(queries, incident, each);
      return told.length > 0 ? announce(queries, { kind: 'resolved', incident }) : incident;
    });
    if (!recorded) return;
    remember(recorded);
    meter.incidentOpened(recorded);
  }

  function close(id: number, resolution: Resolution, text: string, actor?: string): Promise<Incident | undefined> {
    const paged = open.get(id)?.paged === true;
    const kind: AlertKind = resolution === 'definition_removed' ? 'closed' : 'resolved';
    return amend(id, {
      edit: ({ holdUntil: _hold, parentId: _parent, ...rest }) => ({ ...rest, resolvedAt: clock.now(), resolution }),
      kind: 'resolved',
      text,
      ...(actor !== undefined && { actor }),
      ...(paged && { alert: kind }),
    });
  }

  async function tellEnd(id: number): Promise<void> {
    const current = ends.get(id);
    if (!current) return;
    const { withheld: _owed, withheldBy: _by, ...incident } = current;
    const told = await commit(async (queries) => {
      await queries.updateIncident(incident);
      return announce(queries, { kind: 'resolved', incident });
    });
    remember(told);
  }

  return {
    load: () =>
      serial(async () => {
        const stored = [...(await store.endsWithheld()), ...(await store.openIncidents())];
        for (const known of [open, bySubject, ends]) known.clear();
        for (const incident of stored) remember(incident);
      }),
    endsWithheld: () => [...ends.values()],
    tellEnd: (id) => serial(() => tellEnd(id)),
    open: list,
    byId: (id) => open.get(id),
    ofProbe: (probe) => find('probe', probe),
    change: (change) =>
      serial(async () => {
        if (!change.wanted()) return undefined;
        const written = await commit((queries) => writeState(queries, change, find('probe', change.next.probe)));
        if (written.incident) remember(written.incident);
        measure(change, written);
        return written;
      }),
    settled: () => serial(async () => undefined),
    edit: (id, edit) => serial(() => amend(id, edit)),
    note: (id, { kind, text, actor, at, also }, alert) =>
      serial(async () => {
        const incident = open.get(id) ?? (await store.incident(id));
        await commit(async (queries) => {
          const wanted = (await also?.(queries)) ?? true;
          if (!incident || !wanted) return;
          await queries.addTimeline(timelineEntry(incident, at ?? clock.now(), kind, text, actor));
          if (alert && incident.paged) await announce(queries, { kind: alert, incident, note: text });
        });
      }),
    close: (id, resolution, text, actor) => serial(() => close(id, resolution, text, actor)),
    self: (subject, trouble) =>
      serial(async () => {
        const current = find('self', subject);
        if (trouble && !current) await openSelf(subject, trouble);
        if (!trouble && current) await close(current.id, 'recovered', `${current.title}: over`);
      }),
    past: (subject, trouble) => serial(() => past(subject, trouble)),
    remind: (id, notifiers) =>
      serial(async () => {
        const incident = open.get(id);
        if (incident && incident.acknowledgedAt === undefined)
          await commit((queries) => announce(queries, { kind: 'reminder', incident, only: notifiers }));
      }),
  };
}

/** As if the outbox had sent it: it is on record who heard what, and the end goes on in the same conversation. */
async function rememberTold(queries: StoreQueries, { id }: Incident, told: Told): Promise<void> {
  const { notifier, alert, sentAt, conversation } = told;
  const at = { createdAt: sentAt, dueAt: sentAt, sentAt };
  await queries.insertNotification({ notifier, incidentId: id, alert, state: 'sent', tries: 1, ...at });
  await queries.saveConversation(notifier, id, conversation ?? {});
}
