/** The request of a step with its values filled in: each stays a value, wherever it stands. */
import { ProbeFailure } from './failure.ts';
import type { HttpSpec } from './http-spec.ts';
import type { StepRequest } from './http-step-spec.ts';
import type { Memory } from './step-memory.ts';

/** The spec of a single request that does what the step says; `isHome`: it goes to the origin of the definition's URL. */
export function requestOf(
  spec: HttpSpec,
  step: StepRequest,
  memory: Memory,
): { readonly spec: HttpSpec; readonly isHome: boolean } {
  const home = new URL(spec.url);
  const url = new URL(memory.fill(step.url, segment), home);
  const isHome = url.origin === home.origin;
  if (isHome && url.username === '' && url.password === '') {
    url.username = home.username;
    url.password = home.password;
  }
  const { body, type } = bodyOf(step, memory);
  return {
    isHome,
    spec: {
      ...spec,
      url: url.href,
      method: step.method,
      body,
      redirects: step.redirects ?? spec.redirects,
      auth: step.auth ? authOf(step.auth, memory) : isHome ? spec.auth : undefined,
      headers: headersOf(type, isHome ? spec.headers : {}, step.headers, memory),
    },
  };
}

/** Later ones replace earlier ones, whatever their spelling. */
function headersOf(
  type: string | undefined,
  inherited: HttpSpec['headers'],
  written: StepRequest['headers'],
  memory: Memory,
): HttpSpec['headers'] {
  const headers: HttpSpec['headers'] = {};
  if (type !== undefined) headers['Content-Type'] = type;
  Object.assign(headers, inherited);
  for (const [name, value] of Object.entries(written)) headers[name] = memory.fill(value ?? '', headerText);
  return headers;
}

/** Percent-encoded; one that would lead elsewhere all the same is refused. */
function segment(value: string): string {
  if (/^\.{0,2}$/.test(value)) {
    throw new ProbeFailure('protocol', 'a saved value is empty or nothing but dots, and cannot stand in a URL');
  }
  return encodeURIComponent(Buffer.from(value).toString());
}

/** Whatever else a header may hold, a saved value that has other characters was not meant for one. */
function headerText(value: string): string {
  if (/^[\t\x20-\x7e]*$/.test(value)) return value;
  throw new ProbeFailure('protocol', 'a saved value has characters that cannot stand in a header');
}

function authOf({ basic, bearer }: NonNullable<StepRequest['auth']>, memory: Memory): HttpSpec['auth'] {
  if (bearer !== undefined) return { bearer: memory.fill(bearer, headerText) };
  return { basic: { username: memory.fill(basic?.username ?? ''), password: memory.fill(basic?.password ?? '') } };
}

function bodyOf({ json, form, body }: StepRequest, memory: Memory): { readonly body?: string; readonly type?: string } {
  if (json !== undefined) return { body: JSON.stringify(fillAll(json, memory)), type: 'application/json' };
  if (form === undefined) return body === undefined ? {} : { body: memory.fill(body) };
  const fields = new URLSearchParams(mapValues(form, (value) => memory.fill(value)));
  return { body: fields.toString(), type: 'application/x-www-form-urlencoded' };
}

function fillAll(data: unknown, memory: Memory): unknown {
  if (typeof data === 'string') return memory.fill(data);
  if (Array.isArray(data)) return data.map((item) => fillAll(item, memory));
  if (typeof data !== 'object' || data === null) return data;
  return mapValues(data as Readonly<Record<string, unknown>>, (value) => fillAll(value, memory));
}

function mapValues<From, To>(record: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
