/** A number for an address, as blackbox_exporter computes it: FNV-1a, 32 bits, over its 4 or 16 bytes. */
import { isIP } from 'node:net';

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** 0 for what is no address. */
export function addressHash(address: string): number {
  const bytes = bytesOf(address);
  if (bytes.length === 0) return 0;
  return bytes.reduce((hash, byte) => Math.imul(hash ^ byte, PRIME) >>> 0, OFFSET);
}

function bytesOf(address: string): readonly number[] {
  if (isIP(address) === 4) return address.split('.').map(Number);
  // A zone (`fe80::1%eth0`) is no part of the address.
  const plain = address.replace(/%.*$/, '');
  if (isIP(plain) !== 6) return [];
  const text = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const mapped = MAPPED.exec(text);
  const groups = mapped ? mapped.slice(1) : groupsOf(text);
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
}

/** The eight groups of an address in its shortest form. */
function groupsOf(text: string): string[] {
  const [head = '', tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  if (tail === undefined) return before;
  const after = tail === '' ? [] : tail.split(':');
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
}
