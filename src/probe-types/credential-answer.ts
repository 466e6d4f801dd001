/** What an answer says about a credential, or that it says nothing. */
import type { IncomingHttpHeaders } from 'node:http';
import { ProbeFailure } from './failure.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body; undefined when it is not JSON. */
  readonly json: unknown;
}

/** What is asked about, as the definition gives it. */
export interface Credential {
  readonly token: string;
  readonly username: string;
  readonly header: string;
  readonly scheme: string;
}

/** What a provider tells of a credential that it accepts. */
export interface Details {
  readonly scopes?: readonly string[] | undefined;
  /** Ms since the epoch. */
  readonly expiresAt?: number | undefined;
  readonly quotaLeft?: number | undefined;
  readonly quotaLimit?: number | undefined;
  /** The quota may be exceeded: what is beyond it is billed. */
  readonly elastic?: boolean | undefined;
  /** Whose it is, where that is no secret. */
  readonly account?: string | undefined;
}

/**
 * What an answer means. `limited`: accepted, but not allowed to see what would tell more; `throttled`: asked too often, so
 * that nothing is known; `away`: trouble of theirs, or an answer that they do not document.
 */
export type Meaning = 'accepted' | 'limited' | 'refused' | 'exhausted' | 'throttled' | 'away';

/** The contract of one provider: what is asked, and what tells valid from invalid from throttled from their outage. */
export interface Provider {
  /** Where its API is. Absent: the definition says it. */
  readonly url?: string;
  /** Put behind that; a question that costs nothing and changes nothing. */
  readonly path: string;
  readonly method?: 'POST';
  headers(credential: Credential): Readonly<Record<string, string>>;
  body?(credential: Credential): unknown;
  /** The code by which it tells its errors apart. */
  code?(answer: Answer): string | undefined;
  /** By `STATUS CODE`, or `STATUS` for every code that is not listed. What is not listed at all has its general meaning. */
  readonly meanings: Readonly<Record<string, Meaning>>;
  /** What it tells when it accepts; undefined: this is no answer of that provider. */
  details(answer: Answer, credential: Credential): Details | undefined;
  /** It tells the scopes of a credential. */
  readonly tellsScopes?: true;
  /** A scope that was granted stands for another one too. */
  covers?(granted: string, wanted: string): boolean;
  /** Nothing is published about its bodies: the status alone counts. */
  readonly anyBody?: true;
}

export type Finding =
  | { readonly kind: 'accepted'; readonly details: Details }
  | { readonly kind: 'exhausted'; readonly details: Details; readonly why: string }
  | { readonly kind: 'refused'; readonly details: Details; readonly why: string };

/** Throws a ProbeFailure for what says nothing about the credential. */
export function findingOf(provider: Provider, answer: Answer, credential: Credential): Finding {
  const { status } = answer;
  const isTheirs = provider.anyBody === true || answer.json !== undefined || status === 429 || status > 499;
  if (!isTheirs) throw new ProbeFailure('protocol', `something else answers (${status}, and no JSON)`);
  const code = provider.code?.(answer);
  const said = `${status}${code !== undefined && /^[\w.-]{1,64}$/.test(code) ? ` ${code}` : ''}`;
  switch (meaningOf(provider, status, code)) {
    case 'accepted':
      return accepted(provider, answer, credential);
    case 'limited':
      return { kind: 'accepted', details: {} };
    case 'exhausted':
      return {
        kind: 'exhausted',
        details: { ...quotaOf(answer.headers), quotaLeft: 0 },
        why: `no quota left (${said})`,
      };
    case 'refused':
      return { kind: 'refused', details: {}, why: `refused (${said})` };
    case 'throttled':
      throw new ProbeFailure('saturated', `it is asked too often (${said})`);
    case 'away':
      throw new ProbeFailure('http_status', `it answered ${said}`);
  }
}

function meaningOf({ meanings }: Provider, status: number, code: string | undefined): Meaning {
  const listed = (code === undefined ? undefined : meanings[`${status} ${code}`]) ?? meanings[String(status)];
  if (listed !== undefined) return listed;
  if (status >= 200 && status <= 299) return code === undefined ? 'accepted' : 'away';
  if (status === 401) return 'refused';
  return status === 429 ? 'throttled' : 'away';
}

function accepted(provider: Provider, answer: Answer, credential: Credential): Finding {
  const told = provider.details(answer, credential);
  if (!told) throw new ProbeFailure('protocol', `something else answers (${answer.status}, and not as documented)`);
  const details: Details = { ...quotaOf(answer.headers), ...told };
  if (details.elastic === true || details.quotaLeft === undefined || details.quotaLeft > 0)
    return { kind: 'accepted', details };
  return { kind: 'exhausted', details, why: `no quota left (0 of ${details.quotaLimit ?? '?'})` };
}

/** The names that are in use; a value may be followed by a window, as in `89;w=21600`. */
const QUOTA_HEADERS = ['x-ratelimit', 'ratelimit', 'x-rate-limit'];

function quotaOf(headers: IncomingHttpHeaders): Pick<Details, 'quotaLeft' | 'quotaLimit'> {
  const prefix = QUOTA_HEADERS.find((name) => headers[`${name}-remaining`] !== undefined);
  if (prefix === undefined) return {};
  return { quotaLeft: numberIn(headers[`${prefix}-remaining`]), quotaLimit: numberIn(headers[`${prefix}-limit`]) };
}

function numberIn(header: string | string[] | undefined): number | undefined {
  const digits = /^\s*(\d{1,15})/.exec(String(header))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
