/** Requests to a Selenium Grid, and to WebDriver behind it: JSON, over connections of the run's own. */
import { ProbeFailure } from './failure.ts';
import { readBody } from './http-body.ts';
import { type Access, type Exchange, send } from './http-exchange.ts';
import { firstHop } from './http-request.ts';
import type { HttpSpec } from './http-spec.ts';

/** What one answer may hold. */
const MAX_BYTES = 2 ** 20;

export type RequestOptions = Pick<HttpSpec, 'url' | 'headers' | 'tls' | 'proxy' | 'ip_protocol' | 'resolver'>;

export interface JsonAnswer {
  readonly status: number;
  /** undefined: it is not JSON. */
  readonly json: unknown;
}

export type Api = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<JsonAnswer>;

/** One request after the other; each closes the connection of the one before. */
export function createApi(options: RequestOptions, access: Access, exchange: Exchange): Api {
  return async (method, path, body) => {
    exchange.line.release();
    const response = await send(firstHop(requestOf(options, method, path, body)), access, exchange);
    const { content, truncated } = await readBody(
      response,
      { maxBytes: MAX_BYTES, keepBytes: MAX_BYTES },
      exchange.line,
    );
    if (truncated) throw new ProbeFailure('body', 'the answer is larger than 1 MiB');
    const status = response.statusCode ?? 0;
    if (status === 401 || status === 403) throw new ProbeFailure('auth', `it wants other credentials (${status})`);
    return { status, json: parse(content.toString()) };
  };
}

/** A 2xx with JSON. Throws a ProbeFailure for any other answer. */
export function demandJson({ status, json }: JsonAnswer): unknown {
  if (status < 200 || status > 299) throw new ProbeFailure('http_status', `it answered ${status}`);
  if (json === undefined) throw new ProbeFailure('protocol', 'what answers is not a Selenium Grid: no JSON');
  return json;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function requestOf(options: RequestOptions, method: 'GET' | 'POST' | 'DELETE', path: string, body: unknown): HttpSpec {
  const { url, headers, ...rest } = options;
  const endpoint = new URL(url);
  endpoint.pathname = `${endpoint.pathname.replace(/\/+$/, '')}${path}`;
  return {
    ...rest,
    url: endpoint.href,
    method,
    headers: Object.assign(
      {},
      headers,
      body === undefined ? {} : { 'Content-Type': 'application/json; charset=utf-8' },
    ),
    body: body === undefined ? undefined : JSON.stringify(body),
    redirects: 0,
    allow_downgrade: false,
    max_body: MAX_BYTES,
  };
}
