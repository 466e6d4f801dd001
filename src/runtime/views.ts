/**
 * What the server and the metrics read: answered from memory, without waiting.
 */
import type { Attempt, Configuration, Probe, Problem } from '../model.ts';
import type { Clock, ProbeView, Store, Views } from '../ports.ts';
import type { Alerter } from './alerter.ts';
import type { IncidentDesk } from './incident-desk.ts';
import type { LiveProbe } from './live-probe.ts';
import type { ProbeSet } from './probe-set.ts';
import type { ResultBuffer } from './result-buffer.ts';
import type { Scheduler } from './scheduler.ts';
import type { SelfWatch } from './self-watch.ts';
import type { Silences } from './silences.ts';
import type { Switches } from './switches.ts';

export interface ViewsParts {
  readonly clock: Clock;
  readonly probes: ProbeSet;
  readonly desk: IncidentDesk;
  readonly silences: Silences;
  readonly switches: Switches;
  readonly scheduler: Scheduler;
  readonly alerter: Alerter;
  readonly results: ResultBuffer;
  readonly store: Store;
  readonly selfWatch: SelfWatch;
  configuration(): Configuration;
  memoryBytes(): number;
  blindSince(): number | undefined;
  storeUp(): boolean;
  readiness(): { readonly ready: boolean; readonly why: string };
}

const REFRESH_MS = 1_000;
const UNDER_WAY = ['intended', 'running', 'settling', 'verifying'] as const;
/** A calendar schedule is late when its planned run is this much overdue. */
const CRON_LATE_MS = 60_000;

/** `refresh` keeps the copy of the attempts under way up to date until it is stopped. */
export function createViews(parts: ViewsParts): { views: Views; refresh(): { stop(): void } } {
  const { clock, probes, desk, silences, switches, scheduler, alerter, results, store, selfWatch, configuration } =
    parts;
  let active: readonly Attempt[] = [];

  async function look(): Promise<void> {
    try {
      active = await store.attempts({ states: UNDER_WAY, limit: 100 });
    } catch {
      // That the store is away is told by its watch; what was under way is shown as it was.
    }
  }

  function view(live: LiveProbe): ProbeView {
    const { definition, state, last, endedAt } = live;
    const nextRunAt = scheduler.nextRunAt(definition.name);
    return {
      probe: definition,
      state,
      ...(last && { last }),
      ...(nextRunAt !== undefined && { nextRunAt }),
      stale:
        endedAt !== undefined &&
        isStale(definition, clock.monotonic() - endedAt, nextRunAt === undefined ? undefined : clock.now() - nextRunAt),
    };
  }

  const views: Views = {
    configuration,
    reloadProblems: (): readonly Problem[] => selfWatch.problems(),
    probes: () => [...probes.all()].map(view),
    probe(name) {
      const live = probes.get(name);
      return live && view(live);
    },
    openIncidents: desk.open,
    silences: silences.current,
    silencedBy: (incident) => (incident.resolvedAt === undefined ? silences.of(incident) : undefined),
    activeAttempts: () => active,
    disarmed: switches.disarmed,
    frozen: switches.frozenNow,
    blindSince: parts.blindSince,
    queues: alerter.queues,
    readiness: parts.readiness,
    self() {
      const oldest = alerter.oldestPendingAt();
      return {
        memory_bytes: parts.memoryBytes(),
        loop_lag_ms: selfWatch.stalls.greatestLagMs(),
        store_up: parts.storeUp(),
        results_buffered: results.count(),
        notifications_pending: [...alerter.queues().values()].reduce((sum, count) => sum + count, 0),
        oldest_notification_s: oldest === undefined ? 0 : Math.max(0, (clock.now() - oldest) / 1_000),
        probes: configuration().probes.size,
        uptime_s: (clock.now() - selfWatch.startedAt) / 1_000,
        config_ok: selfWatch.problems().length === 0,
      };
    },
  };

  return {
    views,
    refresh() {
      const timer = setInterval(() => void look(), REFRESH_MS);
      timer.unref();
      return { stop: () => clearInterval(timer) };
    },
  };
}

/** A last result that is too old says nothing any more: a stuck scheduler must never look healthy. */
function isStale({ schedule, timeoutMs }: Probe, ageMs: number, overdueMs: number | undefined): boolean {
  if (schedule.kind === 'interval') return ageMs > 2 * schedule.everyMs + timeoutMs;
  return overdueMs !== undefined && overdueMs > timeoutMs + CRON_LATE_MS;
}
