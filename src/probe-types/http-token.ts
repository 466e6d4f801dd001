/** OAuth 2.0 client credentials (RFC 6749, 4.4): a token fetched over the probe's own connections, kept while it is good. */
import { z } from 'zod';
import { ProbeFailure } from './failure.ts';
import { readBody } from './http-body.ts';
import { type Access, type Exchange, send } from './http-exchange.ts';
import { basicAuthorization, firstHop, type Hop } from './http-request.ts';
import { type HttpSpec, httpSpec } from './http-spec.ts';

type Oauth2 = NonNullable<NonNullable<HttpSpec['auth']>['oauth2']>;

const MAX_ANSWER_BYTES = 64 * 2 ** 10;
/** A token is renewed this long before its end, so that it does not expire under way. */
const MARGIN_MS = 10_000;
/** RFC 6749 leaves the lifetime open when the server does not say it. */
const UNSTATED_LIFETIME_S = 300;
/** Whatever the server says: a token that is no good must not stay for ever. */
const MAX_LIFETIME_S = 86_400;
/** What can stand in a header. */
const SENDABLE = /^[\x21-\x7e]{1,16384}$/;

const tokenAnswer = z.object({
  access_token: z.string().regex(SENDABLE),
  expires_in: z.coerce.number().positive().optional(),
});

export interface TokenSource {
  /** The `Authorization` to send. Rejects with a ProbeFailure: `auth` when there is no token for these credentials. */
  authorization(exchange: Exchange): Promise<string>;
  /** The target did not accept it: the next run fetches another. */
  refused(): void;
  /** The token that was sent last, which nobody may see; none: none was. */
  sent(): readonly string[];
}

export function createTokenSource(options: Oauth2, access: Access): TokenSource {
  let kept: { readonly authorization: string; readonly until: number } | undefined;
  let sent: readonly string[] = [];
  return {
    async authorization(exchange) {
      if (kept && kept.until > exchange.now) return kept.authorization;
      const token = await exchange.line.aside(() => fetchToken(options, access, exchange));
      sent = [token.access_token];
      const lifetimeMs = Math.min(token.expires_in ?? UNSTATED_LIFETIME_S, MAX_LIFETIME_S) * 1_000;
      kept = { authorization: `Bearer ${token.access_token}`, until: exchange.now + lifetimeMs - MARGIN_MS };
      return kept.authorization;
    },
    refused() {
      kept = undefined;
    },
    sent: () => sent,
  };
}

async function fetchToken(options: Oauth2, access: Access, exchange: Exchange): Promise<z.output<typeof tokenAnswer>> {
  try {
    const response = await send(tokenRequest(options), access, exchange);
    const body = await readBody(response, { maxBytes: MAX_ANSWER_BYTES, keepBytes: MAX_ANSWER_BYTES }, exchange.line);
    checkStatus(response.statusCode ?? 0);
    return parseToken(body.content.toString());
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    const message = `no token from ${new URL(options.token_url).host}: ${error.message}`;
    // A token server that is away says nothing of the target, which nobody restarts for it.
    const unknown = error.reason === 'auth' ? undefined : 'witness_away';
    throw new ProbeFailure(error.reason, message, { cause: error, ...(unknown && { unknown }) });
  } finally {
    exchange.line.release();
  }
}

/** RFC 6749, 5.2: a server that refuses says 400 or 401. */
function checkStatus(status: number): void {
  if (status === 200) return;
  throw new ProbeFailure([400, 401, 403].includes(status) ? 'auth' : 'http_status', `it answered ${status}`);
}

function parseToken(text: string): z.output<typeof tokenAnswer> {
  try {
    return tokenAnswer.parse(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    throw new ProbeFailure('auth', 'its answer holds no access_token', { cause: error });
  }
}

function tokenRequest(options: Oauth2): Hop {
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...options.parameters });
  if (options.scopes.length > 0) form.set('scope', options.scopes.join(' '));
  const inBody = options.credentials === 'body';
  if (inBody) {
    form.set('client_id', options.client_id);
    form.set('client_secret', options.client_secret);
  }
  const spec = httpSpec.parse({
    url: options.token_url,
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
    body: form.toString(),
  });
  // RFC 6749, 2.3.1: both are form-encoded before they become basic credentials.
  const credentials = [options.client_id, options.client_secret].map(encodeURIComponent) as [string, string];
  const hop = firstHop(spec, inBody ? undefined : basicAuthorization(...credentials));
  // Client certificate and server name of the definition are meant for its own URL.
  return { ...hop, isHome: false };
}
