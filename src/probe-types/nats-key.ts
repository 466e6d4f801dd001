/** NKEYs: seeds and public keys of Ed25519 as NATS writes them, https://github.com/nats-io/nkeys */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** RFC 4648. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** The first five bits become the first letter: S of a seed, U of a user. */
const SEED = 18 << 3;
const USER = 20 << 3;
/** Of a private key in DER, before its seed (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

export interface NatsKey {
  readonly publicKey: string;
  /** Signature of what the server gave, as CONNECT wants it. */
  sign(nonce: string): string;
}

/** undefined: it is not the seed of a user. */
export function parseSeed(text: string): NatsKey | undefined {
  const bytes = fromBase32(text);
  if (bytes.length !== 36 || checksum(bytes.subarray(0, 34)) !== bytes.readUInt16LE(34)) return undefined;
  const kind = bytes.readUInt16BE(0);
  if (((kind >> 8) & 0xf8) !== SEED || ((kind >> 3) & 0xff) !== USER) return undefined;
  const der = Buffer.concat([PKCS8_HEAD, bytes.subarray(2, 34)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    publicKey: publicKeyOf(key),
    sign: (nonce) => sign(null, Buffer.from(nonce), key).toString('base64url'),
  };
}

function publicKeyOf(key: KeyObject): string {
  const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const body = Buffer.concat([Buffer.from([USER]), raw]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(checksum(body));
  return toBase32(Buffer.concat([body, check]));
}

/** CRC-16/XMODEM. */
function checksum(bytes: Buffer): number {
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) value = value & 0x8000 ? ((value << 1) ^ 0x1021) & 0xffff : value << 1;
  }
  return value;
}

/** Empty for what is no base 32. */
function fromBase32(text: string): Buffer {
  const bytes: number[] = [];
  let value = 0;
  let bits = 0;
  for (const letter of text) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) return Buffer.alloc(0);
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes);
}

/** Without padding. */
function toBase32(bytes: Buffer): string {
  let text = '';
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(value >> (bits - 5)) & 31];
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}
