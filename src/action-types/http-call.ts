/** One request of the `http` action and what was answered, every layer of it bounded. Errors: `CallFailure`. */
import type { Readable } from 'node:stream';
import { AppError, codeOf, messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { FieldDeclarations } from '../model.ts';

/** The other side did not do what was asked of it, in words for people. Never leaves the action. */
export class CallFailure extends AppError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('http_call', message, options);
  }
}

export interface Call {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly auth?: Credentials | undefined;
}

export interface Credentials {
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly bearer?: string | undefined;
}

/** What conditions over an answer can read. */
export const ANSWER_FIELDS = {
  status: { type: 'double', summary: 'Status of the answer' },
  headers: { type: 'map', summary: 'Headers of the answer, names in small letters' },
  body: { type: 'string', summary: 'Body of the answer as text' },
  json: { type: 'dyn', summary: 'Body of the answer as JSON; null when it is none' },
} satisfies FieldDeclarations;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly json: unknown;
  /** False: the rest of the body was not read, did not come in time, or was cut off. */
  readonly whole: boolean;
}

/** No answer to a fix has an honest use for more; the rest is not read. */
const MAX_BODY_BYTES = 2 ** 20;

export interface CallOptions {
  /** How many redirects to follow, within the origin of the call alone. */
  readonly redirects: number;
  /** Whether the body of an answer with this status is read. */
  wantsBody(status: number): boolean;
  readonly signal: AbortSignal;
}

export async function call(first: Call, options: CallOptions): Promise<Answer> {
  let current = first;
  for (let left = options.redirects; ; left -= 1) {
    const answer = await exchange(current, options);
    const { location } = answer.headers;
    if (left === 0 || location === undefined || !REDIRECTS.has(answer.status)) return answer;
    current = follow(current, answer.status, location);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** RFC 9110, 15.4. Headers, body and credentials are meant for one origin: to another one nothing is sent. */
function follow(call: Call, status: number, location: string): Call {
  const from = new URL(call.url);
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to?.origin !== from.origin) {
    throw new CallFailure(`${from.host} answered ${status}, a redirect to ${to?.host || 'no address'}: not followed`);
  }
  to.username = from.username;
  to.password = from.password;
  if (status >= 307 || call.method === 'GET') return { ...call, url: to.href };
  const { body: _body, ...rest } = call;
  return { ...rest, method: 'GET', url: to.href };
}

async function exchange(
  { url, method, headers, body, auth }: Call,
  { signal, wantsBody }: CallOptions,
): Promise<Answer> {
  const target = new URL(url);
  const authorization = authorizationOf(auth, target);
  target.username = '';
  target.password = '';
  // Loaded with the first call, so that a daemon without such fixes does not carry it.
  const axios = loadLibrary<Axios>('axios');
  try {
    const response = await axios.request<Readable>({
      ...{ url: target.href, method, signal, proxy: false, maxRedirects: 0 },
      ...{ responseType: 'stream', validateStatus: null },
      headers: completed(headers, body, authorization),
      // Bytes, because the library would rewrite a text.
      ...(body !== undefined && { data: Buffer.from(body) }),
    });
    const { status, data } = response;
    const { text, whole } = await readCapped(data, wantsBody(status) ? MAX_BODY_BYTES : 0, signal);
    return { status, headers: lowered(response.headers), body: text, json: whole ? parsed(text) : null, whole };
  } catch (error) {
    if (signal.aborted) throw new CallFailure(`no answer from ${target.host} in time`, { cause: error });
    if (!isNetworkError(error, axios)) throw error;
    throw new CallFailure(`${target.host}: ${codeOf(error) ?? messageOf(error)}`, { cause: error });
  }
}

type Axios = typeof import('axios').default;

function isNetworkError(error: unknown, { isAxiosError }: Axios): boolean {
  return isAxiosError(error) || codeOf(error) !== undefined;
}

/** Written ones win, whatever their case; an empty one is not sent. */
function completed(
  written: Call['headers'],
  body: string | undefined,
  authorization: string | undefined,
): Record<string, string> {
  const own = Object.entries(written).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  const usual = {
    'User-Agent': 'Brainstem',
    Accept: '*/*',
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
    ...(authorization !== undefined && { Authorization: authorization }),
  };
  const added = Object.entries(usual).filter(([name]) => !names.has(name.toLowerCase()));
  return Object.fromEntries([...added, ...own]);
}

function authorizationOf(auth: Credentials | undefined, { username, password }: URL): string | undefined {
  if (auth?.bearer) return `Bearer ${auth.bearer}`;
  if (auth?.basic) return basic(auth.basic.username, auth.basic.password);
  return username === '' && password === '' ? undefined : basic(plain(username), plain(password));
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Userinfo of a URL may hold a percent sign that encodes nothing. */
function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function lowered(headers: object): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

/** A body that ends early is no failure: the status has been said. At the cap and the deadline the connection is closed. */
async function readCapped(
  stream: Readable,
  maxBytes: number,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly whole: boolean }> {
  const abort = () => stream.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const chunks: Buffer[] = [];
  let [left, whole] = [maxBytes, false];
  try {
    if (maxBytes > 0 && !signal.aborted) {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        chunks.push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left < 0) break;
      }
      whole = left >= 0;
    }
  } catch (error) {
    if (!signal.aborted && codeOf(error) === undefined) throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    stream.on('error', () => undefined).destroy();
  }
  return { text: Buffer.concat(chunks).toString(), whole };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
