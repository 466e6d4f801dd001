/** What brainstem.yml, a probe file and a remediation file may hold, apart from the plug-ins' own keys. */
import { z } from 'zod';
import { HEALING_MODES, INCIDENT_SOURCES, SEVERITIES } from '../model.ts';
import { bytes, duration, rate, secret } from '../spec.ts';

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** What `brainstem_probe_info` and the exposition say of a probe themselves. */
const RESERVED_LABELS = new Set(['probe', 'instance', 'type', 'group', 'severity', 'state', 'reason', 'job', 'le']);
export const MAX_LABELS = 10;

const name = () =>
  z
    .string()
    .regex(NAME, 'must begin with a small letter or digit and hold only a-z, 0-9, ".", "_" and "-", at most 100')
    .describe('Small letters, digits, ".", "_" and "-"; at most 100');

const names = () => z.array(z.string().min(1));
const oneOrMore = <Item extends z.ZodType<string>>(item: Item) =>
  z.union([z.array(item), item]).transform((value): string[] => (Array.isArray(value) ? value : [value]));

/** Ten years: longer is a slip, and timers end well before. */
const LONGEST_MS = 10 * 365 * 86_400_000;
const atLeast = (leastMs: number, words: string) =>
  duration().refine((ms) => ms >= leastMs && ms <= LONGEST_MS, `must be at least ${words} and at most 10 years`);
const span = () => duration().refine((ms) => ms <= LONGEST_MS, 'must be at most 10 years');

/** A key of the design that this version does not have: an empty one is let pass, one that is used is an error. */
const later = () =>
  z
    .unknown()
    .refine(isUnused, 'is not supported by this version yet; remove it')
    .optional()
    .describe('Not supported by this version yet');

function isPostgresUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPostgres = url?.protocol === 'postgres:' || url?.protocol === 'postgresql:';
  return isPostgres && url.pathname.length > 1;
}

function isUnused(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);
}

const labels = () =>
  z
    .record(
      z
        .string()
        .regex(LABEL, 'must begin with a letter or "_" and hold only letters, digits and "_"')
        .refine((label) => !label.startsWith('__'), 'may not begin with "__"')
        .refine((label) => !RESERVED_LABELS.has(label), 'is a label that Brainstem sets itself'),
      z.string(),
    )
    .refine((record) => Object.keys(record).length <= MAX_LABELS, `may hold at most ${MAX_LABELS} labels`)
    .describe(`At most ${MAX_LABELS}, for joins in Prometheus`);

const DAY_MS = 86_400_000;

const slo = z
  .strictObject({
    objective: z
      .number()
      .refine(
        (percent) => percent >= 50 && percent < 100,
        'must be a percentage of at least 50 and below 100, such as 99.9',
      )
      .describe('Percentage of its runs that are to pass, such as 99.9'),
    window: duration()
      .refine((ms) => ms >= DAY_MS && ms <= 90 * DAY_MS, 'must be from 1d to 90d')
      .prefault('30d')
      .describe('Time over which that is counted'),
  })
  .describe(
    'What it is to keep: for rules in Prometheus, which has it as metrics. Error budgets are not counted here yet',
  );

const expressions = () => z.array(z.string()).describe('Conditions in CEL');
const threshold = () => z.number().int().min(1).max(1_000);

/** The keys that a probe and the `defaults` of its file share. */
const probeDefaults = {
  every: atLeast(100, '100ms').optional().describe('Interval: 500ms, 30s, 5m, 1h30m. Default 30s'),
  cron: z.string().optional().describe('Cron expression, instead of "every"'),
  timezone: z.string().optional().describe('Time zone of "cron", such as Europe/Berlin'),
  timeout: atLeast(1, '1ms').optional().describe('Deadline of one run. Default: the smaller of 10s and "every"'),
  retry_every: atLeast(100, '100ms').optional().describe('Interval while a change of state is unconfirmed'),
  fail_after: threshold().optional().describe('Consecutive failures before DOWN. Default 3'),
  recover_after: threshold().optional().describe('Consecutive passes before UP. Default 2'),
  severity: z.enum(SEVERITIES).optional().describe('Default warning'),
  group: z.string().min(1).max(100).optional().describe('Where it is shown. Default: the name of the file'),
  labels: labels().optional(),
  depends_on: names().optional().describe('Probes that are the root when they are down too'),
  notify: names().optional().describe('Notifiers, instead of the routes'),
  page_after: span().optional().describe('Hold the page this long while a fix is tried. Default 0'),
  relapse: span().optional().describe('A failure this soon after a recovery reopens the incident. Default 15m'),
  runbook: z.string().optional().describe('Where a person reads on'),
  slo: slo.optional(),
  paused: z.boolean().optional().describe('Listed, but not run'),
};

