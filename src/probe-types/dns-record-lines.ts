/** Records as lines of a zone file (RFC 1035, 5.1), in the very form of Go's most used DNS library: patterns are written for it. */
import type { Cursor } from './dns-cursor.ts';
import { type RecordHead, readData, typeOfCode } from './dns-records.ts';

const CLASSES = new Map([
  [1, 'IN'],
  [3, 'CH'],
  [4, 'HS'],
  [254, 'NONE'],
  [255, 'ANY'],
]);

/** Of each type that ends in names: how many, behind the words that stand before them. */
const NAMES_AT: Readonly<Record<string, readonly number[]>> = {
  CNAME: [0],
  MX: [1],
  NS: [0],
  PTR: [0],
  SOA: [0, 1],
  SRV: [3],
};

/** `shop.example.<tab>60<tab>IN<tab>A<tab>192.0.2.1` of the record whose head was just read. Leaves the cursor anywhere within it. */
export function recordLine(cursor: Cursor, head: RecordHead): string {
  const type = typeOfCode(head.code);
  const start = cursor.offset;
  const data = type === 'TXT' ? quotedTexts(cursor, head.end) : readData(cursor, head)?.data;
  const shown = data === undefined ? opaque(cursor, start, head.end) : withFinalDots(data, NAMES_AT[type ?? ''] ?? []);
  const recordClass = CLASSES.get(head.recordClass) ?? `CLASS${head.recordClass}`;
  return [absolute(head.name), head.ttl, recordClass, type ?? `TYPE${head.code}`, shown].join('\t');
}

function absolute(name: string): string {
  return name === '.' ? name : `${name}.`;
}

function withFinalDots(data: string, places: readonly number[]): string {
  if (places.length === 0) return data;
  return data
    .split(' ')
    .map((word, index) => (places.includes(index) ? absolute(word) : word))
    .join(' ');
}

/** Each string of a TXT record by itself. */
function quotedTexts(cursor: Cursor, end: number): string {
  const texts: string[] = [];
  while (cursor.offset < end) texts.push(`"${quoted(cursor.bytes(cursor.byte()))}"`);
  return texts.join(' ');
}

function quoted(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/["\\]|[^\x20-\x7e]/g, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    return `\\${String(character.charCodeAt(0)).padStart(3, '0')}`;
  });
}

/** RFC 3597, 5. */
function opaque(cursor: Cursor, start: number, end: number): string {
  const bytes = cursor.message.subarray(start, end);
  return `\\# ${bytes.length} ${bytes.toString('hex')}`;
}
