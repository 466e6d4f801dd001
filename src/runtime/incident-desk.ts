/**
 * The one place that writes incidents. Every change is a transaction of state, transition, incident, timeline and outbox
 * rows; changes follow one another, so that none overwrites what another has just decided.
 */
import { incidentChange } from '../engine/incidents.ts';
import { failpoint } from '../failpoint.ts';
import type {
  AlertKind,
  Attempt,
  Incident,
  ProbeState,
  Resolution,
  Severity,
  StateName,
  TimelineEntry,
  Verdict,
} from '../model.ts';
import type { Clock, Meter, Store, StoreQueries } from '../ports.ts';
import type { Announcer } from './announcer.ts';
import type { LiveProbe } from './live-probe.ts';
import { createSerial } from './serial.ts';

export interface StateChange {
  readonly live: LiveProbe;
  readonly next: ProbeState;
  readonly from: StateName;
  readonly verdict: Verdict;
  /** The open incident of a dependency that is DOWN. */
  readonly root: Incident | undefined;
  readonly holdUntil: number | undefined;
}

/** What a change of the desk led to; the caller wakes whom it concerns. */
export interface Written {
  readonly incident?: Incident;
  readonly resolved: boolean;
  readonly healed?: Attempt;
}

export interface IncidentEdit {
  /** The incident as it shall be; undefined leaves everything as it is. */
  edit(current: Incident): Incident | undefined;
  readonly kind: string;
  readonly text: string;
  readonly actor?: string;
  readonly alert?: AlertKind;
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
  /** Writes a new state of a probe with all that follows from it. */
  change(change: StateChange): Promise<Written>;
  /** Edits an open incident; undefined when it is not open any more, or the edit declined. */
  edit(id: number, edit: IncidentEdit): Promise<Incident | undefined>;
  note(
    id: number,
    entry: { readonly kind: string; readonly text: string; readonly actor?: string },
    alert?: AlertKind,
  ): Promise<void>;
  close(id: number, resolution: Resolution, text: string, actor?: string): Promise<Incident | undefined>;
  /** Brainstem's own trouble: opened once per subject, closed when `trouble` is undefined. */
  self(subject: string, trouble: SelfTrouble | undefined): Promise<void>;
  remind(id: number, notifiers: ReadonlySet<string>): Promise<void>;
}

export interface DeskParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly meter: Meter;
  announcer(openIncidents: () => readonly Incident[]): Announcer;
  /** Called after a commit that may have written outbox rows. */
  onCommitted(): void;
}

