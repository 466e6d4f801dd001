/** Probe type `credential`: that a token, key or password is there, accepted, allowed enough and not about to end. */
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeOutput, ProbeType, SeriesFamily } from '../ports.ts';
import { type Answer, type Credential, type Finding, findingOf, type Provider } from './credential-answer.ts';
import { keySource } from './credential-keys.ts';
import { type CredentialSpec, credentialSpec, providerOf } from './credential-spec.ts';
import { ProbeFailure } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { readBody } from './http-body.ts';
import { type Access, send } from './http-exchange.ts';
import { parseJson } from './http-fields.ts';
import { firstHop, type Hop, printable } from './http-request.ts';
import type { HttpSpec } from './http-spec.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { connectionFields, runOverConnection } from './server-run.ts';

/** A larger answer is not parsed: it would block every other probe for too long. */
const MAX_ANSWER_BYTES = 2 ** 20;
const MAX_TOKEN_CHARS = 16_384;
const DAY_MS = 86_400_000;
const RENEW_BEFORE_MS = 14 * DAY_MS;

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'Question sent until the headers have come',
  transfer: 'Headers until the answer is complete',
};

const fields: FieldDeclarations = {
  configured: { type: 'bool', summary: 'There is one' },
  valid: { type: 'bool', summary: 'It is accepted; null while that is not known' },
  provider: { type: 'string', summary: 'Whose it is' },
  account: { type: 'string', summary: 'Account, team or workspace that it belongs to; null where that is not told' },
  expires_in_days: { type: 'double', unit: 'd', summary: 'Time to its end; null when it has none, or none is told' },
  renew_before_days: { type: 'double', unit: 'd', summary: 'How long before its end it is to be renewed' },
  scopes: { type: 'list', summary: 'What it may do, the first 100; null where that is not told' },
  missing_scopes: { type: 'list', summary: 'What it must be allowed to do, and is not' },
  quota_left: { type: 'double', summary: 'What may still be used in this period; null where that is not told' },
  quota_limit: { type: 'double', summary: 'What may be used in a whole period' },
  status: { type: 'double', summary: 'Status code of the answer' },
  ...connectionFields(PHASES),
};

const families: readonly SeriesFamily[] = [
  {
    name: 'brainstem_credential_valid',
    help: 'Whether the credential is accepted by its provider.',
    sample: ({ valid, provider }, { probe }) =>
      typeof valid === 'boolean'
        ? [{ labels: { credential: probe, provider: String(provider) }, value: Number(valid) }]
        : undefined,
  },
  {
    name: 'brainstem_credential_expires_seconds',
    help: 'Time until the credential ends, as of its last run.',
    sample: ({ expires_in_days: days, provider }, { probe }) =>
      typeof days === 'number'
        ? [{ labels: { credential: probe, provider: String(provider) }, value: (days * DAY_MS) / 1_000 }]
        : undefined,
  },
];

interface Prepared {
  readonly spec: CredentialSpec;
  readonly provider: Provider | undefined;
  readonly credential: Credential;
  /** undefined: nobody is asked. */
  readonly hop: Hop | undefined;
  readonly access: Access;
  readonly key: ReturnType<typeof keySource>;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createCredential(resolver: NameResolver = createResolver()): ProbeType<typeof credentialSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: CredentialSpec): Prepared => {
    const provider = providerOf(spec);
    const credential = credentialOf(spec);
    const request = problemOf(spec) === undefined ? requestOf(spec, provider, credential) : undefined;
    const hop = request && firstHop(request);
    return { spec, provider, credential, hop, access: accessOf(spec), key: keySource(spec) };
  });
  return {
    name: 'credential',
    summary: 'A token, key or password: that it is accepted, allowed enough, not about to end, and has quota left',
    spec: credentialSpec,
    mainOption: 'provider',
    example: `- name: deploy-token
  every: 1h
  retry_every: 1m
  credential:
    provider: http
    url: "http://127.0.0.1:8080/api/whoami"
    token: "\${DEPLOY_TOKEN:-}"
`,
    fields,
    families,
    impliedWarn: {
      unlessNames: 'expires_in_days',
      source: 'expires_in_days == null || expires_in_days >= renew_before_days',
    },
    defaults: { failAfter: 2, recoverAfter: 1 },
    target: (spec) => {
      const url = urlOf(spec);
      return url === undefined ? spec.provider : printable(new URL(url));
    },
    remote(spec) {
      const url = urlOf(spec);
      return url === undefined ? undefined : new URL(spec.proxy ?? url).hostname;
    },
    run: (spec, _input, context) => runCredential(prepare(spec), resolver, context),
  };
}

export const credential = createCredential();

async function runCredential(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const { spec } = plan;
  const problem = problemOf(spec);
  if (problem !== undefined) return problem;
  const now = context.clock.now();
  const heard = { finding: undefined as Finding | undefined };
  const output = await runOverConnection(context, PHASES, async (line, { seen, fields: found }) => {
    const answer = plan.hop && (await ask(plan.hop, plan.access, { line, resolver, now, seen }));
    found['status'] = answer?.status;
    heard.finding = await judge(plan, answer, now);
  });
  if (heard.finding) return conclude(spec, heard.finding, output.fields, now);
  return {
    reason: output.reason,
    unknown: 'witness_away',
    fields: { ...output.fields, configured: true, provider: spec.provider },
    error: `${spec.provider} cannot tell whether it is valid: ${output.error}`,
  };
}

