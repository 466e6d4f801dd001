/** Probe type `http`: a request over a fresh connection, redirects followed under a policy, everything capped. */
import type { IncomingMessage } from 'node:http';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { readBody } from './http-body.ts';
import { type Access, type Exchange, send } from './http-exchange.ts';
import { httpFamilies } from './http-families.ts';
import { httpFields, type Sighting, toFields, wantedBytes } from './http-fields.ts';
import { firstHop, type Hop, nextHop, printable, urlOf } from './http-request.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';
import { createTokenSource, type TokenSource } from './http-token.ts';
import { Lifeline } from './lifeline.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What a spec means, worked out once: no URL is parsed on the way of a plain run. */
interface Prepared {
  readonly spec: HttpSpec;
  readonly hop: Hop;
  readonly target: string;
  readonly access: Access;
  readonly tokens: TokenSource | undefined;
}

/** A type with its own name cache, default TLS context and prepared specs. */
export function createHttp(resolver: NameResolver = createResolver()): ProbeType<typeof httpSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: HttpSpec) => prepareSpec(spec, accessOf(spec)));
  return {
    name: 'http',
    summary: 'An HTTP or HTTPS endpoint: status, headers, body, JSON, certificate and the time of each phase',
    spec: httpSpec,
    mainOption: 'url',
    example: `- name: shop
  http: { url: "http://127.0.0.1:8080/health" }
  expect:
    - status == 200
    - json.status == "operational"
`,
    fields: httpFields,
    families: httpFamilies,
    impliedExpect: { unlessNames: 'status', source: 'status >= 200 && status < 300' },
    target: (spec) => printable(new URL(spec.url)),
    remote: (spec) => new URL(spec.proxy ?? spec.url).hostname,
    run: (spec, input, context) => runHttp(prepare(spec), resolver, input, context),
  };
}

export const http = createHttp();

function prepareSpec(spec: HttpSpec, access: Access): Prepared {
  const hop = firstHop(spec);
  const oauth2 = spec.auth?.oauth2;
  const tokens = oauth2 && createTokenSource(oauth2, access);
  return { spec, hop, target: printable(urlOf(hop)), access, tokens };
}

async function runHttp(
  plan: Prepared,
  resolver: NameResolver,
  input: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const sighting = emptySighting(plan.target);
  let failure: ProbeFailure | undefined;
  try {
    await visit(plan, sighting, { line, resolver, now: context.clock.now(), seen: sighting }, wantedBytes(input.reads, plan.spec));
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const fields = toFields(sighting, line, input.reads, plan.spec.max_text);
  return failure ? { reason: failure.reason, fields, error: failure.message } : { reason: 'ok', fields };
}

/** Asks, and follows redirects, until there is an answer whose body can be read. */
async function visit(plan: Prepared, sighting: Sighting, exchange: Exchange, keepBytes: number): Promise<void> {
  const { spec, access, tokens } = plan;
  const token = await tokens?.authorization({ ...exchange, seen: { ip: undefined, peer: undefined } });
  let hop = token === undefined ? plan.hop : firstHop(spec, token);
  for (;;) {
    const response = await send(hop, access, exchange);
    note(sighting, response);
    if (response.statusCode === 401) tokens?.refused();
    const { location } = response.headers;
    if (spec.redirects === 0 || location === undefined || !REDIRECTS.has(sighting.status ?? 0)) {
      const encoding = spec.encoding === 'auto' ? {} : { encoding: spec.encoding };
      sighting.body = await readBody(response, { maxBytes: spec.max_body, keepBytes, ...encoding }, exchange.line);
      return;
    }
    hop = nextHop(spec, hop, sighting.status ?? 0, location, token);
    exchange.line.release();
    if (sighting.redirects === spec.redirects) throw tooMany(spec.redirects, hop);
    sighting.redirects += 1;
    sighting.finalUrl = printable(urlOf(hop));
  }
}

function tooMany(limit: number, next: Hop): ProbeFailure {
  return new ProbeFailure('protocol', `more than ${limit} redirects; the next one leads to ${printable(urlOf(next))}`);
}

function note(sighting: Sighting, response: IncomingMessage): void {
  sighting.status = response.statusCode;
  sighting.httpVersion = Number(response.httpVersion);
  sighting.headers = response.headers;
}

function emptySighting(target: string): Sighting {
  return {
    ip: undefined,
    peer: undefined,
    status: undefined,
    httpVersion: undefined,
    headers: undefined,
    body: undefined,
    redirects: 0,
    finalUrl: target,
  };
}
