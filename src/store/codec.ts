/**
 * Records as rows: flags become 0 and 1, nested values JSON text that SQL never looks into, an absent field NULL.
 * A layout names every field of its record, so that a new field of model.ts does not compile until it has a column.
 */
import { messageOf, PermanentError } from '../errors.ts';

type Kind = 'plain' | 'flag' | 'json';
type KindOf<Value> = [Value] extends [boolean] ? 'flag' : [Value] extends [string | number] ? 'plain' : 'json';
type Column<Value> = [Value] extends [boolean] ? number : [Value] extends [string | number] ? Value : string;
type Given<Value> = Exclude<Value, undefined>;

export type Layout<Item> = { readonly [Name in keyof Item]-?: KindOf<Given<Item[Name]>> };

/** The row of a record, by the record's own field names. */
export type Row<Item> = {
  -readonly [Name in keyof Item]-?: object extends Pick<Item, Name>
    ? Column<Given<Item[Name]>> | null
    : Column<Item[Name]>;
};

export interface Codec<Item> {
  encode(item: Item): Row<Item>;
  /** PermanentError `store_damaged` when the row does not read as what was written. */
  decode(row: Row<Item>): Item;
}

export function codec<Item>(layout: Layout<Item>): Codec<Item> {
  const fields = Object.entries(layout) as [keyof Item & string, Kind][];
  // The casts below rest on the layout, which the compiler has checked field by field.
  return {
    encode: (item) =>
      Object.fromEntries(fields.map(([name, kind]) => [name, encodeField(kind, item[name])])) as Row<Item>,
    decode: (row) =>
      Object.fromEntries(
        fields.filter(([name]) => row[name] !== null).map(([name, kind]) => [name, decodeField(kind, row[name], name)]),
      ) as Item,
  };
}

function encodeField(kind: Kind, value: unknown): unknown {
  if (value === undefined) return null;
  if (kind === 'flag') return value ? 1 : 0;
  return kind === 'json' ? JSON.stringify(value) : value;
}

function decodeField(kind: Kind, stored: unknown, name: string): unknown {
  if (kind === 'flag') return stored === 1;
  return kind === 'json' ? readJson(String(stored), name) : stored;
}

export function readJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PermanentError('store_damaged', `the store holds an unreadable ${what}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
