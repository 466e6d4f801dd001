/** Several requests in one run: each is asked as a single one is, judged at once, and may save values for the next. */
import { RE2JS } from 're2js';
import type { Fields } from '../model.ts';
import type { Clock, EvaluateCondition } from '../ports.ts';
import { ProbeFailure } from './failure.ts';
import { type CookieJar, createCookieJar } from './http-cookies.ts';
import type { Exchange } from './http-exchange.ts';
import { type Sighting, toFields, wantedBytes } from './http-fields.ts';
import { firstHop, printable, urlOf } from './http-request.ts';
import { requestOf } from './http-step-request.ts';
import { requestGrammar, type StepRequest, stepFields, type ValueSource } from './http-step-spec.ts';
import { emptySighting, type Plan, visit } from './http-visit.ts';
import { createMemory, type Memory } from './step-memory.ts';
import { runSteps, type Verb } from './steps.ts';

/** One step, as conditions read it. */
export interface SeenStep {
  readonly name: string;
  readonly status: number | null;
  readonly latency_ms: number;
}

/** What a run of several requests has learnt so far; it is reported also when the run fails. */
export interface Journey {
  /** Of the last request. */
  sighting: Sighting;
  readonly steps: SeenStep[];
  /** Values of the steps that nobody may see. */
  hidden: readonly string[];
}

export interface Means extends Omit<Exchange, 'seen'> {
  readonly clock: Clock;
  readonly evaluate: EvaluateCondition;
}

interface Visitor extends Means {
  readonly plan: Plan;
  readonly journey: Journey;
  readonly jar: CookieJar;
}

const request: Verb<Visitor, typeof requestGrammar.option> = {
  ...requestGrammar,
  async run(option, visitor, memory) {
    const { plan, journey, line, clock } = visitor;
    const startedAt = clock.monotonic();
    const sighting = emptySighting(visitor.plan.target);
    journey.sighting = sighting;
    await ask(option, sighting, visitor, memory);
    const fields = toFields(sighting, line, undefined, plan.spec.max_text);
    const saved = memory.values();
    judge(option, { ...fields, latency_ms: clock.monotonic() - startedAt, saved }, visitor, memory);
    for (const [name, source] of Object.entries(option.save)) memory.save(name, valueFrom(source, fields, visitor.jar));
  },
};

/** Asks for one thing after the other, up to the first answer that is not as it must be. Rejects with a ProbeFailure. */
export async function follow(plan: Plan, journey: Journey, means: Means): Promise<void> {
  const { spec } = plan;
  const memory = createMemory(spec.secrets);
  const visitor = { ...means, plan, journey, jar: createCookieJar(plan.hop.host, memory.conceal) };
  try {
    await runSteps(spec.steps ?? [], [request], visitor, {
      clock: means.clock,
      memory,
      onEnd: ({ name, latencyMs: latency_ms }) =>
        journey.steps.push({ name, status: journey.sighting.status ?? null, latency_ms }),
    });
  } finally {
    journey.sighting.finalUrl = memory.hide(journey.sighting.finalUrl);
    journey.hidden = memory.hidden();
  }
}

async function ask(option: StepRequest, sighting: Sighting, visitor: Visitor, memory: Memory): Promise<void> {
  const { plan, jar, line } = visitor;
  // What the step before had open.
  line.release();
  const { spec, isHome } = requestOf(plan.spec, option, memory);
  const hop = firstHop(spec, undefined, isHome);
  sighting.finalUrl = printable(urlOf(hop));
  const tokens = isHome && option.auth === undefined ? plan.tokens : undefined;
  const own: Plan = { spec, hop, target: sighting.finalUrl, access: plan.access, tokens };
  await visit(own, sighting, { ...visitor, seen: sighting }, wantedBytes(undefined, spec), jar);
}

function judge({ expect }: StepRequest, answer: Fields, { evaluate }: Visitor, { hide }: Memory): void {
  const decided = expect.map((source) => ({ source, ...evaluate(source, stepFields, answer) }));
  const status = Number(answer['status']);
  // As for a single request: success, unless the conditions say of the status what they want.
  if ((status < 200 || status > 299) && !decided.some(({ reason }) => reason === 'http_status')) {
    throw new ProbeFailure('http_status', `status >= 200 && status < 300 (status = ${status})`);
  }
  const failed = decided.find(({ outcome }) => outcome !== 'true');
  if (!failed) return;
  // Once more, for people: to hide values takes longer than to decide.
  const { detail } = evaluate(failed.source, stepFields, answer, hide);
  throw new ProbeFailure(failed.reason, `${failed.source} (${detail})`);
}

function valueFrom({ json, header, cookie, body }: ValueSource, fields: Fields, jar: CookieJar): string {
  if (json !== undefined) return scalar(fields['json'], json);
  if (body !== undefined) return groupOf(String(fields['body'] ?? ''), body);
  if (cookie !== undefined) return present(jar.read(cookie), `there is no cookie ${cookie}`);
  const headers = fields['headers'] as Readonly<Record<string, string>> | undefined;
  const name = (header ?? '').toLowerCase();
  return present(headers && Object.hasOwn(headers, name) ? headers[name] : undefined, `there is no header ${header}`);
}

function present(value: string | undefined, complaint: string): string {
  if (value !== undefined && value !== '') return value;
  throw new ProbeFailure('condition', complaint);
}

function scalar(json: unknown, path: string): string {
  let value = json;
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? value[key as never] : undefined;
  }
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string' && value !== '') return value;
  throw new ProbeFailure('body', `json.${path} is no text or number to save`);
}

function groupOf(text: string, pattern: string): string {
  const matcher = RE2JS.compile(pattern).matcher(text);
  const value = matcher.find() ? matcher.group(1) : null;
  if (value) return value;
  throw new ProbeFailure('body', `the body holds nothing to save that matches ${pattern}`);
}