const rung = z.union([
  z.string(),
  z.strictObject({ name: z.string(), tries: z.number().int().min(1).max(100).default(1) }),
]);

const ladder = z.strictObject({
  when: z.string().optional().describe('Condition in CEL over what was observed; without it the ladder always applies'),
  try: z.array(rung).min(1).describe('Remediations in order: a name, or { name, tries }'),
  order: later(),
});

export const probeSchema = z.strictObject({
  name: name(),
  title: z.string().min(1).optional().describe('Default: the name'),
  ...probeDefaults,
  expect: expressions().optional().describe('Conditions in CEL; any false: down'),
  warn: expressions().optional().describe('Conditions in CEL; any false: degraded'),
  remediate: z.array(ladder).optional().describe('What heals it; the first ladder whose "when" holds applies'),
  export: names().optional().describe('Numeric fields to export as brainstem_probe_field'),
  each: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe('One probe an item, called NAME[ITEM]; {{item}} in any value stands for it'),
  drill: later(),
  vantage: later(),
});

export const probeDefaultsSchema = z.strictObject(probeDefaults);

export const remediationSchema = z.strictObject({
  name: name(),
  title: z.string().min(1).optional().describe('Default: the name'),
  resource: z.string().min(1).max(200).optional().describe('The lock. Default: derived from what it acts on'),
  timeout: atLeast(1, '1ms').prefault('60s').describe('Deadline of the act'),
  settle: span().prefault('0s').describe('Warm-up after the act: failures during it do not count'),
  verify_within: atLeast(1, '1ms').prefault('2m').describe('The probe must be UP by then'),
  cooldown: span().prefault('5m').describe('Pause between attempts'),
  limit: rate()
    .refine(({ count }) => count >= 1, 'must allow at least one')
    .prefault('3 in 1h')
    .describe('Then it stops, pages and waits to be re-armed'),
  mode: z.enum(HEALING_MODES).default('auto'),
  idempotent: z.boolean().default(false).describe('It may be run again when its outcome is unknown'),
  evidence: z
    .array(z.record(z.string(), z.unknown()))
    .optional()
    .describe('Actions that only read, run first and attached to the incident'),
  rollback: later(),
  drill: later(),
});

