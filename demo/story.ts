/**
 * The story of one fault, told from three records that were written independently: the time at which the service was broken,
 * what the daemon's API says, and what the fake Slack accepted.
 */
import type { z } from 'zod';
import type * as schemas from '../src/server/schemas.ts';
import { formatDuration } from '../src/units.ts';
import type { SlackCall } from '../test/estate/fake-slack.ts';

export type ProbeSeen = z.output<typeof schemas.probeDetail>;
export type IncidentSeen = z.output<typeof schemas.incidentDetail>;
type AttemptSeen = z.output<typeof schemas.attempt>;

export const STEP_KINDS = ['broken', 'noticed', 'down', 'held', 'slack', 'fix', 'acted', 'healed', 'unhealed'] as const;
export type StepKind = (typeof STEP_KINDS)[number];

export interface Step {
  readonly kind: StepKind;
  readonly at: number;
  readonly text: string;
}

/** Everything that is known of a fault at one moment. */
export interface Records {
  readonly brokenAt: number;
  readonly probe: ProbeSeen;
  /** Absent until the failure is confirmed. */
  readonly incident?: IncidentSeen;
  /** What Slack accepted about this incident. */
  readonly slack: readonly SlackCall[];
}

/** In the order of their times. Later records of the same fault keep every step but `noticed`, which is of the newest run. */
export function stepsOf(records: Records): Step[] {
  return [...noticed(records), ...confirmed(records), ...tried(records), ...heard(records)].sort(
    (one, other) => one.at - other.at,
  );
}

/** Healed, and Slack has heard the end of it. */
export function isOver({ incident, slack }: Records): boolean {
  return incident?.healed_by !== undefined && slack.some((call) => ENDINGS.has(kindOf(call)));
}

export const kindOf = (call: SlackCall) => call.arguments.metadata?.event_payload.kind ?? '';

const ENDINGS: ReadonlySet<string> = new Set(['resolved', 'healed_itself']);

/** The first failing run, if it was looked at before the next one confirmed it. */
function noticed({ brokenAt, probe, incident }: Records): Step[] {
  const at = Date.parse(probe.last_run_at ?? '');
  if (incident || probe.verdict !== 'fail' || !(at >= brokenAt)) return [];
  return [{ kind: 'noticed', at, text: `${probe.reason}: ${probe.summary}` }];
}

function* confirmed({ probe, incident }: Records): Generator<Step> {
  if (!incident) return;
  const at = Date.parse(incident.active_at);
  yield { kind: 'down', at, text: `${probe.fail_after} failures in a row: incident ${incident.id}` };
  if (!incident.paged) yield { kind: 'held', at, text: 'nobody is paged while a fix is tried' };
  if (incident.resolved_at === undefined) return;
  const end = Date.parse(incident.resolved_at);
  const text = `${probe.recover_after} passes in a row prove it: up again after ${formatDuration(end - at)}`;
  yield { kind: 'healed', at: end, text };
}

function* tried({ incident }: Records): Generator<Step> {
  for (const attempt of [...(incident?.attempts ?? [])].sort((one, other) => one.id - other.id)) {
    yield* attempted(attempt);
  }
}

function* attempted(attempt: AttemptSeen): Generator<Step> {
  const { remediation, started_at, acted_at, ended_at, exit_code, state } = attempt;
  if (started_at === undefined) return;
  yield { kind: 'fix', at: Date.parse(started_at), text: `asked again, still failing: ${remediation} starts` };
  if (acted_at !== undefined) {
    yield {
      kind: 'acted',
      at: Date.parse(acted_at),
      text: `exit code ${exit_code}, which proves nothing: settle, probe`,
    };
  }
  if (ended_at === undefined) return;
  if (state !== 'healed') yield { kind: 'unhealed', at: Date.parse(ended_at), text: `${remediation} ${state}` };
}

/** An incident's first words, its progress and its end; the update of the message itself goes with each of them. */
function heard({ slack }: Records): Step[] {
  return slack
    .filter(({ method }) => method === 'chat.postMessage')
    .map((call) => ({ kind: 'slack', at: call.at, text: unescapeText(call.arguments.text ?? '') }));
}

/** Slack's three entities. */
function unescapeText(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
