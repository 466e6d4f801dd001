/**
 * The Slack Web API as the notifier uses it: no retries of its own (the outbox retries), no console output, every
 * request under the run's signal. The library is loaded with the first alert.
 */
import type { WebClient } from '@slack/web-api';
import { codeOf, messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { Context, NotifierOutput } from '../ports.ts';

type Failure = Extract<NotifierOutput, { delivered: false }>;

export interface SlackConnection {
  readonly client: WebClient;
  failureOf(thrown: unknown): Failure;
  /** The `error` of Slack's answer, such as `channel_not_found`; undefined when Slack did not answer. */
  answerOf(thrown: unknown): string | undefined;
}

export async function connectSlack(token: string, apiUrl: string, context: Context): Promise<SlackConnection> {
  const library = loadLibrary<Library>('@slack/web-api');
  const client = new library.WebClient(token, {
    slackApiUrl: apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    allowAbsoluteUrls: false,
    logger: quietLogger(context),
    fetch: (url, init) => fetch(url, { ...init, signal: context.signal }),
  });
  return { client, failureOf: (thrown) => classify(library, thrown), answerOf: (thrown) => answer(library, thrown) };
}

type Library = typeof import('@slack/web-api');

/** Answers that pass by themselves; every other one needs a person. */
const TRANSIENT = new Set([
  'accesslimited',
  'fatal_error',
  'internal_error',
  'message_limit_exceeded',
  'ratelimited',
  'rate_limited',
  'request_timeout',
  'service_unavailable',
  'team_added_to_org',
]);

function answer(library: Library, thrown: unknown): string | undefined {
  return thrown instanceof library.WebAPIPlatformError ? thrown.data.error : undefined;
}

function classify(library: Library, thrown: unknown): Failure {
  const answered = answer(library, thrown);
  if (answered !== undefined) return platformFailure(answered);
  if (thrown instanceof library.WebAPIRateLimitedError) {
    return { delivered: false, retry: true, retryAfterMs: thrown.retryAfter * 1_000, error: 'rate limited by Slack' };
  }
  if (thrown instanceof library.WebAPIHTTPError) return httpFailure(thrown.statusCode, thrown.headers);
  if (thrown instanceof library.WebAPIRequestError) {
    return { delivered: false, retry: true, error: networkError(thrown.original) };
  }
  return { delivered: false, retry: true, error: messageOf(thrown) };
}

/** A word is Slack's own answer; anything else is somebody in between, such as a proxy's page. */
function platformFailure(answered: string): Failure {
  if (!/^[a-z_]{1,80}$/.test(answered)) return { delivered: false, retry: true, error: 'the reply is not from Slack' };
  return { delivered: false, retry: TRANSIENT.has(answered), error: answered };
}

function httpFailure(status: number, headers: Readonly<Record<string, string>>): Failure {
  const seconds = Number.parseInt(headers['retry-after'] ?? '', 10);
  return {
    delivered: false,
    retry: status >= 500 || status === 408 || status === 425 || status === 429,
    ...(seconds >= 0 && { retryAfterMs: seconds * 1_000 }),
    error: `HTTP ${status}`,
  };
}

/** fetch says only "fetch failed"; its cause has the code. */
function networkError(original: Error): string {
  const cause = original.cause ?? original;
  return codeOf(cause) ?? messageOf(cause);
}

type Logger = NonNullable<NonNullable<ConstructorParameters<typeof WebClient>[1]>['logger']>;

/** Everything the library has to say is also in its errors: it goes to the debug log. */
function quietLogger({ log }: Context): Logger {
  const pass = (...message: unknown[]) => log.debug('slack_client', { message: message.map(String).join(' ') });
  return {
    // The library formats whole requests for its debug level, tokens redacted but texts not.
    debug: () => undefined,
    info: pass,
    warn: pass,
    error: pass,
    setLevel: () => undefined,
    getLevel: (): ReturnType<Logger['getLevel']> => 'error' as ReturnType<Logger['getLevel']>,
    setName: () => undefined,
  };
}
