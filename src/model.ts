/**
 * The vocabulary: every central type of Brainstem on one page, in the order in which data flows.
 *
 * Times named `…At` are integers, milliseconds since the epoch (wall clock); durations end in `Ms`.
 */

// ── Definitions ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Where something was written, for every message about it. `line` and `column` count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** `observe` does everything but the act; `approve` asks a person first. */
export const HEALING_MODES = ['off', 'observe', 'approve', 'auto'] as const;
export type HealingMode = (typeof HEALING_MODES)[number];

/** `count` events within `windowMs`, written `3 in 1h`. */
export interface RateLimit {
  readonly count: number;
  readonly windowMs: number;
}

export type Schedule =
  | { readonly kind: 'interval'; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly expression: string; readonly timezone?: string };

/** What is watched: one entry of a file under `probes/`. A probe is its name. */
export interface Probe {
  readonly name: string;
  readonly title: string;
  /** Key of the probe type, and the spec that this type validated. */
  readonly type: string;
  readonly spec: unknown;
  /** What is probed, without userinfo and query: the `instance` label. */
  readonly target: string;
  readonly schedule: Schedule;
  readonly timeoutMs: number;
  /** Interval while a change of state is unconfirmed. Default: the schedule's own. */
  readonly retryEveryMs?: number;
  readonly expect: readonly Condition[];
  readonly warn: readonly Condition[];
  readonly failAfter: number;
  readonly recoverAfter: number;
  readonly severity: Severity;
  readonly dependsOn: readonly string[];
  readonly remediate: readonly Ladder[];
  readonly pageAfterMs: number;
  readonly relapseMs: number;
  readonly group: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Replaces routing when present. */
  readonly notify?: readonly string[];
  readonly runbook?: string;
  readonly paused: boolean;
  /** Numeric fields to export as `brainstem_probe_field`. */
  readonly exportFields: readonly string[];
  /** Names of unset variables; not empty means *unconfigured*: listed, not run, not failing. */
  readonly unset: readonly string[];
  /** Hash of everything above; `targetRevision` covers type and spec alone (a change of it clears window and streak). */
  readonly revision: string;
  readonly targetRevision: string;
  readonly location: SourceLocation;
  /** The code of a probe type that runs some. */
  readonly module?: ProbeModule;
  /** The home's manifest, for a probe type that reads it. */
  readonly manifest?: readonly ExpectedVariable[];
}

/** One variable of a home's manifest, as it stood when the configuration was read. Its value is not in here. */
export interface ExpectedVariable {
  readonly name: string;
  readonly owner?: string;
  readonly neededBy: readonly string[];
  /** How to renew it, in words or as a place to read on. */
  readonly rotate?: string;
  /** Not set is *missing* then; else it may be left out. */
  readonly required: boolean;
  readonly state: 'set' | 'missing' | 'invalid';
}

/** A module of the home, as it was when the configuration was read. */
export interface ProbeModule {
  /** Absolute folder of the home, and the file relative to it. */
  readonly home: string;
  readonly file: string;
  /** Where its `run` stands. */
  readonly runAt: SourceLocation;
  /** What it declares, and `*` for all else that it may return. */
  readonly fields: FieldDeclarations;
  /** Compiled code by absolute path, of the module and of what it imports: this runs, whatever is saved meanwhile. */
  readonly code: ReadonlyMap<string, string>;
  /** Hash of its code. */
  readonly revision: string;
}

/** `when:` a condition over the observation, `try:` these rungs in order. The first ladder whose `when` holds applies. */
export interface Ladder {
  readonly when?: Condition;
  readonly rungs: readonly Rung[];
}

export interface Rung {
  readonly remediation: string;
  /** How often this rung may be tried within one incident. Default 1. */
  readonly tries: number;
}

