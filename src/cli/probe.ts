/**
 * `brainstem probe`: one run of one probe, now, without a daemon: what it sees, and what that means.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { loadConfiguration } from '../config/load.ts';
import { NO_WINDOW } from '../engine/condition.ts';
import { judge } from '../engine/judge.ts';
import { AppError, ConfigurationError, UsageError } from '../errors.ts';
import type { Configuration, Observation, Probe, Verdict } from '../model.ts';
import { instead } from '../nearest.ts';
import type { Clock, Log } from '../ports.ts';
import { createRedactor } from '../redact.ts';
import { registries } from '../registries.ts';
import { createRunner } from '../runtime/runner.ts';
import { unconfigured } from '../words.ts';
import type { CliIo } from './io.ts';
import { loadHome } from './load-home.ts';
import { json, plain } from './print.ts';

export interface ProbeArguments {
  readonly home: string;
  /** A probe of the home; or `type` with `set`, for one that stands in no file. */
  readonly name?: string;
  readonly type?: string;
  /** `option=value` pairs of the type; dots go deeper: `auth.basic.username=x`. */
  readonly set: readonly string[];
  readonly expect: readonly string[];
  readonly json: boolean;
}

/** Exit code: 0 up or degraded, 1 down, 3 unknown or unconfigured. Errors: UsageError. */
export async function probe(given: ProbeArguments, io: CliIo, clock: Clock): Promise<number> {
  const configuration = given.type === undefined ? await loadHome(given.home, io) : await adHoc(given.type, given, io);
  const definition = pick(configuration, given);
  if (definition.unset.length > 0) {
    io.err(`${unconfigured(definition)}\n`);
    return 3;
  }
  const redactor = createRedactor();
  redactor.use(configuration.secrets);
  const observation = await runOnce(definition, resolve(given.home), io, clock, redactor.redact);
  const verdict = judge(definition, observation, NO_WINDOW, redactor.redact);
  io.out(
    redactor.redact(given.json ? asJson(definition, observation, verdict) : asText(definition, observation, verdict)),
  );
  return verdict.kind === 'unknown' ? 3 : verdict.kind === 'fail' ? 1 : 0;
}

/** Goes through a home of its own, so that an option on the command line is checked just as in a file. */
async function adHoc(type: string, { set, expect }: ProbeArguments, io: CliIo): Promise<Configuration> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-probe-'));
  try {
    await mkdir(join(home, 'probes'));
    const entry = { name: 'command-line', [type]: specOf(set), ...(expect.length > 0 && { expect }) };
    await writeFile(join(home, 'probes', 'command-line.yaml'), stringify({ probes: [entry] }));
    return await loadConfiguration(home, { registries, environment: io.environment });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new UsageError('probe_arguments_invalid', error.problems.map(({ message }) => message).join('\n'), {
      cause: error,
    });
  } finally {
    await rm(home, { recursive: true });
  }
}

function specOf(pairs: readonly string[]): Record<string, unknown> {
  const spec: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError('set_invalid', `--set takes option=value, got "${pair}"`);
    const path = pair.slice(0, at).split('.');
    const last = path.pop() as string;
    let place = spec;
    for (const key of path) place = ownObject(place, key);
    define(place, last, scalar(pair.slice(at + 1)));
  }
  return spec;
}

/** `define` rather than assign: a key called `__proto__` is a key like any other, and an unknown one. */
function define(place: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(place, key, { value, enumerable: true, configurable: true, writable: true });
}

function ownObject(place: Record<string, unknown>, key: string): Record<string, unknown> {
  if (!Object.hasOwn(place, key) || typeof place[key] !== 'object') define(place, key, {});
  return place[key] as Record<string, unknown>;
}

/** JSON where it is JSON (numbers, booleans, lists), else text. */
function scalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function pick(configuration: Configuration, { name, type }: ProbeArguments): Probe {
  const wanted = type === undefined ? name : 'command-line';
  if (wanted === undefined)
    throw new UsageError('probe_name_missing', 'name a probe, or give --type TYPE with --set option=value');
  const definition = configuration.probes.get(wanted);
  if (definition) return definition;
  const advice = instead(wanted, configuration.probes.keys());
  throw new UsageError('probe_unknown', `no probe is called "${wanted}"${advice}`);
}

async function runOnce(
  definition: Probe,
  home: string,
  { environment }: CliIo,
  clock: Clock,
  redact: (text: string) => string,
): Promise<Observation> {
  const run = createRunner({
    ...{ probeTypes: registries.probeTypes, clock, log: SILENT, redact, environment, home: () => home },
    stalls: { since: () => undefined },
    heartbeat: () =>
      Promise.reject(new AppError('heartbeat_needs_daemon', 'pings reach the daemon: ask `brainstem status`')),
    onScarce: () => undefined,
    stopping: new AbortController().signal,
  });
  return run(definition);
}

/** A command shows what it found; it keeps no log beside it. */
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

const STATE_OF = { pass: 'up', warn: 'degraded', fail: 'down', unknown: 'unknown' } as const;

function asJson({ name, type, target }: Probe, { latencyMs, fields, error }: Observation, verdict: Verdict): string {
  const { kind, reason, summary, decidedBy } = verdict;
  const conditions = decidedBy.map(({ source, result }) => ({ condition: source, ...result }));
  return json({
    probe: name,
    type,
    target,
    state: STATE_OF[kind],
    verdict: kind,
    reason,
    summary,
    latency_ms: latencyMs,
    error: error ?? null,
    conditions,
    fields,
  });
}

function asText(definition: Probe, observation: Observation, verdict: Verdict): string {
  const { name, type, target, expect, warn } = definition;
  const lines = [
    `${name} (${type}) ${plain(target)}`,
    `  ${STATE_OF[verdict.kind].toUpperCase()}  ${verdict.reason}, ${observation.latencyMs.toFixed(1)} ms`,
  ];
  if (observation.error !== undefined) lines.push(`  error: ${plain(observation.error)}`);
  lines.push('', 'fields', ...fieldLines(observation.fields, ''));
  const decided = new Map(verdict.decidedBy.map(({ source, result }) => [source, result]));
  const asked = observation.reason === 'ok';
  const conditions = [
    ...expect.map((each) => ({ kind: 'expect', each })),
    ...warn.map((each) => ({ kind: 'warn', each })),
  ];
  if (conditions.length > 0) lines.push('', 'conditions');
  for (const { kind, each } of conditions) {
    const result = decided.get(each.source);
    const outcome = asked ? (result?.outcome ?? 'true') : 'not asked';
    lines.push(
      `  ${kind.padEnd(6)} ${outcome.padEnd(9)} ${plain(each.source)}${result?.detail ? `   (${plain(result.detail)})` : ''}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const VALUE_CHARS = 100;

function fieldLines(fields: Readonly<Record<string, unknown>>, prefix: string): string[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    if (value === undefined || value === null) return [];
    if (typeof value === 'object' && !Array.isArray(value))
      return fieldLines(value as Record<string, unknown>, `${prefix}${key}.`);
    const text = typeof value === 'number' ? String(Number(value.toFixed(3))) : plain(JSON.stringify(value));
    return [`  ${plain(`${prefix}${key}`)} = ${text.length > VALUE_CHARS ? `${text.slice(0, VALUE_CHARS)}…` : text}`];
  });
}
