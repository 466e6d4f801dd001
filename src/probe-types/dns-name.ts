/** Names as people write them, on their way into a question. */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 1035, 2.3.4: 255 bytes in a message, two of which are not seen. */
const MAX_CHARACTERS = 253;

/** The name that is asked for: by IDNA, and for the PTR of an address in reverse (RFC 1035, 3.5; RFC 3596, 2.5). */
export function questionName(written: string, type?: string): string {
  if (type === 'PTR' && isIP(written) === 4) return `${written.split('.').reverse().join('.')}.in-addr.arpa`;
  if (type === 'PTR' && isIP(written) === 6) return `${nibblesOf(written).reverse().join('.')}.ip6.arpa`;
  // Plain names are left as they are: underscores are no host names, and yet good names.
  return /^[!-~]*$/.test(written) ? written : domainToASCII(written);
}

/** Of an IPv6 address: its 32 hexadecimal digits. */
function nibblesOf(address: string): string[] {
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [before, after] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const groups = [...(before ?? []), ...(after ?? [])];
  groups.splice(before?.length ?? 0, 0, ...Array.from({ length: 8 - groups.length }, () => '0'));
  return groups.flatMap((group) => [...group.padStart(4, '0')]);
}

/** undefined: it does not consist of labels of 1 to 63 visible ASCII characters, 253 together. */
export function encodeName(name: string): Buffer | undefined {
  if (name === '.') return Buffer.from([0]);
  const text = name.replace(/\.$/, '');
  const labels = text.split('.');
  if (text.length > MAX_CHARACTERS || !labels.every((label) => /^[!-~]{1,63}$/.test(label))) return undefined;
  return Buffer.from(`${labels.map((label) => String.fromCharCode(label.length) + label).join('')}\0`, 'latin1');
}
