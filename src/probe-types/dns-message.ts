/**
 * DNS messages (RFC 1035, 4; EDNS0: RFC 6891): one question, and what its answer says. Node's own resolver hides the
 * response code, the flags and how long an answer may be kept.
 */
import { malformed } from './byte-cursor.ts';
import { Cursor } from './dns-cursor.ts';
import { encodeName } from './dns-name.ts';
import { recordLine } from './dns-record-lines.ts';
import { codeOfType, type DataRecord, type RecordType, readData, readHead } from './dns-records.ts';

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly type: RecordType;
  readonly recursion: boolean;
}

const HEADER_BYTES = 12;
const INTERNET = 1;
const OPT = 41;
/** What reaches everybody over UDP in one piece (dnsflagday.net/2020). */
const UDP_BYTES = 1_232;
/** Records of the answer section that are looked at; the others are only counted. */
const MAX_RECORDS = 256;
const MAX_ALIASES = 16;

const FLAGS = { aa: 0x0400, tc: 0x0200, rd: 0x0100, ra: 0x0080, ad: 0x0020, cd: 0x0010 } as const;
const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET'];
const MORE_RCODES = ['NOTAUTH', 'NOTZONE', 'DSOTYPENI'];
const RCODE_NAMES = new Map([...[...RCODES, ...MORE_RCODES].entries(), [16, 'BADVERS'], [23, 'BADCOOKIE']]);

/** Asks with AD set, as dig does: the server may then say that it has verified the answer (RFC 6840, 5.7). */
export function encodeQuestion({ id, name, type, recursion }: Question): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE((recursion ? FLAGS.rd : 0) | FLAGS.ad, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(1, 10);
  const [questionTail, opt] = [Buffer.alloc(4), Buffer.alloc(11)];
  questionTail.writeUInt16BE(codeOfType(type), 0);
  questionTail.writeUInt16BE(INTERNET, 2);
  opt.writeUInt16BE(OPT, 1);
  opt.writeUInt16BE(UDP_BYTES, 3);
  return Buffer.concat([header, nameBytes(name), questionTail, opt]);
}

type Flags = Readonly<Record<keyof typeof FLAGS, boolean>>;

export interface Answer {
  readonly rcode: string;
  readonly flags: Flags;
  /** Data of the records that were asked for, sorted: servers rotate them. */
  readonly answers: readonly string[];
  /** Names that the asked one is an alias of, in order. */
  readonly aliases: readonly string[];
  /** Seconds for which the answer may be kept: the least of its records and aliases. */
  readonly ttl: number | undefined;
  /** Records in each section. */
  readonly counts: Sections<number>;
  /** The records of each section as lines of a zone file; undefined unless they are wanted. */
  readonly records: Sections<readonly string[]> | undefined;
}

type Sections<T> = Readonly<Record<'answer' | 'authority' | 'additional', T>>;

/** False: it belongs to some other question. Throws a ProbeFailure (`protocol`) for what is no message at all. */
export function hasId(message: Buffer, id: number): boolean {
  return new Cursor(message, 0).short() === id;
}

/** True: the rest stands in an answer over TCP, and this one may end anywhere. */
export function isTruncated(message: Buffer): boolean {
  return (new Cursor(message, 2).short() & FLAGS.tc) !== 0;
}

/**
 * Throws a ProbeFailure (`protocol`) unless it is, byte by byte, an answer to this question.
 * @param withRecords all sections are wanted as lines, which costs more.
 */
export function decodeAnswer(message: Buffer, question: Question, withRecords = false): Answer {
  const cursor = new Cursor(message, 0);
  const [id, bits, questions] = [cursor.short(), cursor.short(), cursor.short()];
  const [answer, authority, additional] = [cursor.short(), cursor.short(), cursor.short()];
  if (id !== question.id) throw malformed('it belongs to another question');
  if ((bits & RESPONSE) === 0 || (bits & OPCODE) !== 0) throw malformed('it is not an answer to a query');
  // An error may come without the question (RFC 1035, 4.1.1: a server that could not read it).
  if (questions !== 0 || (bits & 0xf) === 0) checkQuestion(cursor, questions, question);
  const lines = withRecords ? readLines(cursor, [answer, authority, additional]) : undefined;
  const records = readAnswers(cursor, answer);
  for (let left = authority; left > 0; left -= 1) cursor.offset = readHead(cursor).end;
  const opt = readAdditional(cursor, additional);
  if (!cursor.isAtEnd()) throw malformed('it is longer than its records');
  const code = ((opt.extendedCode ?? 0) << 4) | (bits & 0xf);
  return {
    rcode: RCODE_NAMES.get(code) ?? `RCODE${code}`,
    flags: flagsOf(bits),
    ...follow(question, records),
    counts: { answer, authority, additional: additional - opt.records },
    records: lines,
  };
}

