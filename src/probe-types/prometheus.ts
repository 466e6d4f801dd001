/** Probe type `prometheus`: what a PromQL query gives now. */
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { readBody } from './http-body.ts';
import { type Access, send } from './http-exchange.ts';
import { firstHop, type Hop, printable } from './http-request.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';
import { createTokenSource, type TokenSource } from './http-token.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { readAnswer } from './prometheus-answer.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { connectionFields, runOverConnection } from './server-run.ts';

/** A larger answer is not parsed: it would block every other probe for too long. */
const MAX_ANSWER_BYTES = 2 ** 20;

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'Query sent until the headers have come',
  transfer: 'Headers until the answer is complete',
};

const { url, auth, headers, tls, proxy, ip_protocol, resolver } = httpSpec.shape;
const prometheusSpec = z.strictObject({
  url: url.describe('Where Prometheus is, such as http://127.0.0.1:9090; /api/v1/query is put behind it'),
  query: z.string().min(1).describe('PromQL, evaluated at the present moment'),
  ...{ auth, headers, tls, proxy, ip_protocol, resolver },
});
type PrometheusSpec = z.output<typeof prometheusSpec>;

interface Prepared {
  readonly request: HttpSpec;
  readonly hop: Hop;
  readonly access: Access;
  readonly tokens: TokenSource | undefined;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createPrometheus(resolver: NameResolver = createResolver()): ProbeType<typeof prometheusSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: PrometheusSpec): Prepared => {
    const request = requestOf(spec);
    const access = accessOf(spec);
    const oauth2 = spec.auth?.oauth2;
    return { request, hop: firstHop(request), access, tokens: oauth2 && createTokenSource(oauth2, access) };
  });
  return {
    name: 'prometheus',
    summary:
      'What a PromQL query gives, from Prometheus or whatever has its query API (Mimir, Thanos, VictoriaMetrics)',
    spec: prometheusSpec,
    mainOption: 'url',
    example: `- name: error-ratio
  prometheus:
    url: "http://127.0.0.1:9090"
    query: sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))
  expect:
    - count == 0 || value == null || value < 0.01
`,
    fields: {
      value: {
        type: 'double',
        summary: 'Value of the first series; null when there is none, or it is NaN or infinite',
      },
      series: { type: 'list', summary: 'Each series with labels and value, the first 100' },
      count: { type: 'double', summary: 'How many series the query gives' },
      warnings: { type: 'list', summary: 'What Prometheus warns of, such as an incomplete answer' },
      ...connectionFields(PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    impliedExpect: { unlessNames: 'count', source: 'count > 0' },
    target: (spec) => printable(new URL(spec.url)),
    remote: (spec) => new URL(spec.url).hostname,
    run: (spec, _input, context) => runPrometheus(prepare(spec), resolver, context),
  };
}

export const prometheus = createPrometheus();

async function runPrometheus(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const { access, tokens } = plan;
  const output = await runOverConnection(context, PHASES, async (line, { seen, fields }) => {
    const exchange = { line, resolver, now: context.clock.now(), seen };
    const token = await tokens?.authorization({ ...exchange, seen: { ip: undefined, peer: undefined } });
    const response = await send(token === undefined ? plan.hop : firstHop(plan.request, token), access, exchange);
    if (response.statusCode === 401) tokens?.refused();
    const body = await readBody(response, { maxBytes: MAX_ANSWER_BYTES, keepBytes: MAX_ANSWER_BYTES }, line);
    if (body.truncated) throw new ProbeFailure('body', 'the answer is larger than 1 MiB; aggregate in the query');
    Object.assign(fields, readAnswer(response.statusCode ?? 0, body.content.toString()));
  });
  return tokens ? { ...output, hidden: tokens.sent() } : output;
}

/** As a form: a query may be longer than a URL. */
function requestOf({ url, query, headers, ...spec }: PrometheusSpec): HttpSpec {
  const endpoint = new URL(url);
  endpoint.pathname = `${endpoint.pathname.replace(/\/+$/, '')}/api/v1/query`;
  return {
    ...spec,
    url: endpoint.href,
    method: 'POST',
    headers: Object.assign({}, headers, { 'Content-Type': 'application/x-www-form-urlencoded' }),
    body: new URLSearchParams({ query }).toString(),
    redirects: 0,
    allow_downgrade: false,
    max_body: MAX_ANSWER_BYTES,
  };
}
