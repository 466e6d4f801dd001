/**
 * Action type `http`: a webhook or a deploy hook, sent at most once, and perhaps a second request that says when it is
 * done. Nothing is tried again after a request that may have been heard.
 */
import type { ActionInput, ActionOutput, ActionType, Context } from '../ports.ts';
import { incidentJson } from '../shared/incident-json.ts';
import { type Answer, CallFailure, call } from './http-call.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';
import { waitUntilDone } from './http-wait.ts';

export const http: ActionType<typeof httpSpec> = {
  name: 'http',
  summary: 'Send a request, such as a deploy hook, and wait until another one says that it is done',
  spec: httpSpec,
  mainOption: 'url',
  example: [
    'name: redeploy-backend',
    'http:',
    '  url: "${DEPLOY_HOOK_URL}"',
    '  take: { deploy: deploy.id }',
    '  wait_until:',
    '    url: "https://api.example.org/deploys/{deploy}"',
    '    auth: { bearer: "${DEPLOY_API_TOKEN}" }',
    '    expect: [json.status == "live"]',
    '    fail_when: [json.status == "build_failed"]',
    'timeout: 15m',
    'verify_within: 5m',
  ].join('\n'),
  resource: (_spec, remediation) => `http:${remediation}`,
  would: describe,
  readsOnly: () => false,
  fromProbe: () => false,
  async run(spec, input, context) {
    try {
      return await act(spec, input, context);
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      const doubt = context.signal.aborted ? '; it may still do what was asked' : '';
      return { done: false, error: error.message + doubt };
    }
  },
};

/** Hosts only: paths and queries of hooks are secrets. */
function describe({ method, url, incident, wait_until }: HttpSpec): string {
  const act = `${method} to ${new URL(url).host}${incident ? ' with the incident as JSON' : ''}`;
  if (wait_until === undefined) return act;
  return `${act}, then ask ${new URL(wait_until.url).host} until ${wait_until.expect.join(' and ')}`;
}

async function act(spec: HttpSpec, input: ActionInput, context: Context): Promise<ActionOutput> {
  const { url, method, headers, auth, wait_until } = spec;
  const told = spec.incident ? incidentJson(input) : spec.json;
  const body = told === undefined ? spec.body : JSON.stringify(told);
  const request = { url, method, headers, auth, ...(body !== undefined && { body }) };
  const answer = await call(request, {
    redirects: spec.redirects,
    // Where the status says all there is to know, an endless body changes nothing.
    wantsBody: (status) => wait_until !== undefined || !isYes(status, spec.status),
    signal: context.signal,
  });
  const said = `${method} ${new URL(url).host}: ${answer.status}`;
  if (!isYes(answer.status, spec.status))
    return { done: false, output: excerpt(answer), error: said + adviceOn(answer) };
  if (wait_until === undefined) return { done: true, output: said };
  const values = takenFrom(answer, spec.take);
  const waited = await waitUntilDone(wait_until, values, input, context);
  return { ...waited, output: [said, ...listed(values), waited.output ?? waited.error].join('\n') };
}

function isYes(status: number, wanted: readonly number[] | undefined): boolean {
  return wanted === undefined ? status >= 200 && status <= 299 : wanted.includes(status);
}

function adviceOn({ status, headers }: Answer): string {
  return status >= 300 && status < 400 && headers['location'] !== undefined ? ', a redirect that was not followed' : '';
}

/** For the person who reads on; the whole answer may be anything. */
const EXCERPT_CHARS = 500;

function excerpt({ body }: Answer): string {
  return body.slice(0, EXCERPT_CHARS);
}

function listed(values: ReadonlyMap<string, string>): string[] {
  return [...values].map(([name, value]) => `${name} = ${value}`);
}

function takenFrom(answer: Answer, take: HttpSpec['take']): ReadonlyMap<string, string> {
  return new Map(Object.entries(take).map(([name, path]) => [name, taken(answer, path)]));
}

/** Dots alone would climb in the path that they are put into; half of a character cannot be encoded. */
const NOT_PLAIN = /^\.+$|\p{Surrogate}/u;

/** A short plain value. */
function taken({ json, whole }: Answer, path: string): string {
  const value = path.split('.').reduce<unknown>((inner, key) => (isHolder(inner, key) ? inner[key] : undefined), json);
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  if (text === '' || text.length > 200 || NOT_PLAIN.test(text)) {
    const lacks = whole ? 'has' : 'is not complete and has';
    throw new CallFailure(`it was accepted, but its answer ${lacks} no ${path} to wait for`);
  }
  return text;
}

function isHolder(value: unknown, key: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}
