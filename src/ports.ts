/**
 * The seams between the rooms: what a plug-in is, and what runtime, server and command line expect of the store,
 * the metrics and each other. Types only; the implementations are wired together in app.ts.
 */
import type { z } from 'zod';
import type {
  Alert,
  Attempt,
  AttemptState,
  BlackboxModule,
  CheckCause,
  ConditionResult,
  Configuration,
  ExpectedVariable,
  FailingItem,
  FieldDeclarations,
  Fields,
  Heartbeat,
  Incident,
  Intervention,
  Notification,
  Observation,
  PingKind,
  Plan,
  Probe,
  ProbeModule,
  ProbeState,
  Problem,
  Reason,
  Refusal,
  Resource,
  Result,
  Show,
  Silence,
  StateName,
  TimelineEntry,
  Transition,
  UnknownCause,
  Verdict,
} from './model.ts';

// ── What everything is given ─────────────────────────────────────────────────────────────────────────────────────

export interface Clock {
  /** Wall clock, ms since the epoch. */
  now(): number;
  /** Never jumps; ms from an arbitrary origin. */
  monotonic(): number;
}

/** Structured log: an event name with fields. */
export interface Log {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Log;
}

/** What a plug-in may use of the world besides its own sockets and children. */
export interface Context {
  /** Aborts at the deadline and when the daemon stops. A run must end promptly after it. */
  readonly signal: AbortSignal;
  /** Milliseconds until `signal` aborts, as the run started. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The daemon's own variables, for `childEnvironment`, which passes on PATH, HOME, LANG, LC_ALL and TZ. Absent: none. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Decides a `condition()` of a spec over these values; it was type-checked when its file was read. */
export type EvaluateCondition = (
  source: string,
  fields: FieldDeclarations,
  values: Fields,
  /** What people may see of a text in `detail`. Default: all of it. */
  show?: Show,
) => ConditionResult & {
  /** Why something fails whose condition is false, by what the condition names. */
  readonly reason: Reason;
};

// ── Plug-ins ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** One shape for a probe type, an action type and a notifier. `run` never throws for what the outside world does. */
export interface Plugin<Spec extends z.ZodType, Input, Output> {
  /** The key in YAML: `http:`, `docker:`, `slack:`. */
  readonly name: string;
  /** One line, shown by `brainstem explain NAME`. */
  readonly summary: string;
  /** Validates, documents, and becomes JSON Schema. Secret strings are made with `secret()` of spec.ts. */
  readonly spec: Spec;
  /** The option that the reference lists first. */
  readonly mainOption: string;
  /** A complete, minimal YAML entry of a definition file. It is validated by a test and shown in the reference. */
  readonly example: string;
  run(spec: z.output<Spec>, input: Input, context: Context): Promise<Output>;
}

export interface ProbeInput {
  readonly probe: string;
  /** The top-level fields that the definition reads; others may be left out of what is observed. Absent: all are read. */
  readonly reads?: ReadonlySet<string>;
  /** Folder of the definition file: relative paths start here. Absent: the working directory. */
  readonly folder?: string;
  /** Where a type may keep files of its own, below the home; made by whoever needs it. Absent: nowhere. */
  readonly data?: string;
  /** The code that the definition names, for a type with a `moduleOption`. */
  readonly module?: ProbeModule;
  /** The manifest of the home, for a type with `readsManifest`. */
  readonly manifest?: readonly ExpectedVariable[];
  /** Absent: nobody decides conditions, and a type whose spec has some cannot run. */
  readonly evaluate?: EvaluateCondition;
  heartbeat(keyHash: string): Promise<HeardHeartbeat>;
  /** The state that another probe is in now; undefined: there is none of that name. Absent: no other probe runs here. */
  stateOf?(probe: string): MemberState | undefined;
}

/** `unjudged`: *unknown* because its runs have not said anything yet. */
export type MemberState = StateName | 'unjudged';

/** The stored heartbeat of a key's hash, and when pings could reach us. */
export interface HeardHeartbeat {
  readonly heartbeat: Heartbeat;
  /** Since when our listener hears pings. */
  readonly listeningSince: number;
  /** When an earlier listener last did. Deadlines that passed before were missed, not unheard. Absent: unknown. */
  readonly heardUntil?: number;
}

export interface ProbeOutput {
  readonly reason: Reason;
  readonly fields: Fields;
  readonly error?: string;
  /** What the run learnt that nobody may see, such as a token that it was given: conditions read it, people do not. */
  readonly hidden?: readonly string[];
  /** What was measured, when it is not the duration of `run` itself. */
  readonly latencyMs?: number;
  /** Wall clock at which this answer turns by the passing of time alone: asked again then, whatever the interval. */
  readonly turnsAt?: number;
  readonly intervention?: Intervention;
  /** Who would have told about the target did not, and `reason` says why: the target is *unknown*, neither fine nor failing. */
  readonly unknown?: Extract<UnknownCause, 'witness_away'>;
  /** Of a type that looks at several things at once: those that fail, the worst first. Each brings its own intervention. */
  readonly failing?: readonly FailingItem[];
}

/** One Prometheus family that a probe type contributes; the labels `probe` and `instance` are added by the exposition. */
export interface SeriesFamily {
  readonly name: string;
  readonly help: string;
  /** What one observation gives: a value, several with labels of their own, or nothing. */
  sample(fields: Fields, observation: Observation): number | undefined | readonly Sample[];
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Starts a probe at once because something happened to its target. */
export type Wake = (probe: string, why: string) => void;

export interface ProbeType<Spec extends z.ZodType = z.ZodType> extends Plugin<Spec, ProbeInput, ProbeOutput> {
  readonly fields: FieldDeclarations;
  readonly families: readonly SeriesFamily[];
  /** A condition that holds when no `expect` names this field. */
  readonly impliedExpect?: {
    readonly unlessNames: string;
    readonly source: string;
    /** False: the type sees to it by itself. Absent: true for every spec. */
    appliesTo?(spec: z.output<Spec>): boolean;
  };
  /** The same for `warn`. */
  readonly impliedWarn?: { readonly unlessNames: string; readonly source: string };
  /** Thresholds that replace the defaults of brainstem.yml; what a file or a probe writes wins. */
  readonly defaults?: { readonly failAfter?: number; readonly recoverAfter?: number };
  /** The option that names a module of the home. Its fields are those of the probe, and its code belongs to the revision. */
  readonly moduleOption?: string;
  /** It is about the manifest of the home, which belongs to the revision. */
  readonly readsManifest?: true;
  /** Other probes whose states this type reads: their names are checked, and it is asked again when one changes. */
  readonly members?: {
    /** The option that lists them. */
    readonly option: string;
    of(spec: z.output<Spec>): readonly string[];
    /** The spec with these names instead. */
    replace(spec: z.output<Spec>, names: readonly string[]): z.output<Spec>;
  };
  /** For a type whose key is taken for the common key `group` else: where the probe is shown. Absent, or undefined: as usual. */
  shownIn?(spec: z.output<Spec>): string | undefined;
  /** What is probed, without userinfo and query: the `instance` label. */
  target(spec: z.output<Spec>): string;
  /**
   * The host, name or address, that a run reaches over the network: a failure to may be ours. Absent, or undefined: it stays
   * on this machine (a process, a unix socket).
   */
  remote?(spec: z.output<Spec>): string | undefined;
  /** What a fix with `from: probe` acts on. Absent: this type observes nothing that can be acted on. */
  resource?(spec: z.output<Spec>, fields: Fields): Resource | undefined;
  /** The secret under which pings for this probe arrive. Only heartbeats have one. */
  pingKey?(spec: z.output<Spec>): string;
  /** Follows the targets of these probes until the signal aborts, and wakes a probe when one changes. Never throws. */
  watch?(
    probes: readonly { readonly probe: string; readonly spec: z.output<Spec> }[],
    wake: Wake,
    context: Context,
  ): void;
}

export interface ActionInput {
  readonly remediation: string;
  readonly attemptId: number;
  /** What the failing probe observed; what `from: probe` resolves to. */
  readonly resource?: Resource;
  /** Goes to scripts as JSON on standard input. */
  readonly incident?: Incident;
  readonly probe: Probe;
  readonly observation?: Observation;
  /** Folder of the definition file: relative paths start here. */
  readonly folder: string;
  /** Called with each child that is started, before it can do anything lasting. */
  onChild(child: { readonly pid: number; readonly startTicks: number }): Promise<void>;
  /** Adds a line to the incident's story; people who were paged hear it as progress. */
  tell(text: string): Promise<void>;
  readonly evaluate: EvaluateCondition;
}

export interface ActionOutput {
  /** The act itself was carried out. Only the probe decides whether it healed. */
  readonly done: boolean;
  readonly exitCode?: number;
  /** Head and tail, at most 64 KiB each. */
  readonly output?: string;
  readonly error?: string;
}

export interface ActionType<Spec extends z.ZodType = z.ZodType> extends Plugin<Spec, ActionInput, ActionOutput> {
  /** The lock: `container:web`. undefined: the target does not resolve to exactly one thing (`refused(target)`). */
  resource(spec: z.output<Spec>, remediation: string, observed: Resource | undefined): string | undefined;
  /** What it acts on besides: locked too, all or nothing. Absent: nothing. */
  alsoLocks?(spec: z.output<Spec>, remediation: string, observed: Resource | undefined): readonly string[];
  /** What it would do, in words for a person who is deciding. Names no secret. */
  would(spec: z.output<Spec>, observed: Resource | undefined): string;
  /** Its children wait at a gate until `onChild` has stored them: without a stored child it is proven that nothing ran. */
  readonly gated?: boolean;
  /**
   * A person's hand on what this would act on, where the probe that asks has not looked at it itself. Absent: there is
   * none to be seen. Never throws for what the outside world does.
   */
  intervention?(
    spec: z.output<Spec>,
    observed: Resource | undefined,
    context: Context,
  ): Promise<Intervention | undefined>;
  /** True when the spec only reads, so that it may serve as `evidence`. */
  readsOnly(spec: z.output<Spec>): boolean;
  /** True when the spec acts on what the probe observed. */
  fromProbe(spec: z.output<Spec>): boolean;
}

export interface NotifierInput {
  readonly alert: Alert;
  /** What this notifier returned for the incident's earlier alerts: a message id, a thread. */
  readonly conversation?: unknown;
}

export type NotifierOutput =
  | { readonly delivered: true; readonly conversation?: unknown }
  /** `retry: false`: trying again cannot work. `retryAfterMs`: the channel asked for this wait. */
  | { readonly delivered: false; readonly retry: boolean; readonly retryAfterMs?: number; readonly error: string };

export type NotifierType<Spec extends z.ZodType = z.ZodType> = Plugin<Spec, NotifierInput, NotifierOutput>;

export type ProbeTypes = Readonly<Record<string, ProbeType>>;
export type ActionTypes = Readonly<Record<string, ActionType>>;
export type NotifierTypes = Readonly<Record<string, NotifierType>>;

/** The literal maps of everything that definitions can name. */
export interface Registries {
  readonly probeTypes: ProbeTypes;
  readonly actionTypes: ActionTypes;
  readonly notifierTypes: NotifierTypes;
}

// ── Store ────────────────────────────────────────────────────────────────────────────────────────────────────────

type New<Row extends { readonly id: number }> = Omit<Row, 'id'>;

export interface Disarmed {
  readonly remediation: string;
  readonly at: number;
  readonly why: string;
}

export interface Freeze {
  readonly at: number;
  readonly by: string;
  readonly why: string;
}

export interface AuditEntry {
  readonly id: number;
  readonly at: number;
  readonly actor: string;
  /** `freeze`, `arm`, `attempt`, `acknowledge`, `reload` … */
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
}

export interface AttemptFilter {
  readonly incidentId?: number;
  readonly probe?: string;
  readonly remediation?: string;
  readonly resource?: string;
  /** Only attempts that reached `running` (their `startedAt` is set). */
  readonly started?: boolean;
  readonly states?: readonly AttemptState[];
  /** Compared with `startedAt` when `started` is true, else with `intendedAt`; inclusive. */
  readonly since?: number;
  readonly limit: number;
}

/** Every query, by concern. Newest first where a list has a limit, unless said otherwise. */
export interface StoreQueries {
  probeStates(): Promise<readonly ProbeState[]>;
  saveProbeState(state: ProbeState): Promise<void>;
  deleteProbeState(probe: string): Promise<void>;
  insertTransition(transition: New<Transition>): Promise<Transition>;
  transitions(filter: {
    readonly probe?: string;
    readonly since?: number;
    readonly limit: number;
  }): Promise<readonly Transition[]>;

