/**
 * Every provider whose credentials can be checked: one row each, from its published contract.
 * Adding one is a row here, and one in the test.
 */
import { z } from 'zod';
import type { Credential, Provider } from './credential-answer.ts';
import { claimsOf } from './credential-claims.ts';
import { githubCode, githubCovers, githubTime, googleCode, openaiCode, vercelCode } from './credential-codes.ts';
import { label, listIn, name, shaped, textAt } from './credential-reading.ts';

const bearer = ({ token }: Credential) => ({ Authorization: `Bearer ${token}` });

const subscription = z.object({
  character_count: z.number(),
  character_limit: z.number(),
  allowed_to_extend_character_limit: z.boolean().optional().catch(undefined),
});

export const providers = {
  // https://docs.slack.dev/reference/methods/auth.test
  slack: {
    url: 'https://slack.com',
    path: '/api/auth.test',
    method: 'POST',
    headers: bearer,
    code: (answer) => textAt(answer, 'error'),
    meanings: {
      '200 invalid_auth': 'refused',
      '200 not_authed': 'refused',
      '200 account_inactive': 'refused',
      '200 token_revoked': 'refused',
      '200 token_expired': 'refused',
      '200 not_allowed_token_type': 'refused',
      '200 access_denied': 'refused',
      '200 ekm_access_denied': 'refused',
      '200 enterprise_is_restricted': 'refused',
      '200 org_login_required': 'refused',
      '200 no_permission': 'limited',
      '200 missing_scope': 'limited',
      '200 ratelimited': 'throttled',
    },
    details: shaped(z.object({ ok: z.literal(true), team: name }), ({ team }, { headers }) => ({
      account: team,
      scopes: listIn(headers['x-oauth-scopes']),
    })),
    tellsScopes: true,
  },
  // https://docs.github.com/en/rest/users/users#get-the-authenticated-user
  github: {
    url: 'https://api.github.com',
    path: '/user',
    headers: (credential) => ({
      ...bearer(credential),
      Accept: 'application/vnd.github+json',
      'X-GitHub-Api-Version': '2022-11-28',
    }),
    code: githubCode,
    meanings: {
      '403 rate_limit_exceeded': 'exhausted',
      '429 rate_limit_exceeded': 'exhausted',
      '403 secondary_rate_limit': 'throttled',
      '403 not_accessible': 'limited',
    },
    details: shaped(z.object({ login: label }), ({ login }, { headers }) => ({
      account: login,
      scopes: listIn(headers['x-oauth-scopes']),
      expiresAt: githubTime(headers['github-authentication-token-expiration']),
    })),
    tellsScopes: true,
    covers: githubCovers,
  },
  // https://docs.stripe.com/api/balance/balance_retrieve; a restricted key that may not read it is answered by 403
  stripe: {
    url: 'https://api.stripe.com',
    path: '/v1/balance',
    headers: bearer,
    code: (answer) => textAt(answer, 'error', 'code') ?? textAt(answer, 'error', 'type'),
    meanings: { '403 invalid_request_error': 'limited', '403 more_permissions_required': 'limited' },
    details: shaped(z.object({ object: z.literal('balance'), livemode: z.boolean() }), ({ livemode }) => ({
      account: livemode ? 'live mode' : 'test mode',
    })),
  },
  // Nothing is published that tells whether a token is good: `url` names something that it may read.
  centerpoint: {
    path: '',
    headers: bearer,
    meanings: { '403': 'refused' },
    details: (_answer, { token }) => ({ expiresAt: claimsOf(token)?.expiresAt }),
    anyBody: true,
  },
  // https://developers.notion.com/reference/get-self and /reference/status-codes
  notion: {
    url: 'https://api.notion.com',
    path: '/v1/users/me',
    headers: (credential) => ({ ...bearer(credential), 'Notion-Version': '2022-06-28' }),
    code: (answer) => textAt(answer, 'code'),
    meanings: { '403 restricted_resource': 'limited' },
    details: shaped(
      z.object({ object: z.literal('user'), bot: z.object({ workspace_name: name }).optional().catch(undefined) }),
      ({ bot }) => ({ account: bot?.workspace_name }),
    ),
  },
  // https://platform.openai.com/docs/guides/error-codes
  openai: {
    url: 'https://api.openai.com',
    path: '/v1/models',
    headers: bearer,
    code: openaiCode,
    meanings: {
      '401 missing_scopes': 'limited',
      '403 missing_scopes': 'limited',
      '429 insufficient_quota': 'exhausted',
      '429 billing_hard_limit_reached': 'exhausted',
      '429 billing_not_active': 'exhausted',
    },
    details: shaped(z.object({ object: z.literal('list') }), () => ({})),
  },
  // https://docs.claude.com/en/api/errors
  anthropic: {
    url: 'https://api.anthropic.com',
    path: '/v1/models?limit=1',
    headers: ({ token }) => ({ 'x-api-key': token, 'anthropic-version': '2023-06-01' }),
    code: (answer) => textAt(answer, 'error', 'type'),
    meanings: { '402 billing_error': 'exhausted', '403 permission_error': 'limited' },
    details: shaped(z.object({ data: z.array(z.unknown()) }), () => ({})),
  },
  // https://ai.google.dev/api/models; the key goes into a header, where no log of a proxy shows it
  'google-ai': {
    url: 'https://generativelanguage.googleapis.com',
    path: '/v1beta/models?pageSize=1',
    headers: ({ token }) => ({ 'x-goog-api-key': token }),
    code: googleCode,
    meanings: { '400 API_KEY_INVALID': 'refused', '403': 'refused' },
    details: shaped(z.object({ models: z.array(z.unknown()) }), () => ({})),
  },
  // https://elevenlabs.io/docs/api-reference/user/get; many a key may speak, but not read whose it is
  elevenlabs: {
    url: 'https://api.elevenlabs.io',
    path: '/v1/user',
    headers: ({ token }) => ({ 'xi-api-key': token }),
    code: (answer) => textAt(answer, 'detail', 'status'),
    meanings: {
      '401 missing_permissions': 'limited',
      '401 quota_exceeded': 'exhausted',
      '400 invalid_api_key': 'refused',
    },
    details: shaped(z.object({ subscription }), ({ subscription: plan }) => ({
      quotaLeft: Math.max(0, plan.character_limit - plan.character_count),
      quotaLimit: plan.character_limit,
      elastic: plan.allowed_to_extend_character_limit,
    })),
  },
  // A key of one project, whose address `url` says. Legacy keys are JWTs with a role and an end.
  supabase: {
    path: '/auth/v1/settings',
    headers: ({ token }) => ({ apikey: token }),
    meanings: {},
    details: (answer, { token }) => {
      if (!z.object({ external: z.record(z.string(), z.unknown()) }).safeParse(answer.json).success) return undefined;
      const claims = claimsOf(token);
      return { expiresAt: claims?.expiresAt, scopes: claims?.role === undefined ? undefined : [claims.role] };
    },
    tellsScopes: true,
  },
  // A personal access token: https://supabase.com/docs/reference/api/introduction
  'supabase-account': {
    url: 'https://api.supabase.com',
    path: '/v1/organizations',
    headers: bearer,
    meanings: {},
    details: shaped(z.array(z.object({ name })), ([first]) => ({ account: first?.name })),
  },
  // https://api-docs.render.com/reference/list-owners
  render: {
    url: 'https://api.render.com',
    path: '/v1/owners?limit=1',
    headers: bearer,
    meanings: {},
    details: shaped(z.array(z.object({ owner: z.object({ name }) })), ([first]) => ({ account: first?.owner.name })),
  },
  // https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata
  vercel: {
    url: 'https://api.vercel.com',
    path: '/v5/user/tokens/current',
    headers: bearer,
    code: vercelCode,
    meanings: { '403 invalid_token': 'refused', '403 no_permission': 'limited' },
    details: shaped(
      z.object({
        token: z.object({
          name,
          expiresAt: z.number().optional().catch(undefined),
          scopes: z
            .array(z.object({ type: z.string() }))
            .optional()
            .catch(undefined),
        }),
      }),
      ({ token }) => ({
        account: token.name,
        expiresAt: token.expiresAt,
        scopes: token.scopes?.map(({ type }) => type),
      }),
    ),
    tellsScopes: true,
  },
  // https://docs.docker.com/reference/api/hub/latest/#tag/authentication-api; makes a token that lives ten minutes, and drops it
  dockerhub: {
    url: 'https://hub.docker.com',
    path: '/v2/auth/token',
    method: 'POST',
    headers: () => ({ 'Content-Type': 'application/json' }),
    body: ({ username, token }) => ({ identifier: username, secret: token }),
    code: (answer) => (textAt(answer, 'login_2fa_token') === undefined ? undefined : 'second_factor'),
    meanings: { '401 second_factor': 'limited' },
    details: (answer, { username }) =>
      textAt(answer, 'access_token') === undefined ? undefined : { account: username },
  },
  // Whatever tells by its status.
  http: {
    path: '',
    headers: ({ token, header, scheme }) => ({ [header]: scheme === '' ? token : `${scheme} ${token}` }),
    meanings: { '402': 'exhausted', '403': 'refused' },
    details: (_answer, { token }) => {
      const claims = claimsOf(token);
      return { expiresAt: claims?.expiresAt, scopes: claims?.scopes };
    },
    tellsScopes: true,
    anyBody: true,
  },
} as const satisfies Record<string, Provider>;

export type ProviderName = keyof typeof providers;
