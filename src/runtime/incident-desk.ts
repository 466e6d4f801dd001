/**
 * The one place that writes incidents. Every change is a transaction of state, transition, incident, timeline and outbox
 * rows; changes follow one another, so that none overwrites what another has just decided.
 */
import { failpoint } from '../failpoint.ts';
import type { AlertKind, Incident, Resolution, Severity } from '../model.ts';
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
  /** What is written in the same transaction. False: nothing else is. */
  also?(queries: StoreQueries): Promise<boolean>;
}

export interface SelfTrouble {
  readonly title: string;
  readonly cause: string;
  readonly severity: Severity;
}

export interface IncidentDesk {
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
  const writeState = createStateWriter({ clock, announce });

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

  function measure({ next, from, live }: StateChange, { incident, resolved }: Written): void {
    if (!incident) return;
    if (resolved) meter.timeToRecover((next.since - incident.activeAt) / 1_000, incident.healedBy);
    else if (incident.activeAt === next.since) {
      meter.incidentOpened(incident);
      if (from === 'up' && live.firstFailureAt !== undefined)
        meter.timeToDetect((next.since - live.firstFailureAt) / 1_000);
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

  async function openSelf(subject: string, trouble: SelfTrouble): Promise<void> {
    const now = clock.now();
    const incident = await commit(async (queries) => {
      const last = await queries.lastIncident('self', subject);
      const again = last?.resolvedAt !== undefined && now - last.resolvedAt <= SELF_RELAPSE_MS ? last : undefined;
      const opening = {
        ...{ source: 'self' as const, subject, ...trouble, reason: 'internal' as const },
        ...{ openedAt: again?.openedAt ?? now, activeAt: now, paged: true, degraded: true },
        ...{ reopened: again ? again.reopened + 1 : 0, exhausted: true },
      };
      const opened = again ? { ...opening, id: again.id } : await queries.insertIncident(opening);
      if (again) await queries.updateIncident(opened);
      const kind = again ? 'reopened' : 'opened';
      await queries.addTimeline(timelineEntry(opened, now, kind, trouble.cause));
      return announce(queries, { kind, incident: opened });
    });
    remember(incident);
    meter.incidentOpened(incident);
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
    async load() {
      for (const incident of await store.endsWithheld()) remember(incident);
      for (const incident of await store.openIncidents()) remember(incident);
    },
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
    note: (id, { kind, text, actor, also }, alert) =>
      serial(async () => {
        const incident = open.get(id) ?? (await store.incident(id));
        await commit(async (queries) => {
          const wanted = (await also?.(queries)) ?? true;
          if (!incident || !wanted) return;
          await queries.addTimeline(timelineEntry(incident, clock.now(), kind, text, actor));
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
    remind: (id, notifiers) =>
      serial(async () => {
        const incident = open.get(id);
        if (incident && incident.acknowledgedAt === undefined)
          await commit((queries) => announce(queries, { kind: 'reminder', incident, only: notifiers }));
      }),
  };
}
