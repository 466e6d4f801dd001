import { createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { credential } from '../../src/probe-types/credential.ts';
import { closedPort, probe, serveHttp } from '../estate/hostile-network.ts';
import { leavesNothing } from '../estate/leaks.ts';

const NOW = Date.UTC(2026, 0, 1);
const DAY_S = 86_400;
const clock = { now: () => NOW, monotonic: () => performance.now() };
const SHARED = ['shared', 'by', 'both', 'sides', 'of', 'it'].join('-');

const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const edwards = generateKeyPairSync('ed25519');
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

const sign = (key: KeyObject, alg: string, claims: JWTPayload = {}, header: Record<string, unknown> = {}) =>
  new SignJWT({ exp: NOW / 1_000 + DAY_S, ...claims }).setProtectedHeader({ alg, ...header }).sign(key);

const ask = (spec: Record<string, unknown>, timeoutMs = 20_000) =>
  probe(credential, credential.spec.parse({ provider: 'jwt', ...spec }) as never, { clock, timeoutMs });

async function serveKeys(answer: unknown, status = 200): Promise<string> {
  const { port } = await serveHttp((_request, response) => {
    response.writeHead(status);
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  return `http://127.0.0.1:${port}/keys`;
}

const jwk = async (key: KeyObject, kid: string, rest: Record<string, unknown> = {}) => ({
  ...(await exportJWK(key)),
  kid,
  use: 'sig',
  ...rest,
});

describe('a signature', () => {
  test.each<[string, () => Promise<string>, Record<string, unknown>]>([
    ['by RSA', () => sign(rsa.privateKey, 'RS256'), { key: pem(rsa.publicKey) }],
    ['by RSA-PSS', () => sign(rsa.privateKey, 'PS512'), { key: pem(rsa.publicKey) }],
    ['by an elliptic curve', () => sign(curve.privateKey, 'ES256'), { key: pem(curve.publicKey) }],
    ['by Ed25519', () => sign(edwards.privateKey, 'EdDSA'), { key: pem(edwards.publicKey) }],
    ['by a shared secret', () => sign(createSecretKey(Buffer.from(SHARED)), 'HS256'), { secret: SHARED }],
  ])('%s verifies', async (_name, token, spec) => {
    const output = await ask({ token: await token(), ...spec });
    expect(output.error).toBeUndefined();
    expect(output).toMatchObject({ reason: 'ok', fields: { valid: true, expires_in_days: 1 } });
  });

  test('by another key does not', async () => {
    const output = await ask({ token: await sign(other.privateKey, 'RS256'), key: pem(rsa.publicKey) });
    expect(output).toMatchObject({ reason: 'auth', error: expect.stringContaining('does not verify') });
  });

  test('made with the public key as if it were a secret is not taken', async () => {
    const forged = await sign(createSecretKey(Buffer.from(pem(rsa.publicKey))), 'HS256');
    expect(await ask({ token: forged, key: pem(rsa.publicKey) })).toMatchObject({
      reason: 'auth',
      error: expect.stringContaining('algorithm'),
    });
  });

  test('of none is not taken', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part({ exp: NOW / 1_000 + DAY_S })}.`;
    for (const by of [{ key: pem(rsa.publicKey) }, { secret: SHARED }]) {
      expect(await ask({ token, ...by })).toMatchObject({ reason: 'auth', fields: { valid: false } });
    }
  });

  test.each(['x', 'a.b', 'a.b.c', '..', 'a.b.c.d.e'])('of %j is not one', async (token) => {
    expect(await ask({ token, secret: SHARED })).toMatchObject({ reason: 'auth', fields: { valid: false } });
  });
});

describe('the times and claims within', () => {
  const key = pem(rsa.publicKey);

  test('a token that has expired says since when', async () => {
    const output = await ask({ token: await sign(rsa.privateKey, 'RS256', { exp: NOW / 1_000 - 2 * DAY_S }), key });
    expect(output).toMatchObject({ reason: 'auth', fields: { valid: false, expires_in_days: -2 } });
    expect(output.error).toContain('expired');
  });

  test('a token without an end has none', async () => {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey);
    const output = await ask({ token, key });
    expect(output.reason).toBe('ok');
    expect(output.fields['expires_in_days']).toBeUndefined();
  });

  test('a token that is not valid yet', async () => {
    const output = await ask({ token: await sign(rsa.privateKey, 'RS256', { nbf: NOW / 1_000 + 60 }), key });
    expect(output).toMatchObject({ reason: 'auth', error: expect.stringContaining('not valid yet') });
    const skewed = await sign(rsa.privateKey, 'RS256', { nbf: NOW / 1_000 + 3 });
    expect(await ask({ token: skewed, key })).toMatchObject({ reason: 'ok' });
    expect(await ask({ token: skewed, key, leeway: '0s' })).toMatchObject({ reason: 'auth' });
  });

  test('issuer, audience and scopes', async () => {
    const token = await sign(rsa.privateKey, 'RS256', {
      iss: 'https://id.example',
      aud: 'estate',
      scope: 'read write',
    });
    const right = { token, key, issuer: 'https://id.example', audience: 'estate' };
    expect(await ask({ ...right, scopes: ['read'] })).toMatchObject({
      reason: 'ok',
      fields: { scopes: ['read', 'write'] },
    });
    expect(await ask({ ...right, scopes: ['admin'] })).toMatchObject({ reason: 'condition' });
    expect(await ask({ ...right, issuer: 'https://evil.example' })).toMatchObject({ reason: 'auth' });
    expect(await ask({ ...right, audience: 'other' })).toMatchObject({ reason: 'auth' });
  });
});

describe('a set of keys', () => {
  test('is asked for, and the right one of it verifies', async () => {
    const jwks = await serveKeys({ keys: [await jwk(other.publicKey, 'old'), await jwk(rsa.publicKey, 'new')] });
    expect(await ask({ token: await sign(rsa.privateKey, 'RS256', {}, { kid: 'new' }), jwks })).toMatchObject({
      reason: 'ok',
      fields: { status: 200 },
    });
    expect(await ask({ token: await sign(rsa.privateKey, 'RS256', {}, { kid: 'old' }), jwks })).toMatchObject({
      reason: 'auth',
      error: expect.stringContaining('does not verify'),
    });
    expect(await ask({ token: await sign(rsa.privateKey, 'RS256', {}, { kid: 'gone' }), jwks })).toMatchObject({
      reason: 'auth',
      error: expect.stringContaining('no key of the set'),
    });
    // Without a name each that fits is tried.
    expect(await ask({ token: await sign(rsa.privateKey, 'RS256'), jwks })).toMatchObject({ reason: 'ok' });
  });

  test('with a secret in it verifies nothing by that', async () => {
    const secret = createSecretKey(Buffer.from(SHARED));
    const jwks = await serveKeys({ keys: [{ kty: 'oct', kid: 'a', k: Buffer.from(SHARED).toString('base64url') }] });
    const output = await ask({ token: await sign(secret, 'HS256', {}, { kid: 'a' }), jwks });
    expect(output).toMatchObject({ reason: 'auth', error: expect.stringContaining('algorithm') });
  });

  test.each<[string, unknown, number, string]>([
    ['an error', { message: 'down' }, 503, 'http_status'],
    ['a page', '<html></html>', 200, 'protocol'],
    ['something else', { message: 'hello' }, 200, 'protocol'],
    ['keys that are none', { keys: [{ kty: 'RSA', kid: 'a', n: 'x', e: 'AQAB' }] }, 200, 'protocol'],
    ['far too much', `{"keys":[${'{"kty":"x"},'.repeat(200_000)}`, 200, 'body'],
  ])('that is %s leaves the token unknown', async (_name, answer, status, reason) => {
    const token = await sign(rsa.privateKey, 'RS256', {}, { kid: 'a' });
    const output = await ask({ token, jwks: await serveKeys(answer, status) });
    expect(output).toMatchObject({ reason, unknown: 'witness_away' });
    expect(output.fields['valid']).toBeUndefined();
  });

  test('that is not to be had leaves the token unknown', async () => {
    const token = await sign(rsa.privateKey, 'RS256');
    const jwks = `http://127.0.0.1:${await closedPort()}`;
    expect(await ask({ token, jwks })).toMatchObject({ reason: 'connect_refused', unknown: 'witness_away' });
  });
});

test('a key file is read again when it changes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'credential-key-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'key.pem');
  const spec = credential.spec.parse({ provider: 'jwt', token: await sign(rsa.privateKey, 'RS256'), key: file });
  const run = () => probe(credential, spec as never, { clock });
  await expect(run()).rejects.toThrow(/no file/);
  await writeFile(file, pem(other.publicKey));
  expect((await run()).reason).toBe('auth');
  await writeFile(file, `${pem(rsa.publicKey)}\n`);
  expect((await run()).reason).toBe('ok');
  await writeFile(file, 'rubbish');
  await expect(run()).rejects.toThrow(/not a public key/);
});

test('hundreds of runs leave nothing behind', async () => {
  const jwks = await serveKeys({ keys: [await jwk(rsa.publicKey, 'a')] });
  const token = await sign(rsa.privateKey, 'RS256', {}, { kid: 'a' });
  await leavesNothing(async () => expect((await ask({ token, jwks })).reason).toBe('ok'), 200, 50);
});
