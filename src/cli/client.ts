/** Asks a running daemon, through its HTTP API. */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import type { z } from 'zod';
import { AppError, codeOf, messageOf } from '../errors.ts';
import { own } from '../own.ts';
import type * as schemas from '../server/schemas.ts';
import { ADVICE } from './arguments.ts';

/** What the API answers, by the name of its schema. */
export type Answer<Name extends keyof typeof schemas> = z.output<(typeof schemas)[Name]>;

/** Where a daemon is, and how it knows us. */
export interface Address {
  readonly url: string;
  readonly token?: string;
  /** For the audit log. */
  readonly user?: string;
}

/** Nothing answers there, or what answers is no daemon of ours. Exit 2. */
export class NoDaemonError extends AppError {}

/** The daemon said no. `code` is that of its problem details. Exit 1. */
class RefusedError extends AppError {}

export interface Client {
  readonly url: string;
  /** The answer has the type of its route: the daemon writes it from the same schema. Errors: NoDaemonError, RefusedError. */
  get<Answered>(path: string): Promise<Answered>;
  /** `slow`: waits as long as it takes, such as for a fix to be verified. */
  post<Answered>(path: string, body: object, options?: { readonly slow?: boolean }): Promise<Answered>;
  /** POSTs, and gives the bytes of the answer as they come; ends in an error when it is cut off. */
  download(path: string): Promise<AsyncIterable<Uint8Array>>;
}

const TIMEOUT_MS = 30_000;

export function createClient(address: Address): Client {
  return {
    url: address.url,
    get: (path) => ask(address, 'GET', path, undefined, TIMEOUT_MS),
    post: (path, body, { slow = false } = {}) => ask(address, 'POST', path, body, slow ? undefined : TIMEOUT_MS),
    download: (path) => download(address, path),
  };
}

async function download(address: Address, path: string): Promise<AsyncIterable<Uint8Array>> {
  const response = await reach(address, () => send(address, 'POST', path, {}));
  if (response.statusCode === 200) return response;
  throw refusalOf(address, response, await text(response));
}

async function ask<Answered>(
  address: Address,
  method: string,
  path: string,
  body: object | undefined,
  timeoutMs: number | undefined,
): Promise<Answered> {
  const { response, content } = await reach(address, async () => {
    const response = await send(address, method, path, body, timeoutMs);
    return { response, content: await text(response) };
  });
  const answer = parse(content);
  if (answer === undefined || (response.statusCode ?? 0) >= 400) throw refusalOf(address, response, content);
  // Written by the daemon from the schema that is this type.
  return answer as Answered;
}

async function reach<T>(address: Address, exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const code = codeOf(cause);
    const why = code === 'ECONNREFUSED' ? '' : ` (${code === 'ABORT_ERR' ? 'no answer in 30s' : messageOf(cause)})`;
    const advice = 'start one with `brainstem run`, or name another with --url';
    throw new NoDaemonError('no_daemon', `no daemon answers at ${address.url}${why}; ${advice}`, { cause });
  }
}

function send(
  { url, token, user }: Address,
  method: string,
  path: string,
  body: object | undefined,
  timeoutMs?: number,
): Promise<IncomingMessage> {
  const target = join(url, path);
  const headers = {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(user !== undefined && { 'x-brainstem-user': user.replace(/[^ -~]/g, '?') }),
  };
  const signal = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const request = target.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(target, { method, headers, agent: false, ...(signal && { signal }) }, resolve);
    sent.once('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A daemon may live below a path, behind a proxy. */
function join(url: string, path: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol)) {
    throw new NoDaemonError('url_invalid', `"${url}" is not an address; write http://HOST:PORT`);
  }
  return new URL(`${base.href.replace(/\/$/, '')}${path}`);
}

function parse(content: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(content);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function refusalOf(address: Address, { statusCode = 0 }: IncomingMessage, content: string): AppError {
  const answer = parse(content);
  if (answer !== undefined) return refusal(answer, statusCode, address);
  return new NoDaemonError('not_a_daemon', `what answers at ${address.url} is not Brainstem (status ${statusCode})`);
}

function refusal(problem: Record<string, unknown>, status: number, { url, token }: Address): AppError {
  if (status === 401) {
    const why = token === undefined ? 'wants its token: set' : 'has another token than ours: correct';
    return new NoDaemonError('token_required', `the daemon at ${url} ${why} BRAINSTEM_TOKEN`);
  }
  // Written by the daemon from this schema.
  const { code = 'refused', detail, title, errors } = problem as Partial<Answer<'problemDetails'>>;
  const advice = own(ADVICE, code);
  const what = inputProblems(errors) ?? detail ?? title ?? `status ${status}`;
  return new RefusedError(code, advice === undefined ? what : `${what}: ${advice}`);
}

/** What is wrong with the input, without the API's own names for its parts. */
function inputProblems(errors: Answer<'problemDetails'>['errors']): string | undefined {
  return errors
    ?.map(({ path, message }) => `${path.replace(/^(?:body|path|query)\.?/, '')} ${message}`.trim())
    .join('; ');
}
