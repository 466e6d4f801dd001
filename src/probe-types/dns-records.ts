/** The record types that `dns` asks for, and their data as text (RFC 1035, 2782, 3596, 8659). */
import { malformed } from './byte-cursor.ts';
import { type Cursor, escapeBytes } from './dns-cursor.ts';

/** By name: the code of the type, and how its data reads. A reader may be led outside of its record by a lie. */
const TYPES = {
  A: { code: 1, read: (cursor: Cursor) => cursor.bytes(4).join('.') },
  AAAA: { code: 28, read: (cursor: Cursor) => ipv6(cursor.bytes(16)) },
  CAA: { code: 257, read: caa },
  CNAME: { code: 5, read: (cursor: Cursor) => cursor.name() },
  MX: { code: 15, read: (cursor: Cursor) => `${cursor.short()} ${cursor.name()}` },
  NS: { code: 2, read: (cursor: Cursor) => cursor.name() },
  PTR: { code: 12, read: (cursor: Cursor) => cursor.name() },
  SOA: { code: 6, read: soa },
  SRV: {
    code: 33,
    read: (cursor: Cursor) => `${cursor.short()} ${cursor.short()} ${cursor.short()} ${cursor.name()}`,
  },
  TXT: { code: 16, read: txt },
} satisfies Record<string, { code: number; read(cursor: Cursor, end: number): string }>;
type DataType = keyof typeof TYPES;
/** ANY is asked for, but no record is of it (RFC 1035, 3.2.3). */
export type RecordType = DataType | 'ANY';

const DATA_TYPES = Object.keys(TYPES) as DataType[];
export const RECORD_TYPES: [RecordType, ...RecordType[]] = ['ANY', ...DATA_TYPES];
const BY_CODE = new Map<number, DataType>(DATA_TYPES.map((type) => [TYPES[type].code, type]));
const ANY = 255;

export function codeOfType(type: RecordType): number {
  return type === 'ANY' ? ANY : TYPES[type].code;
}

/** undefined: a type that is never asked for by name. */
export function typeOfCode(code: number): DataType | undefined {
  return BY_CODE.get(code);
}

export interface DataRecord {
  /** Lower case. */
  readonly owner: string;
  readonly type: DataType;
  readonly ttl: number;
  readonly data: string;
}

export interface RecordHead {
  /** As it stands in the message, and in lower case. */
  readonly name: string;
  readonly owner: string;
  readonly code: number;
  readonly recordClass: number;
  readonly ttl: number;
  /** Behind the last byte of its data. */
  readonly end: number;
}

/** Leaves the cursor at the record's data. */
export function readHead(cursor: Cursor): RecordHead {
  const name = cursor.name();
  const [code, recordClass, ttl, size] = [cursor.short(), cursor.short(), cursor.long(), cursor.short()];
  const end = cursor.offset + size;
  if (end > cursor.message.length) throw malformed('a record is longer than the message');
  return { name, owner: name.toLowerCase(), code, recordClass, ttl, end };
}

/** The record whose head was just read; undefined when it is of a type that is never asked for. Leaves it behind. */
export function readData(cursor: Cursor, { owner, code, ttl, end }: RecordHead): DataRecord | undefined {
  const type = BY_CODE.get(code);
  const data = type && TYPES[type].read(cursor, end);
  if (type && cursor.offset !== end) throw malformed(`the data of a record of type ${type} has another length`);
  cursor.offset = end;
  return type && data !== undefined ? { owner, type, ttl, data } : undefined;
}

/** The shortest form (RFC 5952), as the URL standard has it. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function soa(cursor: Cursor): string {
  const names = `${cursor.name()} ${cursor.name()}`;
  return [names, ...Array.from({ length: 5 }, () => cursor.long())].join(' ');
}

/** Its strings put together, as SPF (RFC 7208, 3.3) and DKIM read them. */
function txt(cursor: Cursor, end: number): string {
  const strings: string[] = [];
  while (cursor.offset < end) strings.push(escapeBytes(cursor.bytes(cursor.byte())));
  return strings.join('');
}

/** Such as `0 issue "letsencrypt.org"`. */
function caa(cursor: Cursor, end: number): string {
  const flags = cursor.byte();
  const tag = escapeBytes(cursor.bytes(cursor.byte()));
  return `${flags} ${tag} "${escapeBytes(cursor.bytes(Math.max(0, end - cursor.offset)))}"`;
}