const match = z.strictObject({
  severity: oneOrMore(z.enum(SEVERITIES)).optional(),
  probe: oneOrMore(z.string()).optional(),
  group: oneOrMore(z.string()).optional(),
  source: oneOrMore(z.enum(INCIDENT_SOURCES)).optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

const route = z.strictObject({
  match: match.optional().describe('Without it the route takes every incident'),
  notify: names().min(1).describe('Names of notifiers'),
  repeat: atLeast(60_000, '1m').optional().describe('Remind this often while open and not acknowledged'),
  continue: z.boolean().default(false).describe('Look at the routes below too'),
});

export const notifierSchema = z.strictObject({
  fallback: z.string().optional().describe('Another notifier, which hears what this one could not deliver'),
  burst: z.number().int().min(1).max(1_000).default(5).describe('New conversations a minute before a digest'),
  timeout: atLeast(100, '100ms').prefault('10s').describe('Deadline of one delivery'),
});

const section = <Shape extends z.ZodRawShape>(shape: Shape) => z.strictObject(shape);

/** Both stand in the header of every message, between blanks. */
const word = (longest: number) =>
  z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'may hold only ASCII characters that are visible, and no blank')
    .max(longest, `may have at most ${longest} characters`);

const papertrail = z
  .strictObject({
    host: z.string().min(1).describe('Log destination: its host, such as logsN.papertrailapp.com'),
    port: z.number().int().min(1).max(65_535).describe('Log destination: its port'),
    protocol: z.enum(['udp', 'tcp', 'tls']).default('tls'),
    ca: z
      .string()
      .refine((text) => text.startsWith('/') || text.includes('-----BEGIN'), 'is neither PEM text nor an absolute path')
      .optional()
      .describe('Authorities to trust instead of the built-in ones: PEM text, or the absolute path of a PEM file'),
    program: word(48).default('brainstem').describe('What Papertrail shows as the program'),
    hostname: word(255).optional().describe('What Papertrail shows as the system. Default: the name of this machine'),
  })
  .refine(({ ca, protocol }) => ca === undefined || protocol === 'tls', 'ca has a meaning with protocol: tls alone')
  .describe('Where the log is shipped to as well. Off while a variable in it is not set');

export const brainstemSchema = z.strictObject({
  http: section({
    listen: z.string().default('127.0.0.1:9911').describe('Address and port'),
    public_url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where people reach it: the links of alerts'),
    token: secret().optional().describe('Bearer token; needed to listen elsewhere than on loopback'),
  }).prefault({}),
  store: section({
    url: secret()
      .refine(isPostgresUrl, 'must be a URL such as postgres://USER:PASSWORD@HOST:5432/DATABASE')
      .optional()
      .describe('PostgreSQL. Default: an SQLite file in data/'),
  }).prefault({}),
  log: section({
    level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    papertrail: papertrail.optional(),
  }).prefault({}),
  defaults: section({
    every: atLeast(100, '100ms').prefault('30s'),
    timeout: atLeast(1, '1ms').prefault('10s'),
    fail_after: threshold().default(3),
    recover_after: threshold().default(2),
  }).prefault({}),
  notifiers: z.record(name(), z.record(z.string(), z.unknown())).optional(),
  routes: z
    .array(route)
    .optional()
    .describe('First match wins, unless `continue`. Without routes every notifier hears all'),
  healing: section({
    mode: z.enum(HEALING_MODES).default('auto').describe('The ceiling over every remediation'),
    budget: rate().prefault('10 in 10m').describe('Acts of all remediations'),
    freeze_file: z.string().min(1).default('data/FREEZE').describe('While it exists nothing is healed'),
    storm: later(),
    vantage: names()
      .default([])
      .describe(
        'Probes that say whether we are the broken one: while all of them fail, nothing is judged over the network or healed',
      ),
  }).prefault({}),
  history: section({
    results: atLeast(3_600_000, '1h').prefault('7d'),
    max_bytes: bytes().prefault('2GiB'),
    rollups: later(),
  }).prefault({}),
  alerts: section({
    flapping: rate()
      .refine(({ count }) => count >= 2, 'must allow at least two: that it opened, and that it ended')
      .prefault('3 in 10m')
      .describe('How often people are told that one incident opens, ends, opens again …; then it waits'),
  }).prefault({}),
  watchdog: section({
    url: z
      .url({ protocol: /^https?$/ })
      .meta({
        writeOnly: true,
        description: 'Asked by GET; any 2xx is an answer. Treated as a secret: it carries a key',
      })
      .optional(),
    every: atLeast(1_000, '1s').prefault('1m').describe('How often, while scheduler, store and notifiers work'),
  })
    .optional()
    .describe('Who notices when Brainstem itself is gone: a check of Healthchecks, or anything like it'),
  cluster: z
    .boolean()
    .default(false)
    .describe('Several daemons on one PostgreSQL: one is the brain, the others stand by. Needs `store.url`'),
  vantage: later(),
});

export type ProbeKeys = z.output<typeof probeSchema>;
export type ProbeDefaultKeys = z.output<typeof probeDefaultsSchema>;
export type RemediationKeys = z.output<typeof remediationSchema>;
export type BrainstemKeys = z.output<typeof brainstemSchema>;