/** How it is fixed: one entry of a file under `remediations/`. */
export interface Remediation {
  readonly name: string;
  readonly title: string;
  readonly type: string;
  readonly spec: unknown;
  /** The lock. Absent: derived by the action type from what it acts on. */
  readonly resource?: string;
  readonly timeoutMs: number;
  /** Warm-up after the act: failures during it do not count. */
  readonly settleMs: number;
  /** The probe must be UP this long after the act, at the latest. */
  readonly verifyWithinMs: number;
  readonly cooldownMs: number;
  readonly limit: RateLimit;
  readonly mode: HealingMode;
  readonly idempotent: boolean;
  /** Actions that only read, run first and attached to the incident. */
  readonly evidence: readonly ActionCall[];
  readonly unset: readonly string[];
  readonly location: SourceLocation;
}

export interface ActionCall {
  readonly type: string;
  readonly spec: unknown;
}

export interface NotifierDefinition {
  readonly name: string;
  readonly type: string;
  readonly spec: unknown;
  /** Another notifier that hears what this one could not deliver. */
  readonly fallback?: string;
  /** New conversations a minute before the rest is gathered in one digest. Default 5. */
  readonly burst: number;
  readonly timeoutMs: number;
  readonly unset: readonly string[];
  readonly location: SourceLocation;
}

