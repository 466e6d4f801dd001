/** What the query API of Prometheus answers: https://prometheus.io/docs/prometheus/latest/querying/api/ */
import { z } from 'zod';
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';

/** Series, and warnings, that are observed. */
const MAX_SERIES = 100;
const MAX_WARNINGS = 10;

/** When, and the value as text. */
const point = z.tuple([z.number(), z.string()]);
const series = z.object({
  metric: z.record(z.string(), z.string()),
  // A native histogram has none.
  value: point.optional(),
});
const success = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('vector'), result: z.array(series) }),
    z.object({ resultType: z.enum(['scalar', 'string']), result: point }),
    z.object({ resultType: z.literal('matrix') }),
  ]),
  warnings: z.array(z.string()).optional(),
});
const failure = z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() });
const answer = z.union([success, failure]);

const ERROR_REASONS: ReadonlyMap<string, Reason> = new Map([
  ['timeout', 'timeout'],
  ['canceled', 'timeout'],
  ['unavailable', 'unhealthy'],
  ['internal', 'unhealthy'],
  ['not_found', 'not_found'],
]);

/** Fields of the answer. Throws a ProbeFailure for any that holds no result. */
export function readAnswer(status: number, text: string): Record<string, unknown> {
  if (status === 401 || status === 403) throw new ProbeFailure('auth', `it wants other credentials (${status})`);
  const parsed = parse(text);
  if (parsed?.status === 'error') {
    const reason = ERROR_REASONS.get(parsed.errorType) ?? 'body';
    throw new ProbeFailure(reason, `${parsed.errorType}: ${parsed.error}`);
  }
  if (status < 200 || status > 299) throw new ProbeFailure('http_status', `it answered ${status}`);
  if (!parsed) throw new ProbeFailure('protocol', 'what answers is not the query API of Prometheus');
  const all = seriesOf(parsed.data);
  return {
    value: all[0]?.value,
    series: all.slice(0, MAX_SERIES),
    count: all.length,
    warnings: parsed.warnings?.slice(0, MAX_WARNINGS) ?? [],
  };
}

function parse(text: string): z.output<typeof answer> | undefined {
  try {
    return answer.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function seriesOf(data: z.output<typeof success>['data']) {
  if (data.resultType === 'matrix') {
    throw new ProbeFailure('body', 'the query gives ranges; make values of them, such as max_over_time(…[5m])');
  }
  if (data.resultType !== 'vector') return [{ labels: {}, value: numberOf(data.result) }];
  return data.result.map(({ metric, value }) => ({ labels: metric, value: value && numberOf(value) }));
}

/** NaN and the infinities are no value: a ratio without traffic is neither good nor bad. */
function numberOf([, text]: z.output<typeof point>): number | null {
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}
