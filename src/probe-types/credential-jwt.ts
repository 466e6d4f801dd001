/** A JWT (RFC 7519), judged here: its signature by a key that the definition names, and the times within it. */
import { createLocalJWKSet, errors, type JWTVerifyOptions, jwtVerify, type LocalJWKSet } from 'jose';
import type { Details, Finding } from './credential-answer.ts';
import { claimsOf } from './credential-claims.ts';
import { algorithmsOf, type Key } from './credential-keys.ts';
import type { CredentialSpec } from './credential-spec.ts';
import { ProbeFailure } from './failure.ts';

/** Keys of one set that are tried where the token does not say which. */
const MAX_KEYS = 20;

/** Throws a ProbeFailure when it is no set of keys (RFC 7517). */
export function keySet(json: unknown): LocalJWKSet {
  try {
    // jose checks the shape itself.
    return createLocalJWKSet(json as Parameters<typeof createLocalJWKSet>[0]);
  } catch (error) {
    throw new ProbeFailure('protocol', 'what answers is no set of keys (JWKS)', { cause: error });
  }
}

/** Throws a ProbeFailure when the keys are of no use, so that nothing can be told. */
export async function judgeJwt(spec: CredentialSpec, key: Key, now: number): Promise<Finding> {
  const claims = claimsOf(spec.token);
  const details: Details = { expiresAt: claims?.expiresAt, scopes: claims?.scopes };
  const options: JWTVerifyOptions = {
    algorithms: [...algorithmsOf(key)] as NonNullable<JWTVerifyOptions['algorithms']>,
    currentDate: new Date(now),
    clockTolerance: spec.leeway / 1_000,
    ...(spec.issuer !== undefined && { issuer: spec.issuer }),
    ...(spec.audience !== undefined && { audience: spec.audience }),
  };
  try {
    await verify(spec.token, key, options);
    return { kind: 'accepted', details };
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) {
      throw new ProbeFailure('protocol', 'the set holds a key that cannot be used', { cause: error });
    }
    return { kind: 'refused', details, why: describe(error) };
  }
}

async function verify(token: string, key: Key, options: JWTVerifyOptions): Promise<void> {
  try {
    await jwtVerify(token, key as Parameters<typeof jwtVerify>[1], options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    await verifyByAny(token, error, options);
  }
}

/** The token names no key: it is good when one of those that fit verifies it. */
async function verifyByAny(
  token: string,
  candidates: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<void> {
  let tried = 0;
  for await (const candidate of candidates) {
    try {
      await jwtVerify(token, candidate, options);
      return;
    } catch (error) {
      tried += 1;
      if (!(error instanceof errors.JWSSignatureVerificationFailed) || tried === MAX_KEYS) throw error;
    }
  }
  throw new errors.JWSSignatureVerificationFailed();
}

const WORDS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'it has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'its signature does not verify',
  ERR_JWKS_NO_MATCHING_KEY: 'no key of the set fits it',
  ERR_JOSE_ALG_NOT_ALLOWED: 'it is signed by an algorithm that this key does not allow',
  ERR_JOSE_NOT_SUPPORTED: 'it is signed in a way that is not supported',
};

function describe(error: errors.JOSEError): string {
  if (!(error instanceof errors.JWTClaimValidationFailed)) return WORDS[error.code] ?? 'it is not a signed JWT';
  if (error.claim === 'nbf' && error.reason === 'check_failed') return 'it is not valid yet';
  return `its claim ${error.claim} is not as it must be`;
}
