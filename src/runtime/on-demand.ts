/** One target, probed once, now, as a module of blackbox.yml says: outside of schedules, states, incidents and healing. */
import { NO_WINDOW } from '../engine/condition.ts';
import { judge } from '../engine/judge.ts';
import { RetryableError, UsageError } from '../errors.ts';
import type { BlackboxModule, Configuration, Observation, Probe } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import type { Clock, OnDemandRequest, OnDemandRun, ProbeType, ProbeTypes, RunOnDemand } from '../ports.ts';
import { hiding } from '../redact.ts';
import type { Runner } from './runner.ts';

export interface OnDemandParts {
  readonly run: Runner;
  readonly probeTypes: ProbeTypes;
  readonly clock: Clock;
  configuration(): Configuration;
  redact(text: string): string;
}

/** Scheduled probes come first: what is asked for beyond this is refused. */
const MOST_AT_ONCE = 100;
/** Targets whose specs a module keeps: with them it keeps secure contexts and OAuth tokens. */
const MOST_TARGETS = 500;

/** What is probed for a target, or why nothing can be. */
type Aim = { readonly spec: unknown; readonly target: string } | { readonly fault: string };

export function createOnDemand(parts: OnDemandParts): RunOnDemand {
  const aimAt = createAims(parts.probeTypes);
  let running = 0;
  return async (request) => {
    const module = moduleOf(request.module, parts.configuration());
    const aim = aimAt(module, request);
    if (running >= MOST_AT_ONCE) {
      throw new RetryableError('too_many_probes', `${MOST_AT_ONCE} probes are running; ask again later`);
    }
    running += 1;
    try {
      return await runModule(module, aim, request.timeoutMs, parts);
    } finally {
      running -= 1;
    }
  };
}

function moduleOf(name: string, { modules }: Configuration): BlackboxModule {
  const module = modules?.get(name);
  if (module) return module;
  throw new UsageError('module_unknown', `unknown module "${name}"${didYouMean(name, [...(modules?.keys() ?? [])])}`);
}

/** A spec is made once for each target: types prepare what they need for as long as it lives. */
function createAims(types: ProbeTypes): (module: BlackboxModule, request: OnDemandRequest) => Aim {
  const byModule = new WeakMap<BlackboxModule, Map<string, Aim>>();
  return (module, { target, hostname }) => {
    const known = byModule.get(module) ?? new Map<string, Aim>();
    byModule.set(module, known);
    const key = JSON.stringify([target, hostname]);
    const aim = known.get(key) ?? makeAim(module, types[module.type] as ProbeType, target, hostname);
    // The newest stand last; the oldest one goes.
    known.delete(key);
    known.set(key, aim);
    const [oldest] = known.keys();
    if (known.size > MOST_TARGETS && oldest !== undefined) known.delete(oldest);
    return aim;
  };
}

function makeAim(module: BlackboxModule, type: ProbeType, target: string, hostname: string | undefined): Aim {
  const made = module.specFor(target, hostname);
  if ('fault' in made) return made;
  const parsed = type.spec.safeParse(made.spec);
  if (parsed.success) return { spec: parsed.data, target: type.target(parsed.data) };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.join('.') || 'the target'}: ${issue?.message ?? 'is not valid'}` };
}

async function runModule(
  module: BlackboxModule,
  aim: Aim,
  allowedMs: number,
  parts: OnDemandParts,
): Promise<OnDemandRun> {
  const { clock, redact } = parts;
  const probe = probeOf(module, aim, timeoutOf(module, allowedMs));
  const began = clock.monotonic();
  const seen = 'fault' in aim ? unprobed(module, aim.fault, clock.now()) : await parts.run(probe);
  const durationMs = clock.monotonic() - began;
  const observation = { ...seen, fields: module.adjust(seen.fields, seen.reason) };
  // Whoever asks wants a yes or a no, also where a token server is away, as from the exporter.
  const { unknown, ...told } = seen;
  const verdict = judge(probe, unknown === 'witness_away' ? told : seen, NO_WINDOW, hiding(redact, seen));
  if (verdict.kind === 'unknown') {
    throw new RetryableError('probe_not_run', `this says nothing about the target: ${verdict.summary}`);
  }
  const [decisive] = verdict.decidedBy;
  const failed = module.checks.find(({ condition }) => condition.source === decisive?.source);
  return { module, observation, verdict, durationMs, ...(failed && { failedBy: failed.cause }) };
}

/** Without time the module's own is what is left, as with the exporter. */
function timeoutOf({ timeoutMs: own }: BlackboxModule, allowedMs: number): number {
  if (allowedMs <= 0) return own ?? 1;
  return own === undefined ? allowedMs : Math.min(own, allowedMs);
}

function unprobed({ name }: BlackboxModule, fault: string, now: number): Observation {
  return { probe: name, startedAt: now, latencyMs: 0, reason: 'not_found', fields: {}, error: fault };
}

function probeOf({ name, type, checks, location }: BlackboxModule, aim: Aim, timeoutMs: number): Probe {
  return {
    ...{ name, title: name, type, location, timeoutMs },
    spec: 'spec' in aim ? aim.spec : undefined,
    target: 'target' in aim ? aim.target : '',
    schedule: { kind: 'interval', everyMs: timeoutMs },
    expect: checks.map(({ condition }) => condition),
    warn: [],
    failAfter: 1,
    recoverAfter: 1,
    severity: 'info',
    dependsOn: [],
    remediate: [],
    pageAfterMs: 0,
    relapseMs: 0,
    group: 'blackbox',
    labels: {},
    paused: false,
    exportFields: [],
    unset: [],
    revision: '',
    targetRevision: '',
  };
}
