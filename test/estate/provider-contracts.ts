/** What providers answer to the question whether a credential is good, as they document it: one row each. */
import type { IncomingMessage } from 'node:http';

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, everything else as JSON. */
  readonly body: unknown;
}

export interface Contract {
  /** What a definition needs besides provider, token and url. */
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly method?: 'POST';
  readonly path: string;
  /** Request headers that the provider wants. */
  readonly wants: (token: string) => Readonly<Record<string, string>>;
  /** The body that it wants. */
  readonly wantsBody?: (token: string) => unknown;
  readonly good: FakeAnswer;
  /** What the probe makes of that. */
  readonly told: Readonly<Record<string, unknown>>;
  readonly refused: readonly FakeAnswer[];
  /** Valid, but not allowed to see more. */
  readonly limited?: readonly FakeAnswer[];
  readonly exhausted?: readonly FakeAnswer[];
  /** Neither good nor bad: nothing is known. */
  readonly silent?: readonly FakeAnswer[];
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const kong = (message: string): FakeAnswer => ({ status: 401, body: { message } });
const slack = (error: string, status = 200): FakeAnswer => ({ status, body: { ok: false, error } });
const openai = (status: number, error: Record<string, unknown>): FakeAnswer => ({ status, body: { error } });
const anthropic = (status: number, type: string): FakeAnswer => ({
  status,
  body: { type: 'error', error: { type, message: 'no' }, request_id: 'req_1' },
});
const google = (status: number, state: string, reason?: string): FakeAnswer => ({
  status,
  body: { error: { code: status, message: 'no', status: state, ...(reason && { details: [{ reason }] }) } },
});
const elevenlabs = (status: number, code: string): FakeAnswer => ({
  status,
  body: { detail: { status: code, message: 'no' } },
});
const vercel = (rest: Record<string, unknown>): FakeAnswer => ({
  status: 403,
  body: { error: { code: 'forbidden', message: 'Not authorized', ...rest } },
});
const notion = (status: number, code: string): FakeAnswer => ({
  status,
  body: { object: 'error', status, code, message: 'no' },
});

export const contracts: Readonly<Record<string, Contract>> = {
  slack: {
    method: 'POST',
    path: '/api/auth.test',
    wants: bearer,
    good: {
      status: 200,
      headers: { 'x-oauth-scopes': 'chat:write,channels:read' },
      body: { ok: true, url: 'https://t.slack.com/', team: 'Ops', user: 'bot', team_id: 'T1', user_id: 'U1' },
    },
    told: { account: 'Ops', scopes: ['chat:write', 'channels:read'] },
    refused: ['invalid_auth', 'account_inactive', 'token_revoked', 'token_expired', 'not_authed'].map((error) =>
      slack(error),
    ),
    silent: [slack('internal_error'), slack('fatal_error'), slack('ratelimited'), slack('service_unavailable', 503)],
  },
  github: {
    path: '/user',
    wants: (token) => ({ ...bearer(token), 'user-agent': 'Brainstem', 'x-github-api-version': '2022-11-28' }),
    good: {
      status: 200,
      headers: {
        'x-oauth-scopes': 'repo, admin:org',
        'github-authentication-token-expiration': '2026-03-02 00:00:00 UTC',
        'x-ratelimit-limit': '5000',
        'x-ratelimit-remaining': '4987',
      },
      body: { login: 'octocat', id: 1 },
    },
    told: {
      account: 'octocat',
      scopes: ['repo', 'admin:org'],
      expires_in_days: 60,
      quota_left: 4_987,
      quota_limit: 5_000,
    },
    refused: [{ status: 401, headers: { 'x-ratelimit-remaining': '59' }, body: { message: 'Bad credentials' } }],
    limited: [{ status: 403, body: { message: 'Resource not accessible by integration' } }],
    exhausted: [
      {
        status: 403,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-limit': '5000' },
        body: { message: 'rate' },
      },
      {
        status: 200,
        headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-limit': '5000' },
        body: { login: 'octocat' },
      },
    ],
    silent: [
      { status: 403, headers: { 'retry-after': '60' }, body: { message: 'You have exceeded a secondary rate limit' } },
      { status: 403, body: { message: 'Maximum number of login attempts exceeded. Please try again later.' } },
    ],
  },
  stripe: {
    path: '/v1/balance',
    wants: bearer,
    good: { status: 200, body: { object: 'balance', available: [], livemode: false } },
    told: { account: 'test mode' },
    refused: [{ status: 401, body: { error: { type: 'invalid_request_error', message: 'Invalid API Key provided' } } }],
    limited: [{ status: 403, body: { error: { type: 'invalid_request_error', message: 'no permission' } } }],
    silent: [{ status: 429, body: { error: { type: 'invalid_request_error', code: 'rate_limit' } } }],
  },
  centerpoint: {
    path: '/a/leads',
    wants: bearer,
    good: { status: 204, body: '' },
    told: { valid: true },
    refused: [
      { status: 401, body: 'Unauthorized' },
      { status: 403, body: 'Forbidden' },
    ],
    silent: [{ status: 404, body: 'nothing here' }],
  },
  notion: {
    path: '/v1/users/me',
    wants: (token) => ({ ...bearer(token), 'notion-version': '2022-06-28' }),
    good: { status: 200, body: { object: 'user', id: '1', type: 'bot', bot: { workspace_name: 'Estate' } } },
    told: { account: 'Estate' },
    refused: [notion(401, 'unauthorized')],
    limited: [notion(403, 'restricted_resource')],
    silent: [notion(429, 'rate_limited'), notion(503, 'service_unavailable'), notion(400, 'missing_version')],
  },
  openai: {
    path: '/v1/models',
    wants: bearer,
    good: { status: 200, body: { object: 'list', data: [] } },
    told: { valid: true },
    refused: [
      openai(401, { message: 'Incorrect API key provided', type: 'invalid_request_error', code: 'invalid_api_key' }),
    ],
    limited: [
      openai(401, { message: 'You have insufficient permissions. Missing scopes: api.model.read.', code: null }),
      openai(403, { message: 'You have insufficient permissions. Missing scopes: api.model.read.', code: null }),
    ],
    exhausted: [
      openai(429, {
        message: 'You exceeded your current quota',
        type: 'insufficient_quota',
        code: 'insufficient_quota',
      }),
    ],
    silent: [
      openai(429, { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' }),
      openai(403, { message: 'Country not supported', code: 'unsupported_country_region_territory' }),
    ],
  },
  anthropic: {
    path: '/v1/models?limit=1',
    wants: (token) => ({ 'x-api-key': token, 'anthropic-version': '2023-06-01' }),
    good: { status: 200, body: { data: [{ type: 'model', id: 'one' }], has_more: true } },
    told: { valid: true },
    refused: [anthropic(401, 'authentication_error')],
    limited: [anthropic(403, 'permission_error')],
    exhausted: [anthropic(402, 'billing_error')],
    silent: [
      anthropic(429, 'rate_limit_error'),
      anthropic(529, 'overloaded_error'),
      anthropic(500, 'api_error'),
      anthropic(403, 'forbidden'),
    ],
  },
  'google-ai': {
    path: '/v1beta/models?pageSize=1',
    wants: (token) => ({ 'x-goog-api-key': token }),
    good: { status: 200, body: { models: [{ name: 'models/one' }] } },
    told: { valid: true },
    refused: [
      google(400, 'INVALID_ARGUMENT', 'API_KEY_INVALID'),
      google(403, 'PERMISSION_DENIED', 'API_KEY_SERVICE_BLOCKED'),
      google(403, 'PERMISSION_DENIED'),
    ],
    silent: [google(400, 'FAILED_PRECONDITION'), google(429, 'RESOURCE_EXHAUSTED'), google(503, 'UNAVAILABLE')],
  },
  elevenlabs: {
    path: '/v1/user',
    wants: (token) => ({ 'xi-api-key': token }),
    good: {
      status: 200,
      body: { user_id: 'u', subscription: { tier: 'creator', character_count: 900, character_limit: 1_000 } },
    },
    told: { quota_left: 100, quota_limit: 1_000 },
    refused: [
      elevenlabs(401, 'invalid_api_key'),
      elevenlabs(400, 'invalid_api_key'),
      elevenlabs(401, 'detected_unusual_activity'),
    ],
    limited: [elevenlabs(401, 'missing_permissions')],
    exhausted: [
      elevenlabs(401, 'quota_exceeded'),
      { status: 200, body: { subscription: { character_count: 1_001, character_limit: 1_000 } } },
    ],
    silent: [elevenlabs(500, 'internal_server_error')],
  },
  supabase: {
    path: '/auth/v1/settings',
    wants: (token) => ({ apikey: token }),
    good: { status: 200, body: { external: { email: true }, disable_signup: false } },
    told: { valid: true },
    refused: [kong('Invalid API key'), kong('No API key found in request')],
    silent: [{ status: 540, body: '{"message":"project paused"}' }],
  },
  'supabase-account': {
    path: '/v1/organizations',
    wants: bearer,
    good: { status: 200, body: [{ id: 'o', name: 'Estate' }] },
    told: { account: 'Estate' },
    refused: [kong('Unauthorized')],
  },
  render: {
    path: '/v1/owners?limit=1',
    wants: bearer,
    good: {
      status: 200,
      headers: { 'ratelimit-limit': '400', 'ratelimit-remaining': '399', 'ratelimit-reset': '60' },
      body: [{ cursor: 'c', owner: { id: 'tea-1', name: 'Estate', email: 'ops@example.com', type: 'team' } }],
    },
    told: { account: 'Estate', quota_left: 399, quota_limit: 400 },
    refused: [{ status: 401, body: { id: '', message: 'Unauthorized' } }],
    silent: [{ status: 503, body: 'down' }],
  },
  vercel: {
    path: '/v5/user/tokens/current',
    wants: bearer,
    good: {
      status: 200,
      body: {
        token: {
          id: 't',
          name: 'deploys',
          type: 'token',
          scopes: [{ type: 'team' }],
          expiresAt: 1_767_225_600_000 + 10 * 86_400_000,
        },
      },
    },
    told: { account: 'deploys', scopes: ['team'], expires_in_days: 10 },
    refused: [vercel({ invalidToken: true }), { status: 401, body: { error: { code: 'unauthorized' } } }],
    limited: [vercel({ message: "You don't have permission to access this resource." })],
    silent: [vercel({}), { status: 429, body: { error: { code: 'rate_limited' } } }],
  },
  dockerhub: {
    spec: { username: 'estate' },
    method: 'POST',
    path: '/v2/auth/token',
    wants: () => ({ 'content-type': 'application/json' }),
    wantsBody: (token) => ({ identifier: 'estate', secret: token }),
    good: {
      status: 200,
      headers: { 'x-ratelimit-limit': '180', 'x-ratelimit-remaining': '179;w=60' },
      body: { access_token: ['a', 'b', 'c'].join('.') },
    },
    told: { account: 'estate', quota_left: 179, quota_limit: 180 },
    refused: [{ status: 401, body: { message: 'incorrect username or password', errinfo: {} } }],
    limited: [{ status: 401, body: { detail: 'Require secondary authentication', login_2fa_token: 'x' } }],
    silent: [{ status: 429, body: { detail: 'Rate limit exceeded' } }],
  },
  http: {
    spec: { header: 'X-Key' },
    path: '/whoami',
    wants: (token) => ({ 'x-key': token }),
    good: { status: 200, headers: { 'x-ratelimit-remaining': '5' }, body: 'fine' },
    told: { quota_left: 5 },
    refused: [
      { status: 401, body: '' },
      { status: 403, body: 'no' },
    ],
    exhausted: [{ status: 402, body: 'pay' }],
    silent: [{ status: 404, body: '' }],
  },
};

/** Whether a question is as documented. */
export async function asksRightly(request: IncomingMessage, contract: Contract, token: string): Promise<boolean> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const sent = Buffer.concat(chunks).toString();
  const wanted = contract.wantsBody && JSON.stringify(contract.wantsBody(token));
  return (
    request.method === (contract.method ?? 'GET') &&
    request.url === contract.path &&
    sent === (wanted ?? '') &&
    Object.entries(contract.wants(token)).every(([header, value]) => request.headers[header] === value)
  );
}
