/** What the API answers, as zod schemas: the source of the types, of the OpenAPI document and of the tests. */
import { z } from 'zod';
import {
  ALERT_KINDS,
  ATTEMPT_STATES,
  HEALING_MODES,
  INCIDENT_SOURCES,
  REASONS,
  REFUSALS,
  SEVERITIES,
  STATE_NAMES,
  VERDICT_KINDS,
} from '../model.ts';

const time = z.iso.datetime({ precision: 3 }).describe('UTC, with milliseconds');
const id = z.int().positive();

export const probeSummary = z.strictObject({
  name: z.string(),
  title: z.string(),
  type: z.string(),
  target: z.string(),
  group: z.string(),
  severity: z.enum(SEVERITIES),
  labels: z.record(z.string(), z.string()),
  state: z.enum(STATE_NAMES).describe('Debounced'),
  since: time,
  verdict: z.enum(VERDICT_KINDS).optional().describe('Of the last run'),
  reason: z.enum(REASONS).optional(),
  summary: z.string().optional().describe('One line: what the last run saw'),
  latency_ms: z.number().optional(),
  last_run_at: time.optional(),
  next_run_at: time.optional(),
  stale: z.boolean().describe('The last result is too old to be believed'),
  unset: z.array(z.string()).describe('Variables that are missing; not empty: unconfigured'),
  incident_id: id.optional().describe('Its open incident'),
  runbook: z.string().optional(),
});

export const probeDetail = probeSummary.extend({
  schedule: z.string(),
  every_ms: z.number().optional().describe('Absent: a cron expression says when'),
  retry_every_ms: z.number().optional().describe('While a change of state is unconfirmed. Absent: as its schedule'),
  timeout_ms: z.number(),
  fail_after: z.int(),
  recover_after: z.int(),
  expect: z.array(z.string()),
  warn: z.array(z.string()),
  depends_on: z.array(z.string()),
  remediate: z.array(z.strictObject({ when: z.string().optional(), try: z.array(z.string()) })),
  slo: z
    .strictObject({ objective: z.number().describe('Percentage of its runs that are to pass'), window_ms: z.number() })
    .optional(),
  fields: z.record(z.string(), z.unknown()).optional().describe('What the last run observed'),
  error: z.string().optional(),
  decided_by: z
    .array(z.strictObject({ condition: z.string(), outcome: z.enum(['true', 'false', 'no_data']), detail: z.string() }))
    .optional(),
  defined_at: z.string().describe('file:line:column'),
  revision: z.string(),
});

export const result = z.strictObject({
  at: time,
  latency_ms: z.number(),
  reason: z.enum(REASONS),
  verdict: z.enum(VERDICT_KINDS),
  error: z.boolean().describe('Counts in error_rate'),
  values: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
});

export const incident = z.strictObject({
  id,
  source: z.enum(INCIDENT_SOURCES),
  subject: z.string(),
  title: z.string(),
  severity: z.enum(SEVERITIES),
  reason: z.enum(REASONS),
  cause: z.string(),
  opened_at: time,
  active_at: time.describe('Open without a break since then'),
  resolved_at: time.optional(),
  resolution: z.enum(['recovered', 'definition_removed', 'by_hand']).optional(),
  parent_id: id.optional(),
  acknowledged_at: time.optional(),
  acknowledged_by: z.string().optional(),
  hold_until: time.optional().describe('The page is held until then, while a fix is tried'),
  paged: z.boolean(),
  degraded: z.boolean(),
  reopened: z.int(),
  healed_by: z.string().optional(),
  exhausted: z.boolean().describe('Nothing more is tried by itself'),
  silenced_by: id.optional().describe('The silence that keeps it from people now'),
  withheld: z
    .enum(ALERT_KINDS)
    .optional()
    .describe('What people are still owed; of a resolved one anything but `resolved` was never told'),
  withheld_by: z.enum(['silence', 'flapping']).optional(),
});

