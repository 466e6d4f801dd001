/** Probe type `statuspage`: what a provider says of its own service. Their outage is a statement about them, not about us. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { readBody } from './http-body.ts';
import { type Access, type Exchange, send } from './http-exchange.ts';
import { firstHop, type Hop, nextHop, printable } from './http-request.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { connectionFields, runOverConnection } from './server-run.ts';
import { fieldsOf, INDICATORS, narrowed, rankOf, readSummary, type ServiceStatus } from './statuspage-answer.ts';

const MAX_ANSWER_BYTES = 2 * 2 ** 20;
const MAX_REDIRECTS = 5;

const PHASES = {
  resolve: 'Name resolution, over all redirects',
  connect: 'TCP connect, over all redirects',
  tls: 'TLS handshake, over all redirects',
  processing: 'Question sent until the headers have come',
  transfer: 'Headers until the answer is complete',
};

const { url, headers, tls, proxy, ip_protocol, resolver } = httpSpec.shape;
const statuspageSpec = z.strictObject({
  url: url.describe('The status page, such as https://status.example.com; /api/v2/summary.json is put behind it'),
  components: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(100)
    .optional()
    .describe('Names of the components that count, as the page writes them. Default: the page as a whole'),
  down_from: z
    .enum(INDICATORS.filter((indicator) => indicator !== 'none'))
    .default('major')
    .describe(
      'From which indicator on the probe fails; below it an indicator other than none and maintenance degrades',
    ),
  ...{ headers, tls, proxy, ip_protocol, resolver },
});
type StatuspageSpec = z.output<typeof statuspageSpec>;

interface Prepared {
  readonly spec: StatuspageSpec;
  readonly request: HttpSpec;
  readonly hop: Hop;
  readonly access: Access;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createStatuspage(resolver: NameResolver = createResolver()): ProbeType<typeof statuspageSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: StatuspageSpec): Prepared => {
    const request = requestOf(spec);
    return { spec, request, hop: firstHop(request), access: accessOf(spec) };
  });
  return {
    name: 'statuspage',
    summary: "What a provider's status page (Statuspage format) says of its service",
    spec: statuspageSpec,
    mainOption: 'url',
    example: 'name: provider-status\nstatuspage: { url: "http://127.0.0.1:8080", components: [API] }\nevery: 2m',
    fields: {
      indicator: { type: 'string', summary: 'none, maintenance, minor, major or critical' },
      description: { type: 'string', summary: 'The same in words, such as Partial System Outage' },
      incidents: {
        type: 'list',
        summary: 'Open incidents with name, status and impact, the first 100; with `components` not those of others',
      },
      components: { type: 'map', summary: 'Status by component: operational, partial_outage …; the first 100' },
      maintenance: { type: 'bool', summary: 'A scheduled maintenance is under way' },
      ...connectionFields(PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    impliedWarn: { unlessNames: 'indicator', source: 'indicator in ["none", "maintenance"]' },
    target: (spec) => printable(new URL(spec.url)),
    remote: (spec) => new URL(spec.proxy ?? spec.url).hostname,
    run: (spec, _input, context) => runStatuspage(prepare(spec), resolver, context),
  };
}

export const statuspage = createStatuspage();

async function runStatuspage(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const { components, down_from } = plan.spec;
  return await runOverConnection(context, PHASES, async (line, { seen, fields }) => {
    const response = await ask(plan, { line, resolver, now: context.clock.now(), seen });
    const body = await readBody(response, { maxBytes: MAX_ANSWER_BYTES, keepBytes: MAX_ANSWER_BYTES }, line);
    if (body.truncated) throw new ProbeFailure('body', 'the answer is larger than 2 MiB');
    const page = readSummary(body.content.toString());
    Object.assign(fields, fieldsOf(page));
    const status = components === undefined ? page : narrowed(page, components);
    Object.assign(fields, fieldsOf(status));
    if (rankOf(status.indicator) >= rankOf(down_from)) throw new ProbeFailure('unhealthy', inWords(status));
  });
}

/** Their own words: the incidents that they tell, where there are some. */
function inWords({ indicator, description, incidents }: ServiceStatus): string {
  const told = incidents.slice(0, 3).map(({ name, status }) => `${name} (${status})`);
  return [`the provider says ${indicator}: ${description}`, ...told].join('; ');
}

/** The first answer that is no redirect. */
async function ask({ request, hop: first, access }: Prepared, exchange: Exchange): Promise<IncomingMessage> {
  let hop = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const response = await send(hop, access, exchange);
    const { statusCode = 0, headers } = response;
    if (statusCode >= 200 && statusCode <= 299) return response;
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) {
      throw new ProbeFailure('http_status', `it answered ${statusCode}`);
    }
    hop = nextHop(request, hop, statusCode, headers.location, undefined);
    exchange.line.release();
  }
  throw new ProbeFailure('protocol', `more than ${MAX_REDIRECTS} redirects`);
}

function requestOf({ url, headers, tls, proxy, ip_protocol, resolver }: StatuspageSpec): HttpSpec {
  const endpoint = new URL(url);
  endpoint.pathname = `${endpoint.pathname.replace(/\/+$/, '')}/api/v2/summary.json`;
  return {
    ...{ url: endpoint.href, method: 'GET', headers, tls, proxy, ip_protocol, resolver },
    ...{ redirects: MAX_REDIRECTS, allow_downgrade: false, max_body: MAX_ANSWER_BYTES },
  };
}
