/** Keys by which a JWT is checked, and what each may verify. */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { LocalJWKSet } from 'jose';
import { messageOf, PermanentError } from '../errors.ts';
import { cachedFile } from './cached-file.ts';

export type Key = KeyObject | LocalJWKSet;

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const SHORTEST_RSA_BITS = 2_048;

/** By the kind of a key, or its curve. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  rsa: RSA,
  'rsa-pss': RSA.slice(3),
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
  ed25519: ['EdDSA', 'Ed25519'],
};
/** A public key never verifies what a secret could have signed: whoever knows that key could sign. */
const PUBLIC = [...new Set(Object.values(ALGORITHMS).flat())];
const SHARED = ['HS256', 'HS384', 'HS512'];

export function algorithmsOf(key: Key): readonly string[] {
  if (typeof key === 'function') return PUBLIC;
  if (key.type === 'secret') return SHARED;
  const kind = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : key.asymmetricKeyType;
  return ALGORITHMS[kind ?? ''] ?? [];
}

/** The key that a definition holds itself, now; undefined: it names a set of them somewhere else. */
export function keySource(spec: {
  readonly key?: string | undefined;
  readonly secret?: string | undefined;
}): () => KeyObject | undefined {
  const { key, secret } = spec;
  if (key?.startsWith('/')) return keyFile(key);
  const made =
    secret !== undefined ? createSecretKey(Buffer.from(secret)) : key === undefined ? undefined : createPublicKey(key);
  return () => made;
}

function keyFile(path: string): () => KeyObject {
  const read = cachedFile(path, (pem) => (pem === undefined ? undefined : publicKey(pem)));
  return () => {
    const key = read();
    if (key === undefined) throw new PermanentError('key_file_missing', `there is no file ${path}`);
    return key;
  };
}

function publicKey(pem: string): KeyObject {
  const problem = keyProblem(pem);
  if (problem !== undefined) throw new PermanentError('key_unusable', `the key file ${problem}`);
  return createPublicKey(pem);
}

/** What is wrong with a public key or certificate; undefined: nothing. */
export function keyProblem(pem: string): string | undefined {
  try {
    const key = createPublicKey(pem);
    if (algorithmsOf(key).length === 0) return `holds a key of a kind that signs no JWT: ${key.asymmetricKeyType}`;
    const bits = key.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA_BITS;
    if (bits >= SHORTEST_RSA_BITS) return undefined;
    return `holds an RSA key of ${bits} bits; fewer than ${SHORTEST_RSA_BITS} are not taken`;
  } catch (error) {
    return `is not a public key or certificate in PEM: ${messageOf(error)}`;
  }
}
