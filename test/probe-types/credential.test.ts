import { randomBytes } from 'node:crypto';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { credential } from '../../src/probe-types/credential.ts';
import { providers } from '../../src/probe-types/credential-providers.ts';
import { type FakeProvider, startFakeProvider } from '../estate/fake-providers.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import { startSilentNameServer } from '../estate/hostile-names.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  flood,
  listen,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
} from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';
import { contracts, type FakeAnswer } from '../estate/provider-contracts.ts';

const NOW = Date.UTC(2026, 0, 1);
const clock = { now: () => NOW, monotonic: () => performance.now() };
const TOKEN = `value-${randomBytes(12).toString('hex')}`;

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(credential, credential.spec.parse({ token: TOKEN, ...spec }) as never, {
    clock,
    timeoutMs: 20_000,
    ...options,
  });

/** Asks a fake provider that gives this answer. */
async function hear(fake: FakeProvider, provider: string, answer: FakeAnswer, more: Record<string, unknown> = {}) {
  fake.answer = answer;
  return await ask({ provider, url: fake.url, ...contracts[provider]?.spec, ...more });
}

test('every provider of the table has its contract in the tests', () => {
  expect(Object.keys(contracts).toSorted()).toEqual(Object.keys(providers).toSorted());
});

describe.each(Object.entries(contracts))('%s', (provider, contract) => {
  test('accepts a credential, and tells what it tells', async () => {
    const fake = await startFakeProvider(provider, TOKEN);
    const output = await hear(fake, provider, contract.good);
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({ reason: 'ok', fields: { configured: true, valid: true, provider } });
    expect(output.fields).toMatchObject(contract.told);
    expect(output.unknown).toBeUndefined();
  });

  test('tells refused from limited, exhausted and silent', async () => {
    const fake = await startFakeProvider(provider, TOKEN);
    for (const answer of contract.refused) {
      const output = await hear(fake, provider, answer);
      expect(output, JSON.stringify(answer)).toMatchObject({ reason: 'auth', fields: { valid: false } });
      expect(output.unknown).toBeUndefined();
    }
    for (const answer of contract.limited ?? []) {
      const output = await hear(fake, provider, answer);
      expect(output, JSON.stringify(answer)).toMatchObject({ reason: 'ok', fields: { valid: true } });
    }
    for (const answer of contract.exhausted ?? []) {
      const output = await hear(fake, provider, answer);
      expect(output, JSON.stringify(answer)).toMatchObject({
        reason: 'saturated',
        fields: { valid: true, quota_left: 0 },
      });
      expect(output.unknown).toBeUndefined();
    }
    for (const answer of contract.silent ?? []) {
      const output = await hear(fake, provider, answer);
      expect(output, JSON.stringify(answer)).toMatchObject({ unknown: 'witness_away', error: expect.any(String) });
      expect(output.fields['valid']).toBeUndefined();
    }
  });

  test('takes no outage for a bad credential', async () => {
    const fake = await startFakeProvider(provider, TOKEN);
    const outages: readonly (readonly [FakeAnswer, string])[] = [
      [{ status: 500, body: { message: 'internal' } }, 'http_status'],
      [{ status: 502, body: '<html>Bad Gateway</html>' }, 'http_status'],
      [{ status: 503, headers: { 'retry-after': '5' }, body: '' }, 'http_status'],
      [{ status: 429, headers: { 'retry-after': '5' }, body: '' }, 'saturated'],
    ];
    for (const [answer, reason] of outages) {
      const output = await hear(fake, provider, answer);
      expect(output, JSON.stringify(answer)).toMatchObject({ reason, unknown: 'witness_away' });
    }
    const redirect = { status: 302, headers: { location: 'https://login.example/' }, body: {} };
    expect(await hear(fake, provider, redirect)).toMatchObject({ reason: 'http_status', unknown: 'witness_away' });
    if (provider === 'http' || provider === 'centerpoint') return;
    for (const body of ['<html>Sign in to the network</html>', '{"ok":', {}, [], null, 'true']) {
      if (Array.isArray(body) && Array.isArray(contract.good.body)) continue;
      const output = await hear(fake, provider, { status: 200, body });
      expect(output, JSON.stringify(body)).toMatchObject({ reason: 'protocol', unknown: 'witness_away' });
    }
    const page = { status: 401, body: '<html>Proxy authentication</html>' };
    expect(await hear(fake, provider, page)).toMatchObject({ reason: 'protocol', unknown: 'witness_away' });
  });
});

