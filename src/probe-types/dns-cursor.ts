/** Reading the primitives of DNS messages (RFC 1035, 3.1, 4.1.4): numbers, bytes and compressed names. */
import { ByteCursor, malformed } from './byte-cursor.ts';

const MAX_LABEL_BYTES = 63;
/** Of a name as it stands in a message, with its root. */
const MAX_NAME_BYTES = 255;
const POINTER = 0xc0;

/** A place in a DNS message. */
export class Cursor extends ByteCursor {
  /** A name without its final dot; the root is `.`. Invariant: each pointer leads further back, so that they end. */
  name(): string {
    const labels: string[] = [];
    let length = 1;
    let start = this.offset;
    let behind: number | undefined;
    for (let size = this.byte(); size !== 0; size = this.byte()) {
      if (size >= POINTER) {
        const target = ((size & ~POINTER) << 8) | this.byte();
        if (target >= start) throw malformed('a name points forwards');
        behind ??= this.offset;
        this.offset = start = target;
      } else {
        length += size + 1;
        if (size > MAX_LABEL_BYTES || length > MAX_NAME_BYTES) throw malformed('a name is too long');
        labels.push(escapeLabel(this.bytes(size)));
      }
    }
    this.offset = behind ?? this.offset;
    return labels.join('.') || '.';
  }
}

/** RFC 1035, 5.1, as zone files show them: a dot is `\.`, and what is no visible ASCII is `\ddd`. */
function escapeLabel(label: Buffer): string {
  return escapeBytes(label).replaceAll('.', '\\.').replaceAll(' ', '\\032');
}

/** Bytes as text: visible ASCII and blanks as they are, others as `\ddd`. */
export function escapeBytes(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(/[^\x20-\x5b\x5d-\x7e]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`);
}