/** First match wins, unless `continue`. An absent matcher matches everything. */
export interface Route {
  readonly match: {
    readonly severity?: readonly Severity[];
    readonly probe?: readonly string[];
    readonly group?: readonly string[];
    readonly source?: readonly IncidentSource[];
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly notify: readonly string[];
  /** Remind while open and not acknowledged. Absent: no reminders. */
  readonly repeatMs?: number;
  readonly continue: boolean;
}

export interface HealingSettings {
  readonly mode: HealingMode;
  readonly budget: RateLimit;
  /** Absolute path: while this file exists nothing is healed. */
  readonly freezeFile: string;
  /** Probes that say whether we are the broken one; empty: we are never in doubt. */
  readonly vantage: readonly string[];
}

export interface Settings {
  readonly home: string;
  readonly http: { readonly host: string; readonly port: number; readonly publicUrl: string; readonly token?: string };
  /** Absent: SQLite in `<home>/data`. */
  readonly store: { readonly url?: string };
  /** Several daemons share that PostgreSQL: one is the brain, the others stand by. */
  readonly cluster: boolean;
  readonly log: {
    readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
    /** Where lines are shipped to, besides standard output. Absent: nowhere. */
    readonly papertrail?: PapertrailSettings;
  };
  readonly healing: HealingSettings;
  readonly history: { readonly resultsMs: number; readonly maxBytes: number };
  /** `flapping`: how often people are told that one incident opens, ends, opens again …; more waits. */
  readonly alerts: { readonly flapping: RateLimit };
  /** Pinged only while we work. Absent: nobody would notice that we are gone. */
  readonly watchdog?: { readonly url: string; readonly everyMs: number };
}

/** Papertrail, or whatever takes syslog messages (RFC 5424). */
export interface PapertrailSettings {
  readonly host: string;
  readonly port: number;
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** Authorities to trust instead of the built-in ones: PEM text, or the absolute path of a PEM file. */
  readonly ca?: string;
  readonly program: string;
  /** Default: the name of this machine. */
  readonly hostname?: string;
}

/** What a false check of a module says about it: blackbox_exporter counts patterns and CEL apart. */
export type CheckCause = 'regex' | 'cel' | 'other';

/** A module of blackbox.yml: how a target is probed that is asked for at `/probe`. */
export interface BlackboxModule {
  readonly name: string;
  /** Key of the probe type. */
  readonly type: string;
  /** Absent: what Prometheus allows. */
  readonly timeoutMs?: number;
  /** All must hold; in the order in which the exporter looks. */
  readonly checks: readonly { readonly condition: Condition; readonly cause: CheckCause }[];
  /** The spec of the probe type for a target. Errors: UsageError when module and request contradict each other. */
  specFor(target: string, hostname: string | undefined): SpecForTarget;
  /** What the exporter would have counted, where that differs from what the type observes. */
  adjust(fields: Fields, reason: Reason): Fields;
  /** As it was written, for `debug=true`; secrets are redacted when it is shown. */
  readonly text: string;
  readonly location: SourceLocation;
}

/** `fault`: no probe can be made of this target; it failed. */
export type SpecForTarget = { readonly spec: unknown } | { readonly fault: string };

/** Everything that was loaded from a home, complete and valid; replaced as a whole at a reload. */
export interface Configuration {
  readonly settings: Settings;
  readonly probes: ReadonlyMap<string, Probe>;
  readonly remediations: ReadonlyMap<string, Remediation>;
  readonly notifiers: ReadonlyMap<string, NotifierDefinition>;
  readonly routes: readonly Route[];
  /** Of blackbox.yml, by name. Absent: none can be asked for. */
  readonly modules?: ReadonlyMap<string, BlackboxModule>;
  /** Values that must appear nowhere: filled secret fields, userinfo of URLs, files, heartbeat keys. */
  readonly secrets: readonly string[];
  readonly warnings: readonly Problem[];
  /** Hash over all of it. */
  readonly revision: string;
}

/** One thing that is wrong (or doubtful) in a file, phrased for the person who will mend it. */
export interface Problem {
  readonly location: SourceLocation;
  readonly message: string;
}

// ── Fields and conditions ────────────────────────────────────────────────────────────────────────────────────────

/** CEL types of observed fields. All numbers are `double`; `dyn` is only for what the target shapes (json, perfdata). */
export type FieldType = 'double' | 'string' | 'bool' | 'list' | 'map' | 'dyn' | FieldDeclarations;

export interface FieldDeclaration {
  /** A nested table is a fixed structure, in which a misspelt key is a configuration error. */
  readonly type: FieldType;
  readonly unit?: string;
  /** One line, shown by `brainstem explain`. */
  readonly summary: string;
}

/** The name `*` stands for every field that is not declared. */
export interface FieldDeclarations {
  readonly [name: string]: FieldDeclaration;
}

/** What one run saw, by field name; nested where the declaration nests. Absent fields are bound as null. */
export type Fields = Readonly<Record<string, unknown>>;

export type ConditionOutcome = 'true' | 'false' | 'no_data';

export interface ConditionResult {
  readonly outcome: ConditionOutcome;
  /** The values that decided it, such as `status = 503`. */
  readonly detail: string;
}

/** A compiled CEL expression; type-checked when the file was read. Evaluation never throws and is bounded in time. */
export interface Condition {
  readonly source: string;
  readonly location: SourceLocation;
  /** Dotted paths of the fields it reads, such as `status` and `certificate.expires_in_days`. */
  readonly paths: readonly string[];
  readonly windows: readonly WindowUse[];
  /** `show` takes out of a text what people must not see in `detail`; it decides nothing. Default: all is shown. */
  evaluate(bindings: Bindings, window: WindowReader, show?: Show): ConditionResult;
}

/** What people may see of a text: secrets are redacted. */
export type Show = (text: string) => string;

/** Common fields plus those of the type. */
export interface Bindings {
  readonly ok: boolean;
  readonly reason: Reason;
  readonly latency_ms: number;
  readonly error: string | null;
  readonly [field: string]: unknown;
}

export const WINDOW_FUNCTIONS = ['avg', 'min', 'max', 'p50', 'p95', 'p99', 'rate', 'error_rate', 'count'] as const;
export type WindowFunction = (typeof WINDOW_FUNCTIONS)[number];

/** One use of a window function in a condition; `error_rate` has no field. */
export interface WindowUse {
  readonly function: WindowFunction;
  readonly field?: string;
  readonly spanMs: number;
}

export interface WindowReader {
  /** undefined: no opinion, less than half of the span is covered by data. */
  read(use: WindowUse): number | undefined;
}

// ── Observation and verdict ──────────────────────────────────────────────────────────────────────────────────────

/** One stable enum, used by the metric label, the page's text and the choice of fix. */
export const REASONS = [
  'ok',
  'dns',
  'connect_refused',
  'connect_timeout',
  'unreachable',
  'tls',
  'certificate_expired',
  'timeout',
  'http_status',
  'body',
  'condition',
  'auth',
  'protocol',
  'not_found',
  'stopped',
  'unhealthy',
  'exit_code',
  'missed_heartbeat',
  'saturated',
  'internal',
] as const;
export type Reason = (typeof REASONS)[number];

/**
 * Why a run says nothing about its target. `internal` is a bug in the probe; `witness_away`: who would have told about the
 * target (the provider of a credential, the members of a group) did not; the others are our own trouble.
 */
export type UnknownCause = 'internal' | 'witness_away' | 'paused_process' | 'blind' | 'suspect';

/** What one run of a probe saw. A target that is down is an observation, never an exception. */
export interface Observation {
  readonly probe: string;
  readonly startedAt: number;
  readonly latencyMs: number;
  readonly reason: Reason;
  readonly fields: Fields;
  /** Redacted, at most 1 KiB. */
  readonly error?: string;
  /** Values of this run alone that stand in `fields` and in nothing that is shown or stored. */
  readonly hidden?: readonly string[];
  readonly unknown?: UnknownCause;
  /** Wall clock at which it turns by the passing of time alone. */
  readonly turnsAt?: number;
  /** What the probe saw a person do to the target. */
  readonly intervention?: Intervention;
  /** Of a probe that looks at several things at once: those that fail, the worst first. Absent: it looks at one. */
  readonly failing?: readonly FailingItem[];
}

/** One of several things that a probe looks at: fixes act on one at a time. */
export interface FailingItem {
  readonly item: string;
  /** What a fix acts on. Absent: nothing can be. */
  readonly resource?: Resource;
  readonly intervention?: Intervention;
}

/** A person's hand on the target: healing stands off. `certain: false`: it cannot be told apart from a failure. */
export interface Intervention {
  readonly certain: boolean;
  readonly at: number;
  /** Such as `docker stop of web`. */
  readonly what: string;
}

export const VERDICT_KINDS = ['pass', 'warn', 'fail', 'unknown'] as const;
export type VerdictKind = (typeof VERDICT_KINDS)[number];

export interface Verdict {
  readonly kind: VerdictKind;
  /** `ok` for pass; for warn and fail why. */
  readonly reason: Reason;
  /** The conditions that decided it, first false one first. */
  readonly decidedBy: readonly { readonly source: string; readonly result: ConditionResult }[];
  readonly unknown?: UnknownCause;
  /** One line for people: the error, or the first false condition with its values. */
  readonly summary: string;
}

// ── State ────────────────────────────────────────────────────────────────────────────────────────────────────────

export const STATE_NAMES = ['up', 'degraded', 'down', 'unknown', 'paused', 'maintenance', 'unconfigured'] as const;
export type StateName = (typeof STATE_NAMES)[number];

/** The debounced state and the streaks that will change it. */
export interface ProbeState {
  readonly probe: string;
  readonly state: StateName;
  readonly since: number;
  /** Consecutive runs, counted by what they exclude: `notPassing` is warn or fail, `notFailing` pass or warn. */
  readonly streaks: {
    readonly passing: number;
    readonly notFailing: number;
    readonly failing: number;
    readonly notPassing: number;
    readonly internal: number;
  };
  readonly targetRevision: string;
}

/** One row per change of the debounced state, written in the transaction of the state it came from. */
export interface Transition {
  readonly id: number;
  readonly probe: string;
  readonly from: StateName;
  readonly to: StateName;
  readonly at: number;
  readonly reason: Reason;
  readonly summary: string;
  readonly incidentId?: number;
}

/** One stored run; `values` holds only the scalars that a condition of this revision names. */
export interface Result {
  readonly probe: string;
  readonly at: number;
  readonly latencyMs: number;
  readonly reason: Reason;
  readonly verdict: VerdictKind;
  readonly revision: string;
  /** True when a windowless `expect` was false or the exchange failed: what `error_rate` counts. */
  readonly error: boolean;
  readonly values: Readonly<Record<string, number | string | boolean>>;
}

// ── Incidents ────────────────────────────────────────────────────────────────────────────────────────────────────

export const INCIDENT_SOURCES = ['probe', 'alertmanager', 'self'] as const;
export type IncidentSource = (typeof INCIDENT_SOURCES)[number];
export type Resolution = 'recovered' | 'definition_removed' | 'by_hand';

/** At most one is open per (source, subject). */
export interface Incident {
  readonly id: number;
  readonly source: IncidentSource;
  /** Probe name, alert fingerprint, or name of the self-check. */
  readonly subject: string;
  readonly title: string;
  readonly severity: Severity;
  readonly reason: Reason;
  /** One line: what was seen when it opened or last changed. */
  readonly cause: string;
  readonly openedAt: number;
  /** Since when it is open without a break: the opening or the latest reopening. */
  readonly activeAt: number;
  readonly resolvedAt?: number;
  readonly resolution?: Resolution;
  /** The incident of the dependency that is the root. */
  readonly parentId?: number;
  readonly acknowledgedAt?: number;
  readonly acknowledgedBy?: string;
  /** The page is held until then, while a fix is tried. Absent: released, or never held. */
  readonly holdUntil?: number;
  /** Somebody was told about it: a resolved message is owed. */
  readonly paged: boolean;
  /** Only degraded so far; raised when the probe goes DOWN. */
  readonly degraded: boolean;
  readonly reopened: number;
  /** The remediation whose attempt was verified. */
  readonly healedBy?: string;
  /** The ladder has no rung left, or healing was refused for good: nothing more is tried by itself. */
  readonly exhausted: boolean;
  /**
   * The alert that people are still owed: told when what keeps it back is over. On a resolved incident anything but
   * `resolved` was never told.
   */
  readonly withheld?: AlertKind;
  /** What keeps it back. `flapping`: it opens and ends more often than people are told. */
  readonly withheldBy?: 'silence' | 'flapping';
}

/** One line of an incident's story. */
export interface TimelineEntry {
  readonly id: number;
  readonly incidentId: number;
  readonly at: number;
  /** Event name: `opened`, `attempt_started`, `refused`, `acknowledged`, `comment`, `evidence` … */
  readonly kind: string;
  readonly text: string;
  /** Who did it: `brainstem`, or a person's name. */
  readonly actor: string;
}

// ── Healing ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Each arrow of an attempt's life is a committed row before the next thing happens. */
export const ATTEMPT_STATES = [
  'intended',
  'running',
  'settling',
  'verifying',
  'healed',
  'failed',
  'unknown',
  'refused',
] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

/** The named no of a plan. */
export const REFUSALS = [
  'off',
  'observe',
  'awaiting_approval',
  'frozen',
  'disarmed',
  'cooldown',
  'limit',
  'budget',
  'locked',
  'acknowledged',
  'maintenance',
  'dependency_down',
  'not_confirmed',
  'recovered',
  'stopped_by_person',
  'target',
  'unconfigured',
  'store_away',
  'blind',
  'storm',
  'stopping',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** One run of a remediation. */
export interface Attempt {
  readonly id: number;
  readonly incidentId?: number;
  readonly probe: string;
  readonly remediation: string;
  readonly type: string;
  readonly resource: string;
  /** `healer`, or the person who asked. */
  readonly requestedBy: string;
  readonly state: AttemptState;
  readonly refusal?: Refusal;
  readonly intendedAt: number;
  readonly startedAt?: number;
  readonly actedAt?: number;
  readonly settleUntil?: number;
  readonly verifyUntil?: number;
  readonly endedAt?: number;
  readonly exitCode?: number;
  /** Head and tail of what the action printed, redacted. */
  readonly output?: string;
  readonly error?: string;
  /** Fencing token of the resource lock under which it ran. */
  readonly fence: number;
  /** Process id and start time of an action's child, to find an orphan after a crash. */
  readonly child?: { readonly pid: number; readonly startTicks: number };
}

/** What an action can act on, as a probe observed it. */
export interface Resource {
  /** `container`, `process`, `unit`, … */
  readonly kind: string;
  readonly name: string;
  /** Where it lives, such as the socket of its engine. */
  readonly at?: string;
}

/** May this remediation run now? */
export type Plan =
  | { readonly go: true }
  | {
      readonly go: false;
      readonly refusal: Refusal;
      readonly detail: string;
      /** When the answer may change by itself. Absent: not by time alone. */
      readonly retryAt?: number;
    };

// ── Alerting ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const ALERT_KINDS = [
  'opened',
  'reopened',
  'escalated',
  'progress',
  'reminder',
  'resolved',
  'healed_itself',
  'closed',
  'digest',
  'test',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** What a notifier renders: a snapshot taken when the event happened, so that a late delivery still tells the truth of its time. */
export interface Alert {
  /** The same for every delivery of this event, so that receivers can drop a duplicate. */
  readonly eventId: string;
  readonly kind: AlertKind;
  readonly at: number;
  readonly severity: Severity;
  readonly title: string;
  /** One line: what happened. */
  readonly text: string;
  /** Facts as label and value, in order of importance. */
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  /** Absent for digests and tests. */
  readonly incident?: Incident;
  /** Every incident that a digest names. */
  readonly digest?: readonly { readonly incidentId: number; readonly title: string; readonly kind: AlertKind }[];
  readonly url: string;
}

/** An outbox row: written with the state it came from, marked sent only after the channel accepted it. */
export interface Notification {
  readonly id: number;
  readonly notifier: string;
  readonly incidentId?: number;
  readonly alert: Alert;
  readonly state: 'pending' | 'sent' | 'dropped';
  readonly createdAt: number;
  readonly dueAt: number;
  readonly tries: number;
  readonly lastError?: string;
  readonly sentAt?: number;
  /** The notifier this one stands in for. */
  readonly fallbackFor?: string;
  /** Id of the digest row that names this one's incident: it is sent when that is. */
  readonly carriedBy?: number;
}

/** Keeps the alerts of matching incidents from people for a while. Incidents open and heal as ever. */
export interface Silence {
  readonly id: number;
  /** All must hold: `probe="web"`, `group=~"web-.*"`, `severity!="info"`. engine/silence.ts reads them. */
  readonly matchers: readonly string[];
  readonly startsAt: number;
  readonly endsAt: number;
  readonly author: string;
  readonly comment: string;
  readonly createdAt: number;
  /** Ended by a person before its time. */
  readonly expiredAt?: number;
}

// ── Heartbeats ───────────────────────────────────────────────────────────────────────────────────────────────────

export type PingKind = 'success' | 'start' | 'fail' | 'log';

/** What is known of a heartbeat's job. `key` is a secret: only its hash is stored. */
export interface Heartbeat {
  readonly keyHash: string;
  /** When its definition was first loaded: the first ping is due one period plus grace later. */
  readonly createdAt: number;
  readonly lastPingAt?: number;
  readonly lastKind?: PingKind;
  readonly lastStartAt?: number;
  readonly lastSuccessAt?: number;
  readonly durationMs?: number;
  readonly exitCode?: number;
  /** Tail of the last body, redacted. */
  readonly body?: string;
}