type Exchange = Parameters<typeof send>[2];

async function ask(hop: Hop, access: Access, exchange: Exchange): Promise<Answer> {
  const response = await send(hop, access, exchange);
  const limits = { maxBytes: MAX_ANSWER_BYTES, keepBytes: MAX_ANSWER_BYTES };
  const body = await readBody(response, limits, exchange.line);
  if (body.truncated) throw new ProbeFailure('body', 'the answer is larger than 1 MiB');
  return { status: response.statusCode ?? 0, headers: response.headers, json: parseJson(body.content.toString()) };
}

async function judge(plan: Prepared, answer: Answer | undefined, now: number): Promise<Finding> {
  const { spec, provider } = plan;
  if (provider && answer) return findingOf(provider, answer, plan.credential);
  // What checks signatures is some 8 MB, which only those pay who have a JWT.
  const { judgeJwt, keySet } = await import('./credential-jwt.ts');
  const key = plan.key();
  if (key) return await judgeJwt(spec, key, now);
  if (answer?.status !== 200) throw new ProbeFailure('http_status', `its keys are not to be had: ${answer?.status}`);
  return await judgeJwt(spec, keySet(answer.json), now);
}

function conclude(spec: CredentialSpec, finding: Finding, seen: Fields, now: number): ProbeOutput {
  const { scopes, expiresAt, quotaLeft, quotaLimit, account } = finding.details;
  const valid = finding.kind !== 'refused';
  const missing = scopes && spec.scopes.filter((wanted) => !isGranted(spec, scopes, wanted));
  const observed: Fields = {
    ...seen,
    ...{ configured: true, valid, provider: spec.provider, account },
    expires_in_days: expiresAt === undefined ? undefined : (expiresAt - now) / DAY_MS,
    renew_before_days: renewBefore(spec) / DAY_MS,
    ...{ scopes: scopes?.slice(0, 100), missing_scopes: missing, quota_left: quotaLeft, quota_limit: quotaLimit },
  };
  const failed = (reason: ProbeOutput['reason'], error: string): ProbeOutput => ({ reason, fields: observed, error });
  if (finding.kind === 'refused') return failed('auth', `the credential is not valid: ${finding.why}`);
  if (finding.kind === 'exhausted') return failed('saturated', `the credential is valid, but has ${finding.why}`);
  if (missing && missing.length > 0) return failed('condition', `it lacks the scopes ${missing.join(', ')}`);
  if (!missing && spec.scopes.length > 0) {
    return failed('condition', `it must have the scopes ${spec.scopes.join(', ')}, and does not tell which it has`);
  }
  return { reason: 'ok', fields: observed };
}

function isGranted(spec: CredentialSpec, granted: readonly string[], wanted: string): boolean {
  const covers = providerOf(spec)?.covers;
  return granted.some((scope) => scope === wanted || covers?.(scope, wanted) === true);
}

function renewBefore({ provider, renew_before: before }: CredentialSpec): number {
  return before ?? (provider === 'jwt' ? 0 : RENEW_BEFORE_MS);
}

/** What can be told without asking anybody; undefined: nothing. */
function problemOf({ token, provider }: CredentialSpec): ProbeOutput | undefined {
  if (token === '') {
    const absent = { configured: false, valid: false, provider };
    return { reason: 'not_found', fields: absent, error: 'no credential is configured' };
  }
  const refused = (why: string): ProbeOutput => {
    const seen = { configured: true, valid: false, provider };
    return { reason: 'auth', fields: seen, error: `the credential is not valid: ${why}` };
  };
  if (token.length > MAX_TOKEN_CHARS) return refused('it is longer than 16 KiB');
  if (token.trim() !== token) return refused('it begins or ends with a blank or a line break');
  if (provider === 'dockerhub' || /^[\x20-\x7e]*$/.test(token)) return undefined;
  return refused('it holds a character that no header can carry');
}

function credentialOf({ token, username = '', header = 'Authorization', scheme }: CredentialSpec): Credential {
  const usual = header.toLowerCase() === 'authorization' ? 'Bearer' : '';
  return { token, username, header, scheme: scheme ?? usual };
}

function urlOf(spec: CredentialSpec): string | undefined {
  const provider = providerOf(spec);
  if (!provider) return spec.jwks;
  const base = spec.url ?? provider.url;
  if (base === undefined || provider.path === '') return base;
  const url = new URL(base);
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}${provider.path}`;
}

function requestOf(spec: CredentialSpec, provider: Provider | undefined, asked: Credential): HttpSpec | undefined {
  const url = urlOf(spec);
  if (url === undefined) return undefined;
  const body = provider?.body?.(asked);
  return {
    url,
    method: provider?.method ?? 'GET',
    headers: { Accept: 'application/json', ...provider?.headers(asked) },
    body: body === undefined ? undefined : JSON.stringify(body),
    ...{ tls: spec.tls, proxy: spec.proxy, ip_protocol: spec.ip_protocol, resolver: spec.resolver },
    // A credential goes where the definition says, and nowhere else.
    ...{ redirects: 0, allow_downgrade: false, max_body: MAX_ANSWER_BYTES },
  };
}
