/**
 * A backup file: gzip'd lines of JSON, the same for every database. A head; pages of rows, tables in the order in which they refer
 * to one another; pages of results by day; and an end with the number of rows of each, without which a file is cut short.
 */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { codeOf, messageOf, UsageError } from '../../errors.ts';
import type { DayRow } from '../engine.ts';

export const FORMAT_VERSION = 1;

const table = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/);
const integer = z.number().int();
const result = z.tuple([
  ...[integer, integer, integer, integer, integer, integer],
  ...[z.number().nullable(), z.number().nullable(), z.base64().nullable()],
] as const);

const line = z.union([
  z.strictObject({
    format: z.literal('brainstem-backup'),
    version: integer.min(1),
    /** The schema that the rows fit: the number of its newest migration. */
    schema: integer.min(1),
    /** Milliseconds since 1970. */
    createdAt: integer,
  }),
  z.strictObject({
    table,
    rows: z.array(z.record(z.string().regex(/^[a-z][a-z0-9_]*$/), z.union([z.string(), z.number(), z.null()]))),
  }),
  z.strictObject({ day: integer.min(0), results: z.array(result) }),
  z.strictObject({ end: z.literal(true), counts: z.record(table, integer.min(0)) }),
]);

export type BackupLine = z.output<typeof line>;
export type BackupHead = Extract<BackupLine, { format: string }>;
export type StoredResult = z.output<typeof result>;
/** Rows of each table, tables of days among them. */
export type RowCounts = Readonly<Record<string, number>>;

export function writeLine(content: BackupLine): string {
  return `${JSON.stringify(content)}\n`;
}

export function toStored(row: DayRow): StoredResult {
  const { seriesId, sinceMidnight, latencyUs, verdict, reason, error, value1, value2, more } = row;
  const text = more === null ? null : Buffer.from(more).toString('base64');
  return [seriesId, sinceMidnight, latencyUs, verdict, reason, error, value1, value2, text];
}

export function fromStored(stored: StoredResult): DayRow {
  const [seriesId, sinceMidnight, latencyUs, verdict, reason, error, value1, value2, text] = stored;
  const more = text === null ? null : Uint8Array.from(Buffer.from(text, 'base64'));
  return { seriesId, sinceMidnight, latencyUs, verdict, reason, error, value1, value2, more };
}

/** A page holds some hundred rows; a file that is no backup may be one endless line. */
const LONGEST_LINE = 256 * 2 ** 20;

/** UsageError `backup_unreadable`: it is no backup, was cut short or is damaged. */
export async function* readLines(file: AsyncIterable<Uint8Array>): AsyncGenerator<BackupLine> {
  let last: BackupLine | undefined;
  let number = 0;
  for await (const text of textLines(file)) {
    number += 1;
    last = parseLine(text, number);
    yield last;
  }
  if (last === undefined || !('end' in last)) throw unreadable('it was cut short');
}

function parseLine(text: string, number: number): BackupLine {
  try {
    return line.parse(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof z.ZodError || cause instanceof SyntaxError)
      throw unreadable(`line ${number} is not understood`, cause);
    throw cause;
  }
}

async function* textLines(file: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const bytes of unzip(file)) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) throw unreadable('a line of it does not end');
      yield* lines;
    }
  } catch (cause) {
    // Of zlib: Z_DATA_ERROR, Z_BUF_ERROR.
    if (codeOf(cause)?.startsWith('Z_')) throw unreadable(messageOf(cause), cause);
    throw cause;
  }
  if (rest !== '') yield rest;
}

function unzip(file: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // What fails on the way also ends the reading of the last part, so it is heard there.
  return pipeline(Readable.from(file), createGunzip(), () => undefined);
}

/** UsageError: the file cannot be what it should be. */
export function unreadable(why: string, cause?: unknown): UsageError {
  return new UsageError('backup_unreadable', `this is no whole backup of Brainstem: ${why}`, { cause });
}