  /** ConflictError when one is open for the same source and subject. */
  insertIncident(incident: New<Incident>): Promise<Incident>;
  updateIncident(incident: Incident): Promise<void>;
  incident(id: number): Promise<Incident | undefined>;
  openIncidents(): Promise<readonly Incident[]>;
  incidents(filter: {
    readonly open?: boolean;
    readonly subject?: string;
    readonly beforeId?: number;
    readonly limit: number;
  }): Promise<readonly Incident[]>;
  /** The newest one of a subject, open or not. */
  lastIncident(source: Incident['source'], subject: string): Promise<Incident | undefined>;
  /** Those that are over, of which people are owed that they are. */
  endsWithheld(): Promise<readonly Incident[]>;
  addTimeline(entry: New<TimelineEntry>): Promise<void>;
  /** Oldest first. */
  timeline(incidentId: number): Promise<readonly TimelineEntry[]>;

  insertAttempt(attempt: New<Attempt>): Promise<Attempt>;
  updateAttempt(attempt: Attempt): Promise<void>;
  attempt(id: number): Promise<Attempt | undefined>;
  attempts(filter: AttemptFilter): Promise<readonly Attempt[]>;
  countAttempts(filter: Omit<AttemptFilter, 'limit'>): Promise<number>;

  /** Takes a free or expired lock and returns its new fencing token; undefined when it is held. */
  acquireLock(resource: string, owner: string, now: number, expiresAt: number): Promise<number | undefined>;
  /** False: the lock was lost, and whoever held it must not act. */
  renewLock(resource: string, fence: number, expiresAt: number): Promise<boolean>;
  releaseLock(resource: string, fence: number): Promise<void>;