function checkQuestion(cursor: Cursor, questions: number, asked: Question): void {
  if (questions !== 1) throw malformed(`it holds ${questions} questions`);
  const [name, type, questionClass] = [cursor.name(), cursor.short(), cursor.short()];
  if (name.toLowerCase() !== ownerOf(asked) || type !== codeOfType(asked.type) || questionClass !== INTERNET) {
    throw malformed('it repeats another question');
  }
}

/** The asked name as a message shows it, in lower case. */
function ownerOf({ name }: Pick<Question, 'name'>): string {
  return new Cursor(nameBytes(name), 0).name().toLowerCase();
}

/** Errors: TypeError for what the spec would have refused. */
function nameBytes(name: string): Buffer {
  const encoded = encodeName(name);
  if (!encoded) throw new TypeError(`not a DNS name: ${name}`);
  return encoded;
}

function readAnswers(cursor: Cursor, count: number): readonly DataRecord[] {
  const records: DataRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    const head = readHead(cursor);
    const wanted = head.recordClass === INTERNET && index < MAX_RECORDS;
    const record = wanted ? readData(cursor, head) : undefined;
    if (record) records.push(record);
    cursor.offset = head.end;
  }
  return records;
}

/** Leaves the cursor where it was: the sections are read again for what they mean. */
function readLines(cursor: Cursor, [answer, authority, additional]: readonly [number, number, number]) {
  const start = cursor.offset;
  const section = (count: number): readonly string[] => {
    const lines: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const head = readHead(cursor);
      if (head.code !== OPT && lines.length < MAX_RECORDS) lines.push(recordLine(cursor, head));
      cursor.offset = head.end;
    }
    return lines;
  };
  const sections = { answer: section(answer), authority: section(authority), additional: section(additional) };
  cursor.offset = start;
  return sections;
}

/** The OPT record is none: it carries the upper bits of the response code (RFC 6891, 6.1.3). */
function readAdditional(cursor: Cursor, count: number) {
  let records = 0;
  let extendedCode: number | undefined;
  for (let index = 0; index < count; index += 1) {
    const head = readHead(cursor);
    if (head.code === OPT) {
      records += 1;
      extendedCode = head.ttl >>> 24;
    }
    cursor.offset = head.end;
  }
  return { records, extendedCode };
}

function flagsOf(bits: number): Flags {
  const entries = Object.entries(FLAGS).map(([flag, bit]) => [flag, (bits & bit) !== 0] as const);
  return Object.fromEntries(entries) as Flags;
}

/** Goes from alias to alias to the records that were asked for; what belongs to other names is not an answer. */
function follow({ name, type }: Question, records: readonly DataRecord[]) {
  const used: DataRecord[] = [];
  let owner = ownerOf({ name });
  const aliasOf = () => records.find((record) => record.type === 'CNAME' && record.owner === owner);
  const isFollowed = type !== 'CNAME' && type !== 'ANY';
  for (let alias = aliasOf(); isFollowed && alias && used.length < MAX_ALIASES; alias = aliasOf()) {
    used.push(alias);
    owner = alias.data.toLowerCase();
  }
  const found = records.filter((record) => (type === 'ANY' || record.type === type) && record.owner === owner);
  const ttls = [...used, ...found].map(({ ttl }) => ttl);
  return {
    answers: found.map(({ data }) => data).sort(),
    aliases: used.map(({ data }) => data),
    ttl: ttls.length > 0 ? Math.min(...ttls) : undefined,
  };
}