export const silence = z.strictObject({
  id,
  state: z.enum(['pending', 'active', 'expired']),
  matchers: z.array(z.string()).describe('All must hold'),
  starts_at: time,
  ends_at: time,
  author: z.string(),
  comment: z.string(),
  created_at: time,
  expired_at: time.optional().describe('Ended by a person before its time'),
  incidents: z.array(id).describe('Open ones that it keeps from people now'),
});

export const attempt = z.strictObject({
  id,
  incident_id: id.optional(),
  probe: z.string(),
  remediation: z.string(),
  type: z.string(),
  resource: z.string(),
  requested_by: z.string(),
  state: z.enum(ATTEMPT_STATES),
  refusal: z.enum(REFUSALS).optional(),
  intended_at: time,
  started_at: time.optional(),
  acted_at: time.optional(),
  ended_at: time.optional(),
  exit_code: z.int().optional(),
  output: z.string().optional(),
  error: z.string().optional(),
});

const timelineEntry = z.strictObject({ at: time, kind: z.string(), text: z.string(), actor: z.string() });

const notification = z.strictObject({
  id,
  notifier: z.string(),
  kind: z.enum(ALERT_KINDS),
  state: z.enum(['pending', 'sent', 'dropped']),
  event_id: z.string(),
  title: z.string(),
  created_at: time,
  due_at: time,
  tries: z.int(),
  last_error: z.string().optional(),
  sent_at: time.optional(),
  fallback_for: z.string().optional(),
  carried_by: id.optional(),
});

export const incidentDetail = incident.extend({
  timeline: z.array(timelineEntry),
  attempts: z.array(attempt),
  notifications: z.array(notification),
});

export const event = z.strictObject({
  at: time,
  kind: z.string().describe('`transition`, or the audited action'),
  subject: z.string(),
  text: z.string(),
  actor: z.string(),
  incident_id: id.optional(),
});

export const remediation = z.strictObject({
  name: z.string(),
  title: z.string(),
  type: z.string(),
  mode: z.enum(HEALING_MODES),
  resource: z.string().optional(),
  timeout_ms: z.number(),
  settle_ms: z.number(),
  verify_within_ms: z.number(),
  cooldown_ms: z.number(),
  limit: z.string(),
  idempotent: z.boolean(),
  disarmed: z.strictObject({ at: time, why: z.string() }).optional(),
  unset: z.array(z.string()),
  defined_at: z.string(),
});

export const freeze = z.strictObject({ at: time, by: z.string(), why: z.string() });

const problem = z.strictObject({ file: z.string(), line: z.int(), column: z.int(), message: z.string() });

export const configuration = z.strictObject({
  revision: z.string(),
  ok: z.boolean().describe('The last reload succeeded'),
  problems: z.array(problem).describe('Why the last reload was refused'),
  warnings: z.array(problem),
  probes: z.int(),
  remediations: z.int(),
  notifiers: z.int(),
  healing_mode: z.enum(HEALING_MODES),
});

export const status = z.strictObject({
  version: z.string(),
  now: time,
  ready: z.boolean(),
  why: z.string(),
  counts: z.record(z.enum(STATE_NAMES), z.int()),
  probes: z.array(probeSummary),
  incidents: z.array(incident).describe('Open ones'),
  silences: z.array(silence).describe('Those that last or are to come'),
  attempts: z.array(attempt).describe('Under way'),
  frozen: freeze.optional(),
  disarmed: z.array(z.strictObject({ remediation: z.string(), at: time, why: z.string() })),
  configuration,
});

export const self = z.strictObject({
  memory_bytes: z.number(),
  loop_lag_ms: z.number(),
  store_up: z.boolean(),
  results_buffered: z.number(),
  notifications_pending: z.number(),
  oldest_notification_s: z.number(),
  probes: z.number(),
  uptime_s: z.number(),
  config_ok: z.boolean(),
});

export const remediateOutcome = z.strictObject({
  plan: z.strictObject({
    go: z.boolean(),
    refusal: z.enum(REFUSALS).optional(),
    detail: z.string().optional(),
    retry_at: time.optional(),
  }),
  attempt: attempt.optional(),
  would: z.string().describe('What the action does, in words'),
});

/** RFC 9457. */
export const problemDetails = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  code: z.string().describe('Stable; switch on this one'),
  errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
});
