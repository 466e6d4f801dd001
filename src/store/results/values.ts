/**
 * The values of a result as columns: the first two numbers stand in columns of their own, all others one after the other
 * in `more`, each with a byte that says what it is (9 bytes for a number). Their names stand in the series.
 */
import { PermanentError } from '../../errors.ts';
import type { Result } from '../../model.ts';

export type Values = Result['values'];
type Value = Values[string];

export interface StoredValues {
  readonly value1: number | null;
  readonly value2: number | null;
  readonly more: Uint8Array | null;
}

/** Names in stored order. A row belongs to exactly one such list. */
export interface ValueFields {
  readonly columns: readonly string[];
  readonly more: readonly string[];
}

const COLUMNS = 2;
const TAG = { number: 1, false: 2, true: 3, text: 4 } as const;

export function fieldsOf(values: Values): ValueFields {
  const names = Object.keys(values);
  const columns = names.filter((name) => Number.isFinite(values[name])).slice(0, COLUMNS);
  return { columns, more: names.filter((name) => !columns.includes(name)) };
}

export function encodeValues(values: Values, { columns: [first, second], more }: ValueFields): StoredValues {
  return {
    value1: columnOf(values, first),
    value2: columnOf(values, second),
    more: more.length === 0 ? null : pack(more.map((name) => values[name] as Value)),
  };
}

export function decodeValues({ value1, value2, more }: StoredValues, fields: ValueFields): Values {
  const columns = zip(fields.columns, [value1, value2]);
  return Object.fromEntries(more === null ? columns : [...columns, ...zip(fields.more, unpack(more))]);
}

function zip(names: readonly string[], values: readonly (Value | null)[]): [string, Value][] {
  return names.flatMap((name, index) => {
    const value = values[index];
    return value === undefined || value === null ? [] : [[name, value]];
  });
}

function columnOf(values: Values, name: string | undefined): number | null {
  return name === undefined ? null : Number(values[name]);
}

function pack(values: readonly Value[]): Uint8Array {
  const length = values.reduce<number>((sum, value) => sum + packedLength(value), 0);
  // On memory of its own: a Buffer from the pool would be sent to the worker with the whole pool around it.
  const bytes = Buffer.from(new ArrayBuffer(length));
  let at = 0;
  for (const value of values) at = packOne(bytes, at, value);
  return bytes;
}

function packedLength(value: Value): number {
  if (typeof value === 'boolean') return 1;
  return typeof value === 'number' ? 9 : 5 + Buffer.byteLength(value);
}

/** Returns where the next one starts. */
function packOne(bytes: Buffer, at: number, value: Value): number {
  if (typeof value === 'boolean') return bytes.writeUInt8(value ? TAG.true : TAG.false, at);
  if (typeof value === 'number') return bytes.writeDoubleLE(value, bytes.writeUInt8(TAG.number, at));
  const start = bytes.writeUInt32LE(Buffer.byteLength(value), bytes.writeUInt8(TAG.text, at));
  return start + bytes.write(value, start);
}

function unpack(packed: Uint8Array): Value[] {
  const bytes = Buffer.from(packed);
  const values: Value[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [value, length] = unpackOne(bytes, at);
    values.push(value);
    at += length;
  }
  return values;
}

function unpackOne(bytes: Buffer, at: number): [value: Value, length: number] {
  switch (bytes[at]) {
    case TAG.number:
      return [bytes.readDoubleLE(at + 1), 9];
    case TAG.false:
      return [false, 1];
    case TAG.true:
      return [true, 1];
    case TAG.text: {
      const length = bytes.readUInt32LE(at + 1);
      return [bytes.toString('utf8', at + 5, at + 5 + length), 5 + length];
    }
    default:
      throw new PermanentError('store_damaged', 'the store holds an unreadable result');
  }
}
