/** Builders of definitions and states, and the views over them, for what reads the daemon through its ports. */
import type {
  Attempt,
  Configuration,
  Fields,
  Incident,
  NotifierDefinition,
  Probe,
  Problem,
  Reason,
  Remediation,
  Silence,
  StateName,
  VerdictKind,
} from '../../src/model.ts';
import type { Clock, Disarmed, Freeze, Log, ProbeView, Views } from '../../src/ports.ts';

export const NOW = Date.UTC(2026, 0, 15, 12, 0, 0);
const location = { file: 'probes/test.yaml', line: 1, column: 1 };

export const clock: Clock = { now: () => NOW, monotonic: () => performance.now() };

export interface Logged {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export function recordingLog(lines: Logged[] = []): Log {
  const write =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, event, fields });
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => recordingLog(lines),
  };
}

export function probe(name: string, given: Partial<Probe> = {}): Probe {
  return {
    name,
    title: name,
    type: 'http',
    spec: {},
    target: `http://127.0.0.1/${name}`,
    schedule: { kind: 'interval', everyMs: 30_000 },
    timeoutMs: 10_000,
    expect: [],
    warn: [],
    failAfter: 3,
    recoverAfter: 2,
    severity: 'warning',
    dependsOn: [],
    remediate: [],
    pageAfterMs: 0,
    relapseMs: 900_000,
    group: 'applications',
    labels: {},
    paused: false,
    exportFields: [],
    unset: [],
    revision: `${name}-1`,
    targetRevision: `${name}-t1`,
    location,
    ...given,
  };
}

export interface Seen {
  readonly state?: StateName;
  readonly since?: number;
  readonly verdict?: VerdictKind;
  readonly reason?: Reason;
  readonly summary?: string;
  readonly latencyMs?: number;
  readonly fields?: Fields;
  readonly stale?: boolean;
  /** False: it has not run yet. */
  readonly ran?: boolean;
}

export function view(definition: Probe, seen: Seen = {}): ProbeView {
  const { verdict = 'pass', reason = 'ok', summary = '', latencyMs = 12.5, fields = {}, stale = false } = seen;
  const observation = { probe: definition.name, startedAt: NOW - 5_000, latencyMs, reason, fields };
  return {
    probe: definition,
    state: {
      probe: definition.name,
      state: seen.state ?? 'up',
      since: seen.since ?? NOW - 3_600_000,
      streaks: { passing: 1, notFailing: 1, failing: 0, notPassing: 0, internal: 0 },
      targetRevision: definition.targetRevision,
    },
    ...(seen.ran === false
      ? {}
      : { last: { observation, verdict: { kind: verdict, reason, decidedBy: [], summary } } }),
    nextRunAt: NOW + 25_000,
    stale,
  };
}

export function remediation(name: string, given: Partial<Remediation> = {}): Remediation {
  return {
    name,
    title: `Fix with ${name}`,
    type: 'docker',
    spec: {},
    timeoutMs: 60_000,
    settleMs: 0,
    verifyWithinMs: 120_000,
    cooldownMs: 300_000,
    limit: { count: 3, windowMs: 3_600_000 },
    mode: 'auto',
    idempotent: true,
    evidence: [],
    unset: [],
    location,
    ...given,
  };
}

export function notifier(name: string): NotifierDefinition {
  return { name, type: 'slack', spec: {}, burst: 5, timeoutMs: 10_000, unset: [], location };
}

export function incident(id: number, subject: string, given: Partial<Incident> = {}): Incident {
  return {
    id,
    source: 'probe',
    subject,
    title: `${subject} is down`,
    severity: 'critical',
    reason: 'connect_refused',
    cause: 'connect ECONNREFUSED 127.0.0.1:80',
    openedAt: NOW - 600_000,
    activeAt: NOW - 600_000,
    paged: true,
    degraded: false,
    reopened: 0,
    exhausted: false,
    ...given,
  };
}

export function attempt(id: number, name: string, given: Partial<Attempt> = {}): Attempt {
  return {
    id,
    incidentId: 1,
    probe: 'web',
    remediation: name,
    type: 'docker',
    resource: 'container:web',
    requestedBy: 'healer',
    state: 'healed',
    intendedAt: NOW - 120_000,
    startedAt: NOW - 119_000,
    endedAt: NOW - 90_000,
    fence: id,
    ...given,
  };
}

export function silence(id: number, given: Partial<Silence> = {}): Silence {
  return {
    ...{ id, matchers: ['probe="web"'], startsAt: NOW - 60_000, endsAt: NOW + 3_600_000 },
    ...{ author: 'ann', comment: 'moving house', createdAt: NOW - 60_000 },
    ...given,
  };
}

export interface World {
  probes: ProbeView[];
  incidents: Incident[];
  attempts: Attempt[];
  silences: Silence[];
  disarmed: Disarmed[];
  frozen: Freeze | undefined;
  blindSince: number | undefined;
  problems: Problem[];
  remediations: Remediation[];
  notifiers: NotifierDefinition[];
  queues: Map<string, number>;
  ready: boolean;
  revision: string;
}

export function emptyWorld(given: Partial<World> = {}): World {
  return {
    probes: [],
    incidents: [],
    attempts: [],
    silences: [],
    disarmed: [],
    frozen: undefined,
    blindSince: undefined,
    problems: [],
    remediations: [],
    notifiers: [],
    queues: new Map(),
    ready: true,
    revision: 'r1',
    ...given,
  };
}

export function viewsOf(world: World): Views {
  return {
    configuration: () => configurationOf(world),
    reloadProblems: () => world.problems,
    probes: () => world.probes,
    probe: (name) => world.probes.find((candidate) => candidate.probe.name === name),
    openIncidents: () => world.incidents,
    silences: () => world.silences,
    silencedBy: ({ subject }) => world.silences.find(({ matchers }) => matchers.includes(`probe="${subject}"`)),
    activeAttempts: () => world.attempts,
    disarmed: () => world.disarmed,
    frozen: () => world.frozen,
    blindSince: () => world.blindSince,
    queues: () => world.queues,
    readiness: () => ({ ready: world.ready, why: world.ready ? 'ready' : 'the store is not open yet' }),
    self: () => ({
      memory_bytes: 80_000_000,
      loop_lag_ms: 3,
      store_up: true,
      results_buffered: 0,
      notifications_pending: 0,
      oldest_notification_s: 0,
      probes: world.probes.length,
      uptime_s: 61,
      config_ok: world.problems.length === 0,
    }),
  };
}

const byName = <Item extends { readonly name: string }>(items: readonly Item[]) =>
  new Map(items.map((item) => [item.name, item]));

function configurationOf(world: World): Configuration {
  return {
    settings: {
      home: '/home/test',
      http: { host: '127.0.0.1', port: 0, publicUrl: 'http://127.0.0.1:9911' },
      store: {},
      log: { level: 'info' },
      healing: {
        mode: 'auto',
        budget: { count: 10, windowMs: 600_000 },
        freezeFile: '/home/test/data/FREEZE',
        vantage: [],
      },
      alerts: { flapping: { count: 3, windowMs: 600_000 } },
      history: { resultsMs: 604_800_000, maxBytes: 2 ** 31 },
    },
    probes: byName(world.probes.map((each) => each.probe)),
    remediations: byName(world.remediations),
    notifiers: byName(world.notifiers),
    routes: [],
    secrets: [],
    warnings: [],
    revision: world.revision,
  };
}