describe('scopes', () => {
  test('that are missing fail with their names', async () => {
    const fake = await startFakeProvider('slack', TOKEN);
    const { good } = contracts['slack'] as (typeof contracts)[string];
    expect(await hear(fake, 'slack', good, { scopes: ['chat:write'] })).toMatchObject({
      reason: 'ok',
      fields: { missing_scopes: [] },
    });
    expect(await hear(fake, 'slack', good, { scopes: ['chat:write', 'files:write'] })).toMatchObject({
      reason: 'condition',
      error: 'it lacks the scopes files:write',
      fields: { valid: true, missing_scopes: ['files:write'] },
    });
  });

  test.each([
    ['repo', 'repo:status', true],
    ['repo', 'public_repo', true],
    ['admin:org', 'read:org', true],
    ['write:packages', 'read:packages', true],
    ['user', 'user:email', true],
    ['user', 'read:user', true],
    ['public_repo', 'repo', false],
    ['read:org', 'write:org', false],
    ['admin:org', 'read:packages', false],
    ['gist', 'repo', false],
    ['constructor:org', 'write:org', false],
  ])('of GitHub: %s stands for %s: %s', async (granted, wanted, isEnough) => {
    const fake = await startFakeProvider('github', TOKEN);
    const answer = { status: 200, headers: { 'x-oauth-scopes': granted }, body: { login: 'octocat' } };
    const { reason } = await hear(fake, 'github', answer, { scopes: [wanted] });
    expect(reason).toBe(isEnough ? 'ok' : 'condition');
  });

  test('that are not told do not pass', async () => {
    const fake = await startFakeProvider('github', TOKEN);
    const output = await hear(fake, 'github', { status: 200, body: { login: 'octocat' } }, { scopes: ['repo'] });
    expect(output).toMatchObject({ reason: 'condition', error: expect.stringContaining('does not tell') });
  });
});

test('a quota that may be exceeded is not exhausted', async () => {
  const fake = await startFakeProvider('elevenlabs', TOKEN);
  const plan = { character_count: 1_200, character_limit: 1_000, allowed_to_extend_character_limit: true };
  const output = await hear(fake, 'elevenlabs', { status: 200, body: { subscription: plan } });
  expect(output).toMatchObject({ reason: 'ok', fields: { quota_left: 0, quota_limit: 1_000 } });
});

test('a legacy key of Supabase tells its role and its end', async () => {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const key = [part({ alg: 'HS256' }), part({ role: 'service_role', exp: NOW / 1_000 + 3 * 86_400 }), 'signature'].join(
    '.',
  );
  const fake = await startFakeProvider('supabase', key);
  const output = await hear(fake, 'supabase', (contracts['supabase'] as (typeof contracts)[string]).good, {
    token: key,
  });
  expect(output.fields).toMatchObject({ scopes: ['service_role'], expires_in_days: 3 });
});

test('the word before the token, and no word', async () => {
  const seen: (string | undefined)[] = [];
  const { port } = await serveHttp((request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  });
  const url = `http://127.0.0.1:${port}`;
  await ask({ provider: 'http', url });
  await ask({ provider: 'http', url, scheme: 'token' });
  await ask({ provider: 'http', url, scheme: '' });
  expect(seen).toEqual([`Bearer ${TOKEN}`, `token ${TOKEN}`, TOKEN]);
});

describe('without asking anybody', () => {
  test('a credential that is not set is told', async () => {
    const output = await ask({ provider: 'http', url: 'http://127.0.0.1:1', token: '' });
    expect(output).toMatchObject({ reason: 'not_found', fields: { configured: false, valid: false } });
  });

  test.each([
    ['a line break at its end', `${TOKEN}\n`, /blank or a line break/],
    ['a header within', `${TOKEN}\r\nX-Evil: 1`, /no header can carry/],
    ['letters that no header carries', `${TOKEN}ü`, /no header can carry/],
    ['a whole file', 'x'.repeat(20_000), /longer than 16 KiB/],
  ])('%s is refused', async (_name, token, message) => {
    const output = await ask({ provider: 'http', url: 'http://127.0.0.1:1', token });
    expect(output).toMatchObject({ reason: 'auth', fields: { valid: false }, error: expect.stringMatching(message) });
  });
});