export function createIncidentDesk({ store, clock, meter, announcer, onCommitted }: DeskParts): IncidentDesk {
  const open = new Map<number, Incident>();
  const serial = createSerial();
  const list = () => [...open.values()];
  const announce = announcer(list);

  function remember(incident: Incident): void {
    if (incident.resolvedAt === undefined) open.set(incident.id, incident);
    else open.delete(incident.id);
  }

  const find = (source: Incident['source'], subject: string) =>
    list().find((incident) => incident.source === source && incident.subject === subject);

  async function commit<T>(work: (queries: StoreQueries) => Promise<T>): Promise<T> {
    const result = await store.transaction(work);
    failpoint('transition_committed');
    onCommitted();
    return result;
  }

  function entry(incident: Incident, kind: string, text: string, actor = 'brainstem'): Omit<TimelineEntry, 'id'> {
    return { incidentId: incident.id, at: clock.now(), kind, text, actor };
  }

  async function write(queries: StoreQueries, change: StateChange): Promise<Written> {
    const { live, next, from, verdict, root, holdUntil } = change;
    const current = find('probe', next.probe);
    const verified = current && next.state !== 'down' ? await verifiedAttempt(queries, current) : undefined;
    const last = current ? undefined : await queries.lastIncident('probe', next.probe);
    const decided = incidentChange({
      probe: live.definition,
      to: next.state,
      reason: verdict.reason,
      summary: verdict.summary,
      now: next.since,
      open: current,
      last,
      root,
      holdUntil,
      healedBy: verified?.remediation,
    });
    await queries.saveProbeState(next);
    const id = current?.id ?? last?.id;
    const incident =
      decided &&
      (decided.action === 'insert' || id === undefined
        ? await queries.insertIncident(decided.incident)
        : await update(queries, { ...decided.incident, id }));
    await queries.insertTransition({
      probe: next.probe,
      from,
      to: next.state,
      at: next.since,
      reason: verdict.reason,
      summary: verdict.summary,
      ...(incident && { incidentId: incident.id }),
    });
    failpoint('transition_open');
    const healed = verified && (await endHealed(queries, verified));
    if (incident && decided) {
      await queries.addTimeline(entry(incident, decided.event, verdict.summary));
      if (decided.alert)
        await announce(queries, {
          kind: decided.alert,
          incident,
          ...(decided.event === 'lowered' && { note: `${incident.title} is better, but degraded: ${incident.cause}` }),
        });
    }
    return { ...(incident && { incident }), resolved: decided?.event === 'resolved', ...(healed && { healed }) };
  }

  async function update(queries: StoreQueries, incident: Incident): Promise<Incident> {
    await queries.updateIncident(incident);
    return incident;
  }

  /** An attempt that has settled is verified by the very change that takes its probe out of DOWN. */
  async function verifiedAttempt(queries: StoreQueries, incident: Incident): Promise<Attempt | undefined> {
    const [attempt] = await queries.attempts({ incidentId: incident.id, states: ['verifying'], limit: 1 });
    return attempt;
  }

  async function endHealed(queries: StoreQueries, attempt: Attempt): Promise<Attempt> {
    const healed: Attempt = { ...attempt, state: 'healed', endedAt: clock.now() };
    await queries.updateAttempt(healed);
    await queries.releaseLock(attempt.resource, attempt.fence);
    return healed;
  }

  function measure({ next, from, live }: StateChange, { incident, resolved }: Written): void {
    if (!incident) return;
    if (resolved) meter.timeToRecover((next.since - incident.activeAt) / 1_000, incident.healedBy ?? 'itself');
    else if (incident.activeAt === next.since) {
      meter.incidentOpened(incident);
      if (from === 'up' && live.firstFailureAt !== undefined)
        meter.timeToDetect((next.since - live.firstFailureAt) / 1_000);
    }
  }

  async function amend(id: number, { edit, kind, text, actor, alert }: IncidentEdit): Promise<Incident | undefined> {
    const current = open.get(id);
    const edited = current && edit(current);
    if (!edited) return undefined;
    await commit(async (queries) => {
      await queries.updateIncident(edited);
      await queries.addTimeline(entry(edited, kind, text, actor));
      if (alert) await announce(queries, { kind: alert, incident: edited, note: text });
    });
    remember(edited);
    return edited;
  }

  async function openSelf(subject: string, trouble: SelfTrouble): Promise<void> {
    const now = clock.now();
    const incident = await commit(async (queries) => {
      const opened = await queries.insertIncident({
        ...{ source: 'self' as const, subject, ...trouble, reason: 'internal' as const },
        ...{ openedAt: now, activeAt: now, paged: true, degraded: true, reopened: 0, exhausted: true },
      });
      await queries.addTimeline(entry(opened, 'opened', trouble.cause));
      await announce(queries, { kind: 'opened', incident: opened });
      return opened;
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

  return {
    async load() {
      for (const incident of await store.openIncidents()) remember(incident);
    },
    open: list,
    byId: (id) => open.get(id),
    ofProbe: (probe) => find('probe', probe),
    change: (change) =>
      serial(async () => {
        const written = await commit((queries) => write(queries, change));
        if (written.incident) remember(written.incident);
        measure(change, written);
        return written;
      }),
    edit: (id, edit) => serial(() => amend(id, edit)),
    note: (id, { kind, text, actor }, alert) =>
      serial(async () => {
        const incident = open.get(id) ?? (await store.incident(id));
        if (!incident) return;
        await commit(async (queries) => {
          await queries.addTimeline(entry(incident, kind, text, actor));
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
        if (incident) await commit((queries) => announce(queries, { kind: 'reminder', incident, only: notifiers }));
      }),
  };
}
