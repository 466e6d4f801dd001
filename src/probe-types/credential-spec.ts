/** The options of the `credential` probe type. */
import { validateHeaderName } from 'node:http';
import { z } from 'zod';
import { httpUrl, optionalSecret } from '../shared/http-options.ts';
import { duration, secret } from '../spec.ts';
import { routeOptions } from './connection.ts';
import type { Provider } from './credential-answer.ts';
import { keyProblem } from './credential-keys.ts';
import { type ProviderName, providers } from './credential-providers.ts';
import { httpSpec } from './http-spec.ts';

const NAMES = [...(Object.keys(providers) as ProviderName[]), 'jwt'] as const;

/** What only one provider takes. */
const ONLY = {
  username: 'dockerhub',
  header: 'http',
  scheme: 'http',
  key: 'jwt',
  secret: 'jwt',
  jwks: 'jwt',
  issuer: 'jwt',
  audience: 'jwt',
} as const;

const options = z.strictObject({
  provider: z
    .enum(NAMES)
    .describe('Whose credential it is; http: of anything that answers by status; jwt: a token that is judged here'),
  token: optionalSecret().describe('The token, key or password. Empty (`${TOKEN:-}`): it is not configured'),
  username: z.string().min(1).optional().describe('Of a Docker Hub account, or the name of an organization'),
  url: httpUrl(['http:', 'https:'])
    .optional()
    .describe(
      'Where the API is, when elsewhere than at the provider. supabase: the project. http and centerpoint: all of what is asked by GET',
    ),
  scopes: z
    .array(z.string().min(1))
    .max(100)
    .default([])
    .describe('What it must be allowed to do, in the provider’s words'),
  renew_before: duration()
    .optional()
    .describe('How long before its end it is to be renewed: from then on DEGRADED. Default 14d; 0s for jwt'),
  header: z
    .string()
    .refine(isHeaderName, 'is not the name of a header')
    .optional()
    .describe('The header that carries the token. Default Authorization'),
  scheme: z
    .string()
    .regex(/^[\w-]*$/, 'may hold only letters, digits, "_" and "-"')
    .optional()
    .describe('Word before the token. Default Bearer in Authorization, else none'),
  key: z
    .string()
    .superRefine(checkKey)
    .optional()
    .describe('Public key or certificate: PEM text, or the absolute path of a PEM file, read again when it changes'),
  secret: secret().optional().describe('Shared secret, of HS256, HS384 and HS512'),
  jwks: httpUrl(['http:', 'https:']).optional().describe('Where the public keys are published (RFC 7517)'),
  issuer: z.string().min(1).optional().describe('Who must have issued it'),
  audience: z.string().min(1).optional().describe('For whom it must be'),
  leeway: duration().prefault('5s').describe('How far the clocks of who signs and who checks may differ'),
  tls: httpSpec.shape.tls,
  proxy: httpSpec.shape.proxy,
  ...routeOptions,
});

export const credentialSpec = options.superRefine(checkTogether);
export type CredentialSpec = z.output<typeof options>;

export function providerOf({ provider }: CredentialSpec): Provider | undefined {
  return provider === 'jwt' ? undefined : providers[provider];
}

function checkTogether(spec: CredentialSpec, context: z.RefinementCtx): void {
  const { provider, url, username, scopes } = spec;
  const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  for (const [option, of] of Object.entries(ONLY)) {
    if (spec[option as keyof typeof ONLY] !== undefined && provider !== of) complain(option, `is an option of ${of}`);
  }
  if (provider === 'jwt') {
    checkJwt(spec, complain);
    return;
  }
  const row: Provider = providers[provider];
  if (row.url === undefined && url === undefined) complain('url', `is needed for ${provider}`);
  if (provider === 'dockerhub' && username === undefined) complain('username', 'is needed for dockerhub');
  if (scopes.length > 0 && row.tellsScopes !== true) {
    complain('scopes', `cannot be checked: ${provider} does not tell the scopes of a credential`);
  }
}

function checkJwt(spec: CredentialSpec, complain: (path: string, message: string) => void): void {
  if (spec.url !== undefined) complain('url', 'is not asked for a jwt; its keys are at `jwks`');
  const given = [spec.key, spec.secret, spec.jwks].filter((one) => one !== undefined).length;
  if (given !== 1) complain('provider', 'needs exactly one of key, secret and jwks to check a jwt by');
}

function checkKey(key: string, context: z.RefinementCtx): void {
  const problem = key.startsWith('/') ? undefined : keyProblem(key);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
}

function isHeaderName(name: string): boolean {
  try {
    validateHeaderName(name);
    return true;
  } catch {
    return false;
  }
}