describe('a provider that cannot be heard leaves the credential unknown', () => {
  const cases: Record<string, readonly [string, number, () => Promise<Record<string, unknown>>]> = {
    refused: ['connect_refused', 10_000, async () => ({ url: `http://127.0.0.1:${await closedPort()}` })],
    'no name': [
      'dns',
      400,
      async () => ({ url: 'http://api.test', resolver: (await startSilentNameServer()).address }),
    ],
    'an unknown name': ['dns', 10_000, async () => ({ url: 'http://api.invalid' })],
    'no connection': ['connect_timeout', 400, async () => ({ url: `http://127.0.0.1:${await deafPort()}` })],
    'no handshake': ['timeout', 400, async () => ({ url: `https://127.0.0.1:${(await serveRaw(() => {})).port}` })],
    'no answer': ['timeout', 400, async () => ({ url: `http://127.0.0.1:${(await serveRaw(() => {})).port}` })],
    'half a head': ['timeout', 400, async () => raw('HTTP/1.1 200 OK\r\nContent-')],
    'half a body': [
      'timeout',
      400,
      async () => raw('HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\n{"message"'),
    ],
    'a cut body': ['protocol', 10_000, async () => raw('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{', 'end')],
    'another protocol': ['protocol', 10_000, async () => raw('SSH-2.0-OpenSSH_9\r\n')],
    'a drip': ['timeout', 400, async () => dripping()],
    'a flood': ['body', 10_000, async () => flooding()],
    'endless nesting': ['protocol', 10_000, async () => raw(answer('['.repeat(100_000)))],
    'an untrusted certificate': ['tls', 10_000, async () => ({ url: await untrusted() })],
  };

  const answer = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  async function raw(bytes: string, after?: 'end') {
    const { port } = await serveRaw(answering(bytes, (socket) => void (after && socket.end())));
    return { url: `http://127.0.0.1:${port}` };
  }

  async function dripping() {
    const { port } = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
      drip(socket, ' ', 20);
    });
    return { url: `http://127.0.0.1:${port}` };
  }

  async function flooding() {
    const { port } = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[');
      flood(socket, '1,'.repeat(10_000));
    });
    return { url: `http://127.0.0.1:${port}` };
  }

  async function untrusted() {
    const authority = await createAuthority();
    onTestFinished(() => authority.remove());
    const server = createServer(await authority.selfSigned('api'), (_request, response) => response.end('{}'));
    return `https://127.0.0.1:${(await listen(server)).port}`;
  }

  test.each(Object.entries(cases))('%s', async (_name, [reason, timeoutMs, target]) => {
    const spec = { provider: 'github', ...(await target()) };
    const began = performance.now();
    const output = await ask(spec, { timeoutMs });
    expect(performance.now() - began).toBeLessThan(timeoutMs + 1_000);
    expect(output).toMatchObject({ reason, unknown: 'witness_away', fields: { configured: true } });
    expect(output.fields['valid']).toBeUndefined();
    expect(output.error).toMatch(/^github cannot tell whether it is valid: /);
    expect(JSON.stringify(output)).not.toContain(TOKEN);
  });
});

test('over TLS the certificate is judged before the credential is sent', async () => {
  const authority = await createAuthority();
  onTestFinished(() => authority.remove());
  const heard: string[] = [];
  const pair = await authority.issue('api', { names: 'IP:127.0.0.1', days: 30 });
  const server = createServer(pair, (request, response) => {
    heard.push(String(request.headers.authorization));
    response.end('{"login":"octocat"}');
  });
  const url = `https://127.0.0.1:${(await listen(server)).port}`;
  const fields = { certificate: { subject: 'CN=api,O=Test' } };
  expect(await ask({ provider: 'github', url })).toMatchObject({ reason: 'tls', unknown: 'witness_away', fields });
  expect(heard).toEqual([]);
  const trusting = { provider: 'github', url, tls: { ca: join(authority.folder, 'ca.pem') } };
  expect(await ask(trusting)).toMatchObject({ reason: 'ok', fields });
  expect(heard).toEqual([`Bearer ${TOKEN}`]);
});

test('a provider that says everything that it heard tells nobody else', async () => {
  const { port } = await serveHttp((request, response) => {
    const said = String(request.headers.authorization);
    response.writeHead(401, { 'content-type': 'application/json', 'x-oauth-scopes': 'none' });
    response.end(JSON.stringify({ error: { code: said, type: said, message: said }, message: said, code: said }));
  });
  for (const provider of ['openai', 'notion', 'stripe', 'github', 'http']) {
    const output = await ask({ provider, url: `http://user:${TOKEN}@127.0.0.1:${port}/` });
    expect(output.reason).toBe('auth');
    expect(JSON.stringify(output)).not.toContain(TOKEN);
  }
});

