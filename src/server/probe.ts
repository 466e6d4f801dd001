/** `GET /probe`, as blackbox_exporter answers it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UsageError } from '../errors.ts';
import type { OnDemandRequest, OnDemandRun } from '../ports.ts';
import { hiding, redactAll } from '../redact.ts';
import { shortened } from '../words.ts';
import { TEXT } from './operations.ts';
import type { PlainRoute, ServerParts } from './route.ts';

/** Without a word from Prometheus. */
const DEFAULT_TIMEOUT_S = 120;
/** For the answer to get back in time. */
const MARGIN_S = 0.5;
const DEFAULT_MODULE = 'http_2xx';

/** It makes us connect to whatever is asked for: no page of another origin may, hence `change`. */
export const probeOnDemand: PlainRoute = {
  kind: 'plain',
  method: 'GET',
  path: '/probe',
  access: 'change',
  summary: 'Probe a target now, as a module of blackbox.yml says',
  respond,
};

async function respond(request: FastifyRequest, reply: FastifyReply, parts: ServerParts): Promise<FastifyReply> {
  const idleMs = request.socket.timeout ?? 0;
  // A target that does not answer is waited for in silence; the probe's own deadline ends it.
  request.socket.setTimeout(0);
  try {
    const { run, contentType, body } = await parts.onDemand.probe(requestOf(request));
    if (parameter(request, 'debug') !== 'true') return await reply.type(contentType).send(body);
    const show = hiding(parts.redact, run.observation);
    return await reply.type(TEXT).send(show(debugText(run, body, show)));
  } finally {
    request.socket.setTimeout(idleMs);
  }
}

function requestOf(request: FastifyRequest): OnDemandRequest {
  const target = parameter(request, 'target');
  if (target === undefined) throw new UsageError('target_missing', 'the parameter target is missing');
  const hostname = parameter(request, 'hostname');
  return {
    module: parameter(request, 'module') ?? DEFAULT_MODULE,
    target,
    ...(hostname !== undefined && { hostname }),
    timeoutMs: (scrapeTimeout(request) - MARGIN_S) * 1_000,
  };
}

/** Of several the first, as in Go; an empty one is none. */
function parameter({ query }: FastifyRequest, name: string): string | undefined {
  const value = (query as Record<string, unknown>)[name];
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' && first !== '' ? first : undefined;
}

/** Seconds that whoever asks waits for the answer. */
function scrapeTimeout({ headers }: FastifyRequest): number {
  const written = String(headers['x-prometheus-scrape-timeout-seconds'] ?? '').trim();
  const seconds = written === '' ? 0 : Number(written);
  if (!Number.isFinite(seconds) || seconds < 0) {
    throw new UsageError('scrape_timeout_invalid', 'X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds');
  }
  return seconds === 0 ? DEFAULT_TIMEOUT_S : Math.min(seconds, DEFAULT_TIMEOUT_S);
}

type Show = (text: string) => string;

function debugText({ module, observation, verdict, durationMs }: OnDemandRun, metrics: Buffer, show: Show): string {
  const { reason, error, fields } = observation;
  const failed = verdict.decidedBy.map(({ source, result }) => `check failed: ${source} (${result.detail})`);
  const log = [
    `module ${module.name} ran a probe of type ${module.type} for ${(durationMs / 1_000).toFixed(3)} s`,
    `reason: ${reason}${error === undefined ? '' : `, ${error}`}`,
    ...Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name} = ${shown(value, show)}`],
    ),
    ...failed,
    verdict.kind === 'fail' ? 'the probe failed' : 'the probe succeeded',
  ];
  return [
    `Logs for the probe:\n${log.join('\n')}\n`,
    `Metrics that would have been returned:\n${metrics.toString()}`,
    `Module configuration:\n${module.text}`,
  ].join('\n\n');
}

const MOST_CHARS = 1_000;

/** On one line; redacted before it is cut, since of a secret that was cut the rest would be left. */
function shown(value: unknown, show: Show): string {
  return shortened(JSON.stringify(redactAll(value, show)) ?? String(value), MOST_CHARS);
}
