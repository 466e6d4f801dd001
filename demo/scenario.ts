/**
 * Three faults, one after the other: each is followed until the service is healed and Slack has heard of it.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../src/errors.ts';
import { until } from '../test/estate/daemon.ts';
import type { Break } from '../test/estate/service.ts';
import { PROBE, PROBE_FILE, probeFile } from './definitions.ts';
import type { Stage } from './stage.ts';
import { type IncidentSeen, isOver, type ProbeSeen, type Records, type Step, type StepKind, stepsOf } from './story.ts';

export interface Fault {
  readonly how: Break;
  readonly title: string;
  readonly did: string;
  /** Saved to the probe's file before the fault. */
  readonly pageAfter: string;
}

export const FAULTS: readonly Fault[] = [
  { how: 'kill', title: 'killed', did: 'SIGKILL to its process', pageAfter: '0s' },
  { how: 'hang', title: 'hung', did: 'it accepts connections and never answers', pageAfter: '0s' },
  { how: '500', title: 'answering 500', did: 'every answer is 500 and says "broken"', pageAfter: '1m' },
];

export interface Outcome {
  readonly fault: Fault;
  readonly healed: boolean;
  readonly reason: string;
  /** Milliseconds from the breaking; undefined: it did not happen. */
  readonly times: Readonly<Record<'detected' | 'acted' | 'healed' | 'told', number | undefined>>;
}

export interface PlayOptions {
  /** Called once for each step, as it becomes known. */
  onStep(step: Step): void;
  /** Longest time for one fault. */
  readonly patienceMs: number;
}

export async function untilUp(stage: Stage): Promise<void> {
  await until(async () => (await probeOf(stage)).state === 'up', { what: 'the service to be up' });
}

/** Saves the fault's `page_after` while the daemon runs, and waits until it is loaded. False: it was so before. */
export async function prepare(stage: Stage, { pageAfter }: Fault): Promise<boolean> {
  const text = probeFile(stage.service, stage.pace, pageAfter);
  if (text === (await readFile(join(stage.home.path, PROBE_FILE), 'utf8'))) return false;
  const before = (await probeOf(stage)).revision;
  await stage.home.write({ [PROBE_FILE]: text });
  await until(async () => (await probeOf(stage)).revision !== before, { what: 'the saved file to be loaded' });
  return true;
}

/** Breaks the service and follows what becomes of it. When nothing heals it in time, the outcome says so. */
export async function play(stage: Stage, fault: Fault, { onStep, patienceMs }: PlayOptions): Promise<Outcome> {
  const steps = new Map<string, Step>();
  const tell = (step: Step) => {
    if (steps.has(keyOf(step))) return;
    steps.set(keyOf(step), step);
    onStep(step);
  };
  const brokenAt = Date.now();
  tell({ kind: 'broken', at: brokenAt, text: fault.did });
  await stage.service.break(fault.how);
  let reason = '';
  const healed = await until(
    async () => {
      const records = await read(stage, brokenAt);
      for (const step of stepsOf(records)) tell(step);
      reason = records.incident?.reason ?? reason;
      return isOver(records);
    },
    { withinMs: patienceMs, what: 'the service to be healed, and Slack to hear of it' },
  ).catch((error: unknown) => {
    tell({ kind: 'unhealed', at: Date.now(), text: messageOf(error) });
    return false;
  });
  return { fault, healed, reason, times: timesOf([...steps.values()], brokenAt) };
}

/** A failing run is noticed once; every other step is its own, because its time is on record. */
function keyOf({ kind, at, text }: Step): string {
  return kind === 'noticed' ? kind : `${kind} ${at} ${text}`;
}

function timesOf(steps: readonly Step[], brokenAt: number): Outcome['times'] {
  const after = (kind: StepKind) => {
    const step = steps.find((each) => each.kind === kind);
    return step && step.at - brokenAt;
  };
  return { detected: after('down'), acted: after('fix'), healed: after('healed'), told: after('slack') };
}

async function read(stage: Stage, brokenAt: number): Promise<Records> {
  const probe = await probeOf(stage);
  const { incidents } = await stage.daemon().api<{ incidents: IncidentSeen[] }>(`incidents?subject=${PROBE}&limit=1`);
  const [newest] = incidents.filter(({ active_at }) => Date.parse(active_at) >= brokenAt);
  if (!newest) return { brokenAt, probe, slack: [] };
  const incident = await stage.daemon().api<IncidentSeen>(`incidents/${newest.id}`);
  const slack = stage.slack.calls().filter((call) => call.arguments.metadata?.event_payload.incident_id === newest.id);
  return { brokenAt, probe, incident, slack };
}

const probeOf = (stage: Stage) => stage.daemon().api<ProbeSeen>(`probes/${PROBE}`);
