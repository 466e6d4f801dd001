/** Identities at a NATS server, made afresh: keys (NKEYs), and the chain of JWTs from an operator down to a user. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** First letters of public keys: user, account, operator. */
const KINDS = { U: 20 << 3, A: 0, O: 14 << 3 } as const;
const SEED = 18 << 3;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export interface Identity {
  readonly seed: string;
  readonly publicKey: string;
  readonly key: KeyObject;
}

export function createIdentity(kind: keyof typeof KINDS): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = (key: KeyObject) => key.export(key === privateKey ? PKCS8 : SPKI).subarray(-32) as Buffer;
  const prefix = KINDS[kind];
  return {
    seed: encode(Buffer.concat([Buffer.from([SEED | (prefix >> 5), (prefix & 31) << 3]), raw(privateKey)])),
    publicKey: encode(Buffer.concat([Buffer.from([prefix]), raw(publicKey)])),
    key: privateKey,
  };
}

const PKCS8 = { format: 'der', type: 'pkcs8' } as const;
const SPKI = { format: 'der', type: 'spki' } as const;

export interface Hierarchy {
  /** Lines of a server's configuration. */
  readonly settings: readonly string[];
  /** What `nsc` would write into a user's credentials file. */
  readonly credentials: string;
}

export function createHierarchy(): Hierarchy {
  const [operator, account, user] = [createIdentity('O'), createIdentity('A'), createIdentity('U')];
  const all = { subs: -1, data: -1, payload: -1 };
  const limits = { ...all, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const operatorJwt = jwt(operator, operator, { type: 'operator' });
  const accountJwt = jwt(operator, account, { type: 'account', limits });
  const userJwt = jwt(account, user, { type: 'user', pub: {}, sub: {}, ...all });
  return {
    settings: [
      `operator: "${operatorJwt}"`,
      'resolver: MEMORY',
      `resolver_preload: { ${account.publicKey}: "${accountJwt}" }`,
    ],
    credentials: `${block('NATS USER JWT', userJwt)}\n\nKeep it.\n\n${block('USER NKEY SEED', user.seed)}\n`,
  };
}

function jwt(issuer: Identity, subject: Identity, nats: Record<string, unknown>): string {
  const claims = { jti: 'test', iat: 1, iss: issuer.publicKey, name: 'test', sub: subject.publicKey };
  const parts = [
    { typ: 'JWT', alg: 'ed25519-nkey' },
    { ...claims, nats: { ...nats, version: 2 } },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign(null, Buffer.from(text), issuer.key).toString('base64url')}`;
}

function block(name: string, content: string): string {
  const dashes = '-'.repeat(5);
  return `${dashes}BEGIN ${name}${dashes}\n${content}\n${dashes}-END ${name}${dashes}-`;
}

/** Base 32 with a CRC-16 behind it, by arithmetic on one large number. */
function encode(body: Buffer): string {
  let crc = 0;
  for (const byte of body) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  const bytes = Buffer.concat([body, Buffer.from([crc & 0xff, crc >> 8])]);
  const length = Math.ceil((bytes.length * 8) / 5);
  let value = BigInt(`0x${bytes.toString('hex')}`) << BigInt(length * 5 - bytes.length * 8);
  let text = '';
  for (let digit = 0; digit < length; digit += 1) {
    text = ALPHABET[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return text;
}