test('series: accepted or not, and the time to its end; nothing while it is unknown', async () => {
  const [valid, expires] = credential.families;
  const observation = { probe: 'deploy-token', startedAt: NOW, latencyMs: 1, reason: 'ok' as const, fields: {} };
  const labels = { credential: 'deploy-token', provider: 'github' };
  const fields = { valid: true, provider: 'github', expires_in_days: 2 };
  expect(valid?.sample(fields, observation)).toEqual([{ labels, value: 1 }]);
  expect(expires?.sample(fields, observation)).toEqual([{ labels, value: 172_800 }]);
  expect(valid?.sample({ ...fields, valid: false }, observation)).toEqual([{ labels, value: 0 }]);
  expect(valid?.sample({ provider: 'github' }, observation)).toBeUndefined();
  expect(expires?.sample({ provider: 'github', valid: true }, observation)).toBeUndefined();
});

test('hundreds of runs leave nothing behind', async () => {
  const fake = await startFakeProvider('github', TOKEN);
  const spec = { provider: 'github', url: fake.url };
  await leavesNothing(async () => expect((await ask(spec)).reason).toBe('ok'), 300, 50);
  const { port } = await serveRaw(() => {});
  const silent = { provider: 'github', url: `http://127.0.0.1:${port}` };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'));
});

test('a thousand runs of one definition grow nothing', async () => {
  const fake = await startFakeProvider('github', TOKEN);
  const spec = credential.spec.parse({ provider: 'github', token: TOKEN, url: fake.url }) as never;
  await doesNotGrow(async () => expect((await probe(credential, spec, { clock })).reason).toBe('ok'));
});

describe('definition', () => {
  test.each<readonly [Record<string, unknown>, RegExp]>([
    [{ provider: 'nobody' }, /./],
    [{ provider: 'http' }, /url.*needed|needed for http/],
    [{ provider: 'supabase' }, /needed for supabase/],
    [{ provider: 'dockerhub' }, /needed for dockerhub/],
    [{ provider: 'openai', scopes: ['x'] }, /does not tell the scopes/],
    [{ provider: 'github', header: 'X-Key' }, /an option of http/],
    [{ provider: 'github', username: 'me' }, /an option of dockerhub/],
    [{ provider: 'github', url: 'ftp://h' }, /is not a URL/],
    [{ provider: 'http', url: 'http://h', header: 'a b' }, /not the name of a header/],
    [{ provider: 'jwt' }, /exactly one of key, secret and jwks/],
    [{ provider: 'jwt', secret: 's', jwks: 'http://h' }, /exactly one of key, secret and jwks/],
    [{ provider: 'jwt', key: 'no' }, /not a public key/],
    [{ provider: 'jwt', secret: 's', url: 'http://h' }, /not asked for a jwt/],
  ])('%j is refused', (spec, message) => {
    const issues = credential.spec.safeParse({ token: 't', ...spec }).error?.issues ?? [];
    expect(issues.map((issue) => issue.message).join('\n')).toMatch(message);
  });

  test.each([
    [{ provider: 'github' }, 'https://api.github.com/user', 'api.github.com'],
    [{ provider: 'anthropic' }, 'https://api.anthropic.com/v1/models', 'api.anthropic.com'],
    [
      { provider: 'github', url: `https://u:${TOKEN}@ghe.example/api/v3/?x=1` },
      'https://ghe.example/api/v3/user',
      'ghe.example',
    ],
    [{ provider: 'jwt', secret: 'shared-secret' }, 'jwt', undefined],
    [{ provider: 'jwt', jwks: 'https://id.example/keys' }, 'https://id.example/keys', 'id.example'],
  ])('the target of %j is without credentials', (given, target, remote) => {
    const spec = credential.spec.parse({ token: TOKEN, ...given }) as never;
    expect(credential.target(spec)).toBe(target);
    expect(credential.remote?.(spec)).toBe(remote);
  });

  test('the example is valid', () => {
    const [definition] = parse(credential.example);
    expect(credential.spec.safeParse(definition.credential).error).toBeUndefined();
  });
});
