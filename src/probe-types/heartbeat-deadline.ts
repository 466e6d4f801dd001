/** Whether a job has reported in time: a pure function of what is known of it, its definition and the clock. */
import type { Heartbeat, Reason } from '../model.ts';
import type { HeardHeartbeat } from '../ports.ts';
import { formatDuration } from '../units.ts';

/** What a job has promised. Durations in ms. */
export interface HeartbeatPromise {
  readonly graceMs: number;
  /** When the run after this moment is due, without grace; undefined: never. */
  dueAfter(moment: number): number | undefined;
  /** How long a run may take after its `/start`. Absent: until its ping is overdue. */
  readonly maxRunMs?: number;
}

export interface HeartbeatJudgement {
  readonly reason: Reason;
  readonly error?: string;
  /** Epoch ms at which silence turns `ok` into `missed_heartbeat`; absent: never, or not `ok`. */
  readonly turnsAt?: number;
}

/**
 * `exit_code`: the job itself reported a failure (`/fail` or an exit code), at once and until it reports a success; a
 * `/start` does not take it back. `missed_heartbeat`: it did not report in time, or started and did not end.
 */
export function judgeHeartbeat(heard: HeardHeartbeat, promise: HeartbeatPromise, now: number): HeartbeatJudgement {
  const { heartbeat } = heard;
  const failure = reportedFailure(heartbeat);
  if (failure) return { reason: 'exit_code', error: failure };
  const overrun = judgeRun(heard, promise, now);
  if (overrun) return { reason: 'missed_heartbeat', error: overrun };
  const silence = judgeSilence(heard, promise, now);
  if (silence) return { reason: 'missed_heartbeat', error: silence };
  const deadlines = [runDeadline(heard, promise), silenceDeadline(heard, promise)].filter((at) => at !== undefined);
  return { reason: 'ok', ...(deadlines.length > 0 && { turnsAt: Math.min(...deadlines) }) };
}

/** A success clears the exit code, so that one other than 0 is of the last end. */
function reportedFailure({ lastKind, exitCode }: Heartbeat): string | undefined {
  if (exitCode !== undefined && exitCode !== 0) return `the job ended with exit code ${exitCode}`;
  return lastKind === 'fail' ? 'the job reported that it failed' : undefined;
}

function judgeRun(heard: HeardHeartbeat, promise: HeartbeatPromise, now: number): string | undefined {
  const deadline = runDeadline(heard, promise);
  if (deadline === undefined || now < deadline) return undefined;
  const { lastStartAt = now } = heard.heartbeat;
  const { maxRunMs = 0 } = promise;
  return `the job started ${formatDuration(now - lastStartAt)} ago and has not ended within ${formatDuration(maxRunMs)}`;
}

/** undefined: no run is under way, or it may take as long as it wants. */
function runDeadline(heard: HeardHeartbeat, { maxRunMs, graceMs }: HeartbeatPromise): number | undefined {
  const { lastKind, lastStartAt } = heard.heartbeat;
  if (maxRunMs === undefined || lastKind !== 'start' || lastStartAt === undefined) return undefined;
  return extended(lastStartAt + maxRunMs, graceMs, heard);
}

function judgeSilence(heard: HeardHeartbeat, promise: HeartbeatPromise, now: number): string | undefined {
  const { lastSuccessAt, createdAt } = heard.heartbeat;
  const due = promise.dueAfter(lastSuccessAt ?? createdAt);
  if (due === undefined || now < (silenceDeadline(heard, promise) ?? Number.POSITIVE_INFINITY)) return undefined;
  const late = `due ${formatDuration(now - due)} ago, with a grace of ${formatDuration(promise.graceMs)}`;
  return lastSuccessAt === undefined
    ? `the job has never reported; its first ping was ${late}`
    : `the last success was ${formatDuration(now - lastSuccessAt)} ago; the next was ${late}`;
}

/** undefined: nothing is due ever. */
function silenceDeadline(heard: HeardHeartbeat, { graceMs, dueAfter }: HeartbeatPromise): number | undefined {
  const { lastSuccessAt, createdAt } = heard.heartbeat;
  const due = dueAfter(lastSuccessAt ?? createdAt);
  return due === undefined ? undefined : extended(due + graceMs, graceMs, heard);
}

/**
 * While our listener was away a ping may have been lost: such a deadline moves to one full grace after the listener
 * was back. One that passed while an earlier listener still heard was missed for good.
 */
function extended(deadline: number, graceMs: number, { listeningSince, heardUntil }: HeardHeartbeat): number {
  if (heardUntil !== undefined && deadline <= heardUntil) return deadline;
  return Math.max(deadline, listeningSince + graceMs);
}
