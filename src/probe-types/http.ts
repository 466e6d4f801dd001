/** Probe type `http`: requests over fresh connections, redirects followed under a policy, everything capped. */
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { failed, ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import type { Access } from './http-exchange.ts';
import { httpFamilies } from './http-families.ts';
import { httpFields, toFields, wantedBytes } from './http-fields.ts';
import { firstHop, printable, urlOf } from './http-request.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';
import { follow, type Journey } from './http-steps.ts';
import { createTokenSource } from './http-token.ts';
import { emptySighting, type Plan, visit } from './http-visit.ts';
import { Lifeline } from './lifeline.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';

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
    impliedExpect: {
      unlessNames: 'status',
      source: 'status >= 200 && status < 300',
      // Each of several requests has it for its own answer.
      appliesTo: ({ steps }) => steps === undefined,
    },
    target: (spec) => printable(new URL(spec.url)),
    remote: (spec) => new URL(spec.proxy ?? spec.url).hostname,
    run: (spec, input, context) => runHttp(prepare(spec), resolver, input, context),
  };
}

export const http = createHttp();

function prepareSpec(spec: HttpSpec, access: Access): Plan {
  const hop = firstHop(spec);
  const oauth2 = spec.auth?.oauth2;
  const tokens = oauth2 && createTokenSource(oauth2, access);
  return { spec, hop, target: printable(urlOf(hop)), access, tokens };
}

async function runHttp(plan: Plan, resolver: NameResolver, input: ProbeInput, context: Context): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const journey: Journey = { sighting: emptySighting(plan.target), steps: [], hidden: [] };
  let failure: ProbeFailure | undefined;
  try {
    await (plan.spec.steps ? followAll : visitOnce)(plan, journey, { line, resolver, input, context });
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const seen = toFields(journey.sighting, line, input.reads, plan.spec.max_text);
  const fields = plan.spec.steps ? { ...seen, steps: journey.steps } : seen;
  const hidden = [...journey.hidden, ...(plan.tokens?.sent() ?? [])];
  const learnt = { fields, ...(hidden.length > 0 && { hidden }) };
  return failure ? { ...learnt, ...failed(failure) } : { reason: 'ok', ...learnt };
}

interface Run {
  readonly line: Lifeline;
  readonly resolver: NameResolver;
  readonly input: ProbeInput;
  readonly context: Context;
}

async function visitOnce(plan: Plan, { sighting }: Journey, { line, resolver, input, context }: Run): Promise<void> {
  const exchange = { line, resolver, now: context.clock.now(), seen: sighting };
  await visit(plan, sighting, exchange, wantedBytes(input.reads, plan.spec));
}

async function followAll(plan: Plan, journey: Journey, { line, resolver, input, context }: Run): Promise<void> {
  const { evaluate } = input;
  if (!evaluate) throw new TypeError('steps need somebody who decides their conditions');
  const { clock } = context;
  await follow(plan, journey, { line, resolver, now: clock.now(), clock, evaluate });
}