  disarmed(): Promise<readonly Disarmed[]>;
  disarm(entry: Disarmed): Promise<void>;
  /** False: it was armed. */
  arm(remediation: string): Promise<boolean>;
  frozen(): Promise<Freeze | undefined>;
  freeze(freeze: Freeze): Promise<void>;
  unfreeze(): Promise<boolean>;

  insertNotification(notification: New<Notification>): Promise<Notification>;
  updateNotification(notification: Notification): Promise<void>;
  /** Oldest first (lowest id); `afterId` is the last row of the page before. */
  pendingNotifications(filter: {
    readonly notifier?: string;
    readonly afterId?: number;
    readonly limit: number;
  }): Promise<readonly Notification[]>;
  countPending(): Promise<ReadonlyMap<string, number>>;
  notifications(filter: { readonly incidentId?: number; readonly limit: number }): Promise<readonly Notification[]>;
  conversation(notifier: string, incidentId: number): Promise<unknown>;
  saveConversation(notifier: string, incidentId: number, conversation: unknown): Promise<void>;

  /** The heartbeat of a key's hash; created with `now` when it was never seen. */
  heartbeat(keyHash: string, now: number): Promise<Heartbeat>;
  saveHeartbeat(heartbeat: Heartbeat): Promise<void>;

  addAudit(entry: New<AuditEntry>): Promise<void>;
  auditEntries(filter: { readonly limit: number }): Promise<readonly AuditEntry[]>;
  /** The newest entry of this action on this subject. */
  lastAudit(action: string, subject: string): Promise<AuditEntry | undefined>;

