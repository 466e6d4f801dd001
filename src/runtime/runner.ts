/**
 * Runs one probe once: hands the spec to its type under a total deadline, and turns whatever happens into an observation.
 */
import { dirname, join, resolve } from 'node:path';
import { AppError, messageOf, RetryableError } from '../errors.ts';
import { failpoint } from '../failpoint.ts';
import type { Observation, Probe, UnknownCause } from '../model.ts';
import type { Clock, Context, Log, ProbeInput, ProbeOutput, ProbeTypes } from '../ports.ts';
import { hiding } from '../redact.ts';
import { giveUp } from './give-up.ts';
import { evaluateCondition } from './spec-conditions.ts';
import type { Stall, StallMonitor } from './stall-monitor.ts';

export interface RunnerParts {
  readonly probeTypes: ProbeTypes;
  readonly clock: Clock;
  readonly log: Log;
  readonly stalls: Pick<StallMonitor, 'since'>;
  readonly heartbeat: ProbeInput['heartbeat'];
  /** Absent: no other probe runs beside it. */
  readonly stateOf?: ProbeInput['stateOf'];
  readonly environment: Context['environment'];
  /** Absolute folder of the home: files of definitions are named relative to it. */
  home(): string;
  redact(text: string): string;
  /** A probe could not be run for a lack of our own: descriptors, memory. */
  onScarce(error: Error): void;
  /** Aborts when the daemon stops. */
  readonly stopping: AbortSignal;
}

export type Runner = (probe: Probe) => Promise<Observation>;

/** What an error text keeps at most. */
const ERROR_CHARS = 1_024;
/** A type that has not returned this long after its deadline is broken: its run is given up. */
const GRACE_MS = 2_000;

export function createRunner(parts: RunnerParts): Runner {
  const { clock, stalls, redact, stopping } = parts;
  /** Of the runs under way. One listener for all of them: an AbortSignal walks its list at each addition and removal. */
  const deadlines = new Set<AbortController>();
  const reads = createReads();
  stopping.addEventListener('abort', () => {
    for (const deadline of deadlines) deadline.abort(stopping.reason);
  });
  return async function run(probe) {
    // Has a stall that just ended noticed by its monitor: what begins now is not part of it.
    stalls.since(clock.monotonic());
    const startedAt = clock.now();
    const began = clock.monotonic();
    const deadline = new AbortController();
    if (stopping.aborted) deadline.abort(stopping.reason);
    deadlines.add(deadline);
    const output = await runType(probe, { deadline, reads: reads(probe) }, parts).finally(() =>
      deadlines.delete(deadline),
    );
    failpoint('observed');
    const unknown = unknownCause(output, stalls.since(began));
    return {
      probe: probe.name,
      startedAt,
      latencyMs: output.latencyMs ?? clock.monotonic() - began,
      reason: output.reason,
      fields: output.fields,
      ...(output.error !== undefined && { error: hiding(redact, output)(output.error).slice(0, ERROR_CHARS) }),
      ...(output.hidden && { hidden: output.hidden }),
      ...(unknown && { unknown }),
      ...(output.turnsAt !== undefined && { turnsAt: output.turnsAt }),
      ...(output.intervention && { intervention: output.intervention }),
      ...(output.failing && { failing: output.failing }),
    };
  };
}

/** `ours`: it says nothing about the type or its target, because we could not do what it takes. */
type RunOutput = ProbeOutput & { readonly ours?: true };

/** What we suffered ourselves comes first: a run in which we stood still says nothing, whatever it saw. */
function unknownCause({ reason, ours, unknown }: RunOutput, stall: Stall | undefined): UnknownCause | undefined {
  if (stall) return stall.kind === 'pause' ? 'paused_process' : 'suspect';
  if (reason === 'internal') return ours ? 'suspect' : 'internal';
  return unknown;
}

/**
 * An exception is a bug in the type: *internal*, logged with its stack, never a failure of the target. A RetryableError is
 * a lack of our own.
 */
async function runType(
  probe: Probe,
  { deadline, reads }: { readonly deadline: AbortController; readonly reads: ReadonlySet<string> },
  parts: RunnerParts,
): Promise<RunOutput> {
  const { probeTypes, clock, log, heartbeat, stateOf, environment, onScarce } = parts;
  const timer = setTimeout(
    () => deadline.abort(new DOMException('the deadline has passed', 'TimeoutError')),
    probe.timeoutMs,
  );
  const context: Context = {
    signal: deadline.signal,
    timeoutMs: probe.timeoutMs,
    clock,
    log,
    ...(environment && { environment }),
  };
  const given = giveUp(deadline.signal, GRACE_MS, 'probe_ignored_deadline', 'the probe did not end at its deadline');
  try {
    const folder = resolve(parts.home(), dirname(probe.location.file));
    const type = probeTypes[probe.type];
    if (!type) throw new AppError('probe_type_unknown', `no probe type is called ${probe.type}`);
    const input: ProbeInput = {
      ...{ probe: probe.name, reads, folder, heartbeat, evaluate: evaluateCondition, data: join(parts.home(), 'data') },
      ...(stateOf && { stateOf }),
      ...(probe.module && { module: probe.module }),
      ...(probe.manifest && { manifest: probe.manifest }),
    };
    return await Promise.race([type.run(probe.spec, input, context), given.promise]);
  } catch (error) {
    if (error instanceof RetryableError) {
      log.debug('probe_not_run', { probe: probe.name, error });
      if (error.code === 'out_of_resources') onScarce(error);
      return { reason: 'internal', ours: true, fields: {}, error: messageOf(error) };
    }
    log.error('probe_threw', { probe: probe.name, type: probe.type, error });
    return { reason: 'internal', fields: {}, error: messageOf(error) };
  } finally {
    clearTimeout(timer);
    given.cancel();
  }
}

/**
 * Top-level fields that a condition or an export names, worked out once per definition: a type need not read what nobody
 * looks at. Definitions that read the same share a set.
 */
function createReads(): (probe: Probe) => ReadonlySet<string> {
  const byProbe = new WeakMap<Probe, ReadonlySet<string>>();
  const sets = new Map<string, ReadonlySet<string>>();
  return (probe) => {
    const known = byProbe.get(probe);
    if (known) return known;
    const reads = fieldsRead(probe);
    const key = [...reads].sort().join();
    const shared = sets.get(key) ?? reads;
    sets.set(key, shared);
    byProbe.set(probe, shared);
    return shared;
  };
}

function fieldsRead(probe: Probe): ReadonlySet<string> {
  const conditions = [...probe.expect, ...probe.warn, ...probe.remediate.flatMap(({ when }) => when ?? [])];
  const paths = conditions.flatMap((condition) => [
    ...condition.paths,
    ...condition.windows.flatMap(({ field }) => field ?? []),
  ]);
  return new Set([...paths, ...probe.exportFields].map((path) => path.split('.', 1)[0] as string));
}
