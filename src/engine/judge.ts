/**
 * The judge: from what a run saw to a verdict. Pure.
 */
import type {
  Bindings,
  Condition,
  ConditionResult,
  Observation,
  Probe,
  Reason,
  Show,
  Verdict,
  WindowReader,
} from '../model.ts';
import { NO_WINDOW, SHOW_ALL } from './condition.ts';
import { visible } from './condition-detail.ts';
import { valueAt } from './window-samples.ts';

/** Characters of a text that is stored with a result. */
const STORED_TEXT_LIMIT = 64;

/** Characters of a verdict's summary. */
const SUMMARY_LIMIT = 400;

/** Stored with every result anyway. */
const ALWAYS_STORED: ReadonlySet<string> = new Set(['ok', 'reason', 'latency_ms']);

interface Judged {
  readonly condition: Condition;
  readonly result: ConditionResult;
}

/**
 * `expect` decides between pass and fail, `warn` between pass and warn; neither is asked unless the exchange succeeded.
 * What looked back without data passes, and stands behind the false ones in `decidedBy`.
 */
export function judge(probe: Probe, observation: Observation, window: WindowReader, show: Show = SHOW_ALL): Verdict {
  if (observation.unknown !== undefined || observation.reason === 'internal') return unknownVerdict(observation);
  if (observation.reason !== 'ok') return failedExchange(observation);
  const bindings = bindingsOf(observation);
  const expected = judgeAll(probe.expect, bindings, window, show);
  const failed = expected.find(isFalse);
  if (failed) return conditionVerdict('fail', failed, expected, bindings);
  const warned = judgeAll(probe.warn, bindings, window, show);
  const doubtful = warned.find(isFalse);
  if (doubtful) return conditionVerdict('warn', doubtful, [...expected, ...warned], bindings);
  return { kind: 'pass', reason: 'ok', decidedBy: decisive([...expected, ...warned]), summary: 'ok' };
}

/** What conditions read. `reason` is the verdict's where a fix is chosen; default: the observation's, for judging. */
export function bindingsOf(observation: Observation, reason: Reason = observation.reason): Bindings {
  return {
    ...observation.fields,
    ok: observation.reason === 'ok',
    reason,
    latency_ms: observation.latencyMs,
    error: observation.error ?? null,
  };
}

/** What `error_rate` counts: the exchange failed, or an `expect` that does not look back is false. */
export function windowlessError(probe: Probe, observation: Observation): boolean {
  if (observation.reason !== 'ok') return true;
  const bindings = bindingsOf(observation);
  return probe.expect.some(
    (condition) => condition.windows.length === 0 && condition.evaluate(bindings, NO_WINDOW).outcome === 'false',
  );
}

/** The scalars that the probe's conditions name, by dotted path: what is stored of a run. Texts are cut. */
export function recordedValues(
  probe: Probe,
  observation: Observation,
  show: Show = SHOW_ALL,
): Record<string, number | string | boolean> {
  const bindings = bindingsOf(observation);
  const values: Record<string, number | string | boolean> = {};
  for (const condition of [...probe.expect, ...probe.warn]) {
    for (const path of namedBy(condition)) {
      const value = ALWAYS_STORED.has(path) ? undefined : valueAt(bindings, path);
      if (typeof value === 'string') values[path] = visible(value, show).slice(0, STORED_TEXT_LIMIT);
      else if (typeof value === 'boolean' || Number.isFinite(value)) values[path] = value as boolean | number;
    }
  }
  return values;
}

function namedBy({ paths, windows }: Condition): readonly string[] {
  if (windows.length === 0) return paths;
  return [...paths, ...windows.flatMap(({ field }) => (field === undefined ? [] : [field]))];
}

// ── Verdicts ─────────────────────────────────────────────────────────────────────────────────────────────────────

function unknownVerdict({ unknown = 'internal', reason, error }: Observation): Verdict {
  return { kind: 'unknown', reason, decidedBy: [], unknown, summary: oneLine(error ?? unknown) };
}

function failedExchange({ reason, error }: Observation): Verdict {
  return { kind: 'fail', reason, decidedBy: [], summary: oneLine(error ?? reason) };
}

function conditionVerdict(
  kind: 'warn' | 'fail',
  { condition, result }: Judged,
  judged: readonly Judged[],
  bindings: Bindings,
): Verdict {
  const values = result.detail === '' ? '' : ` (${result.detail})`;
  return {
    kind,
    reason: reasonOf(condition, bindings),
    decidedBy: decisive(judged),
    summary: oneLine(`${condition.source}${values}`),
  };
}

function judgeAll(conditions: readonly Condition[], bindings: Bindings, window: WindowReader, show: Show): Judged[] {
  return conditions.map((condition) => ({ condition, result: condition.evaluate(bindings, window, show) }));
}

function isFalse({ result }: Judged): boolean {
  return result.outcome === 'false';
}

/** The false ones, then those without data. */
function decisive(judged: readonly Judged[]): Verdict['decidedBy'] {
  const remarkable = [...judged.filter(isFalse), ...judged.filter(({ result }) => result.outcome === 'no_data')];
  return remarkable.map(({ condition, result }) => ({ source: condition.source, result }));
}

/** A false condition fails the probe for the reason of what it names. */
export function reasonOf({ paths }: Pick<Condition, 'paths'>, bindings: Bindings): Reason {
  const roots = new Set(paths.map((path) => path.split('.', 1)[0]));
  if (roots.has('status')) return 'http_status';
  if (roots.has('body') || roots.has('json')) return 'body';
  return roots.has('certificate') && certificateExpired(bindings) ? 'certificate_expired' : 'condition';
}

function certificateExpired(bindings: Bindings): boolean {
  const days = valueAt(bindings, 'certificate.expires_in_days');
  return typeof days === 'number' && days < 0;
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SUMMARY_LIMIT ? `${line.slice(0, SUMMARY_LIMIT - 1)}…` : line;
}
