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
  return silence ? { reason: 'missed_heartbeat', error: silence } : { reason: 'ok' };
}

/** A success clears the exit code, so that one other than 0 is of the last end. */
function reportedFailure({ lastKind, exitCode }: Heartbeat): string | undefined {
  if (exitCode !== undefined && exitCode !== 0) return `the job ended with exit code ${exitCode}`;
  return lastKind === 'fail' ? 'the job reported that it failed' : undefined;
}

function judgeRun(heard: HeardHeartbeat, { maxRunMs, graceMs }: HeartbeatPromise, now: number): string | undefined {
  const { lastKind, lastStartAt } = heard.heartbeat;
  if (maxRunMs === undefined || lastKind !== 'start' || lastStartAt === undefined) return undefined;
  if (now < extended(lastStartAt + maxRunMs, graceMs, heard)) return undefined;
  return `the job started ${formatDuration(now - lastStartAt)} ago and has not ended within ${formatDuration(maxRunMs)}`;
}

function judgeSilence(heard: HeardHeartbeat, promise: HeartbeatPromise, now: number): string | undefined {
  const { lastSuccessAt, createdAt } = heard.heartbeat;
  const due = promise.dueAfter(lastSuccessAt ?? createdAt);
  if (due === undefined || now < extended(due + promise.graceMs, promise.graceMs, heard)) return undefined;
  const late = `due ${formatDuration(now - due)} ago, with a grace of ${formatDuration(promise.graceMs)}`;
  return lastSuccessAt === undefined
    ? `the job has never reported; its first ping was ${late}`
    : `the last success was ${formatDuration(now - lastSuccessAt)} ago; the next was ${late}`;
}

/**
 * While our listener was away a ping may have been lost: such a deadline moves to one full grace after the listener
 * was back. One that passed while an earlier listener still heard was missed for good.
 */
function extended(deadline: number, graceMs: number, { listeningSince, heardUntil }: HeardHeartbeat): number {
  if (heardUntil !== undefined && deadline <= heardUntil) return deadline;
  return Math.max(deadline, listeningSince + graceMs);
}
