/**
 * Probe type `heartbeat`: a job that reports to us, at `/ping/KEY`, as clients of Healthchecks do. Running the probe
 * compares what is stored with what the job promised.
 */
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { FieldDeclarations, Fields, Heartbeat } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { createCalendar } from '../shared/cron.ts';
import { hashKey } from '../shared/heartbeat-key.ts';
import { duration, secret } from '../spec.ts';
import { type HeartbeatPromise, judgeHeartbeat } from './heartbeat-deadline.ts';

const heartbeatSpec = z
  .strictObject({
    key: secret().describe('What identifies the pings: /ping/KEY. A secret: take it from a variable'),
    period: duration().optional().describe('How often the job reports a success'),
    cron: z.string().optional().describe('Instead of period: when the job runs, as a cron expression'),
    timezone: z.string().optional().describe("Time zone of cron, such as Europe/Berlin. Default: the machine's"),
    grace: duration().prefault('5m').describe('How late a ping may be. Default: 5m'),
    max_run: duration()
      .optional()
      .describe('How long a run may take after its /start. Default: until its ping is overdue'),
  })
  .superRefine((spec, context) => {
    for (const message of problems(spec)) context.addIssue({ code: 'custom', message });
  });
type HeartbeatSpec = z.output<typeof heartbeatSpec>;

const fields: FieldDeclarations = {
  last_ping_s: { type: 'double', unit: 's', summary: 'Age of the last ping; null when there was none' },
  duration_ms: { type: 'double', unit: 'ms', summary: 'How long the last run took that told its start' },
  exit_code: { type: 'double', summary: 'Exit code of the last run that told one' },
};

/** The calendar of a spec is made once; specs live as long as their configuration. */
export function createHeartbeatProbeType(): ProbeType<typeof heartbeatSpec> {
  const promises = new WeakMap<HeartbeatSpec, HeartbeatPromise>();

  function promiseOf(spec: HeartbeatSpec): HeartbeatPromise {
    const known = promises.get(spec) ?? createPromise(spec);
    promises.set(spec, known);
    return known;
  }

  async function run(spec: HeartbeatSpec, input: ProbeInput, { clock }: Context): Promise<ProbeOutput> {
    const heard = await input.heartbeat(hashKey(spec.key));
    const now = clock.now();
    return { ...judgeHeartbeat(heard, promiseOf(spec), now), fields: observe(heard.heartbeat, now) };
  }

  return {
    name: 'heartbeat',
    summary: 'A job that reports by pinging /ping/KEY',
    spec: heartbeatSpec,
    mainOption: 'key',
    example:
      'name: nightly-backup\nheartbeat: { key: "nightly-backup-key", cron: "0 3 * * *", grace: 30m, max_run: 2h }',
    fields,
    families: [],
    defaults: { failAfter: 1, recoverAfter: 1 },
    // The key is a secret, and nothing else says where the job runs.
    target: () => 'heartbeat',
    pingKey: (spec) => spec.key,
    run,
  };
}

function problems({ period, cron, timezone }: HeartbeatSpec): readonly string[] {
  if ((period === undefined) === (cron === undefined)) return ['wants either period or cron'];
  if (period === 0) return ['period must be more than 0'];
  if (cron === undefined) return timezone === undefined ? [] : ['timezone goes with cron, not with period'];
  try {
    createCalendar(cron, timezone);
    return [];
  } catch (thrown) {
    return [`cron or timezone is not valid: ${messageOf(thrown)}`];
  }
}

function createPromise({ period = 0, cron, timezone, grace, max_run }: HeartbeatSpec): HeartbeatPromise {
  const limit = max_run === undefined ? {} : { maxRunMs: max_run };
  if (cron === undefined) return { graceMs: grace, dueAfter: (moment) => moment + period, ...limit };
  const calendar = createCalendar(cron, timezone);
  return { graceMs: grace, dueAfter: remembered((moment) => calendar.next(moment)), ...limit };
}

/** The last answer: between two pings the question is always the same. */
function remembered(next: (moment: number) => number | undefined): (moment: number) => number | undefined {
  let last: { readonly moment: number; readonly due: number | undefined } | undefined;
  return (moment) => {
    if (last?.moment !== moment) last = { moment, due: next(moment) };
    return last.due;
  };
}

function observe({ lastPingAt, durationMs, exitCode }: Heartbeat, now: number): Fields {
  return {
    ...(lastPingAt !== undefined && { last_ping_s: (now - lastPingAt) / 1_000 }),
    ...(durationMs !== undefined && { duration_ms: durationMs }),
    ...(exitCode !== undefined && { exit_code: exitCode }),
  };
}