  insertSilence(silence: New<Silence>): Promise<Silence>;
  silence(id: number): Promise<Silence | undefined>;
  /** `endingAfter` leaves out those that were over by then, in time or by hand. */
  silences(filter: { readonly endingAfter?: number; readonly limit: number }): Promise<readonly Silence[]>;
  /** False: there is none, or it was over. */
  expireSilence(id: number, at: number): Promise<boolean>;

  /** Writes one small row; it rejects when the store takes no writes. */
  proveWrite(at: number): Promise<void>;
}

export interface Store extends StoreQueries {
  /** All or nothing; durable when it returns. */
  transaction<T>(work: (queries: StoreQueries) => Promise<T>): Promise<T>;
  addResults(results: readonly Result[]): Promise<void>;
  /** Oldest first, `from` inclusive, `to` exclusive, at most `limit` newest. */
  results(filter: {
    readonly probe: string;
    readonly from: number;
    readonly to: number;
    readonly limit: number;
  }): Promise<readonly Result[]>;
  /** The newest result time of every probe. */
  lastResultTimes(): Promise<ReadonlyMap<string, number>>;
  /** Drops whole days that are older than `resultsMs`, then the oldest ones until all fits `maxBytes`. */
  prune(
    keep: { readonly resultsMs: number; readonly maxBytes: number },
    now: number,
  ): Promise<{ readonly oldestAt?: number; readonly bytes: number }>;
  /**
   * The bytes of a backup file (gzip), made as they are taken, while everything else goes on: decisions as they are now, and
   * every result that is stored by now. ConflictError `backup_running`: one at a time.
   */
  backup(): AsyncIterable<Uint8Array>;
  /** Known without asking. False: another daemon of the cluster may be the brain by now, and nobody may act on what this store said. */
  isHeld(): boolean;
  close(): Promise<void>;
}

// ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the runtime tells the metrics. Each call is one event or one new value; all are cheap. */
export interface Meter {
  probeRun(probe: string, reason: Reason): void;
  scheduleDelay(seconds: number): void;
  probeOverrun(probe: string): void;
  incidentOpened(incident: Incident): void;
  timeToDetect(seconds: number): void;
  /** `healedBy` undefined: it ended without a fix. */
  timeToRecover(seconds: number, healedBy: string | undefined): void;
  attemptEnded(remediation: string, outcome: AttemptState, seconds: number): void;
  refused(remediation: string, refusal: Refusal): void;
  notification(notifier: string, outcome: 'delivered' | 'retried' | 'dropped' | 'digested'): void;
  reloaded(success: boolean, at: number): void;
  resultsBuffered(count: number): void;
  resultsDropped(count: number): void;
  /** How far back results reach (ms since the epoch; undefined: there are none), and what the store holds. */
  historyKept(oldestAt: number | undefined, bytes: number): void;
  storeUp(up: boolean): void;
  /** Lines of the log that could not be shipped. */
  logLinesDropped(count: number): void;
  blind(blind: boolean): void;
  brain(isBrain: boolean): void;
  loopLag(seconds: number): void;
  processPaused(seconds: number): void;
  /** `withheld`: it was due, but something of ours did not work. */
  watchdogPing(outcome: 'sent' | 'failed' | 'withheld'): void;
}

// ── Probes on demand ─────────────────────────────────────────────────────────────────────────────────────────────

/** `GET /probe`: one target, probed once, now, as a module of blackbox.yml says. It changes no state. */
export interface OnDemandRequest {
  readonly module: string;
  readonly target: string;
  /** The Host that is asked for, or the name that a certificate must have. */
  readonly hostname?: string;
  /** What whoever asks waits for. */
  readonly timeoutMs: number;
}

export interface OnDemandRun {
  readonly module: BlackboxModule;
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** All of it, name resolution included. */
  readonly durationMs: number;
  /** Of the check that failed first. */
  readonly failedBy?: CheckCause;
}

/** Errors: UsageError for an unknown module or a contradiction, RetryableError when too many run at once. */
export type RunOnDemand = (request: OnDemandRequest) => Promise<OnDemandRun>;

// ── What the server and the metrics read, and what people command ────────────────────────────────────────────────

export interface LastRun {
  readonly observation: Observation;
  readonly verdict: Verdict;
}

export interface ProbeView {
  readonly probe: Probe;
  readonly state: ProbeState;
  readonly last?: LastRun;
  readonly nextRunAt?: number;
  /** True when the last result is older than 2 × every + timeout: its series are absent. */
  readonly stale: boolean;
}

/** Answered from memory, without waiting. */
export interface Views {
  configuration(): Configuration;
  /** Why the last reload was refused; empty when it succeeded. */
  reloadProblems(): readonly Problem[];
  probes(): readonly ProbeView[];
  probe(name: string): ProbeView | undefined;
  openIncidents(): readonly Incident[];
  /** Those that last or are still to come, newest first. */
  silences(): readonly Silence[];
  /** The silence that keeps an open incident from people now. */
  silencedBy(incident: Incident): Silence | undefined;
  activeAttempts(): readonly Attempt[];
  disarmed(): readonly Disarmed[];
  frozen(): Freeze | undefined;
  /** Since when no vantage probe answers, ms since the epoch. */
  blindSince(): number | undefined;
  queues(): ReadonlyMap<string, number>;
  readiness(): { readonly ready: boolean; readonly why: string };
  self(): SelfReport;
}

/** The daemon about itself: what `probes/brainstem.yaml` watches. */
export interface SelfReport {
  readonly memory_bytes: number;
  /** Greatest lag of the event loop in the last minute. */
  readonly loop_lag_ms: number;
  readonly store_up: boolean;
  readonly results_buffered: number;
  readonly notifications_pending: number;
  readonly oldest_notification_s: number;
  readonly probes: number;
  readonly uptime_s: number;
  readonly config_ok: boolean;
}

export type ReloadOutcome =
  | { readonly ok: true; readonly changed: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface RemediateRequest {
  readonly remediation: string;
  readonly probe: string;
  readonly by: string;
  readonly dryRun: boolean;
}

export interface SilenceRequest {
  /** `probe=web`, `group=~"web-.*"`, `severity!=info`; all must hold. */
  readonly matchers: readonly string[];
  /** Absent: now. */
  readonly startsAt?: number;
  readonly endsAt: number;
  readonly author: string;
  readonly comment: string;
  /** For the audit log. */
  readonly by: string;
}

/** Everything that a person, or a job's ping, can change. Errors: NotFoundError, ConflictError, UsageError. */
export interface Commands {
  reload(by: string): Promise<ReloadOutcome>;
  freeze(by: string, why: string): Promise<Freeze>;
  /** False: the freeze file still holds everything back. */
  unfreeze(by: string): Promise<boolean>;
  arm(remediation: string, by: string): Promise<boolean>;
  /** Resolves when the attempt has ended, or at once with the plan of a dry run or a refusal. */
  remediate(
    request: RemediateRequest,
  ): Promise<{ readonly plan: Plan; readonly attempt?: Attempt; readonly would: string }>;
  acknowledge(incidentId: number, by: string): Promise<Incident>;
  /** ConflictError when the probe still fails and `force` is not set. */
  resolve(incidentId: number, by: string, force: boolean): Promise<Incident>;
  comment(incidentId: number, by: string, text: string): Promise<void>;
  silence(request: SilenceRequest): Promise<Silence>;
  /** Ends it now. ConflictError when it is over. */
  expireSilence(id: number, by: string): Promise<Silence>;
  /** False: no heartbeat probe has this key. */
  ping(
    key: string,
    ping: { readonly kind: PingKind; readonly exitCode?: number; readonly body?: string },
  ): Promise<boolean>;
}
