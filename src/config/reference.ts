/** What a plug-in can be told and what it observes, as rows for `brainstem explain` and for the reference pages. */
import { z } from 'zod';
import type { FieldDeclarations, FieldType } from '../model.ts';
import { isSecret } from '../spec.ts';
import { alternatives, unwrap } from './schema-walk.ts';
import { schemaWords } from './wording.ts';

export interface OptionRow {
  /** Dotted; `[]` stands for every item of a list, `*` for every key of a mapping. */
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  /** As it would be written. Absent: none. */
  readonly fallback?: string;
  readonly secret: boolean;
  readonly summary: string;
}

export interface FieldRow {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly summary: string;
}

/**
 * Every option, the main one first, nested ones below their parents. What takes one of the `others`, the specs of other
 * types, has no rows below it: they stand at that type.
 */
export function optionRows(
  spec: z.ZodType,
  mainOption: string,
  others: readonly z.ZodType[] = [],
): readonly OptionRow[] {
  const rows = rowsBelow(spec, '', new Set(others.filter((other) => other !== spec)));
  const isMain = ({ name }: OptionRow) => name === mainOption || name.startsWith(`${mainOption}.`);
  return [...rows.filter(isMain), ...rows.filter((row) => !isMain(row))];
}

function rowsBelow(schema: z.ZodType, prefix: string, elsewhere: ReadonlySet<z.ZodType>): OptionRow[] {
  return alternatives(schema).flatMap((alternative) => {
    const plain = unwrap(alternative);
    if (elsewhere.has(plain)) return [];
    if (plain instanceof z.ZodArray) {
      return rowsBelow(plain.element as z.ZodType, `${prefix.replace(/\.$/, '')}[].`, elsewhere);
    }
    if (!(plain instanceof z.ZodObject)) return [];
    return Object.entries(plain.shape).flatMap(([key, child]) => {
      const option = child as z.ZodType;
      const name = `${prefix}${key}`;
      return [optionRow(name, option), ...rowsBelow(option, `${name}.`, elsewhere)];
    });
  });
}

function optionRow(name: string, schema: z.ZodType): OptionRow {
  const fallback = defaultOf(schema);
  return {
    name,
    type: typeWords(schema),
    required: !schema.safeParse(undefined).success,
    ...(fallback !== undefined && { fallback }),
    secret: alternatives(schema).some((one) => isSecret(one)) || isSecret(schema),
    summary: describedBy(schema) ?? '',
  };
}

/** What is said of it, or of what it wraps. */
function describedBy(schema: z.ZodType): string | undefined {
  if (schema.description !== undefined) return schema.description;
  const inner =
    schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault
      ? (schema.unwrap() as z.ZodType)
      : unwrap(schema);
  return inner === schema ? undefined : describedBy(inner);
}

function typeWords(schema: z.ZodType): string {
  const words = new Set(
    alternatives(schema).map((one) =>
      schemaWords(one)
        .replace(/^an? /, '')
        .replace(/ such as .*$/, ''),
    ),
  );
  return [...words].join(' or ');
}

/** Through optional and nullable wrappers, as JSON unless it is plain text. */
function defaultOf(schema: z.ZodType): string | undefined {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return written(schema.def.defaultValue);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return defaultOf(schema.unwrap() as z.ZodType);
  return schema instanceof z.ZodPipe ? defaultOf(schema.in as z.ZodType) : undefined;
}

function written(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

const COMMON: FieldDeclarations = {
  ok: { type: 'bool', summary: 'The exchange itself succeeded' },
  reason: { type: 'string', summary: 'Why it did not, or `ok`' },
  latency_ms: { type: 'double', unit: 'ms', summary: 'What the run took' },
  error: { type: 'string', summary: 'What went wrong, in words; null when nothing did' },
};

/** Every field, nested ones dotted, after those that all types have. */
export function fieldRows(fields: FieldDeclarations): readonly FieldRow[] {
  return [...rowsOf(COMMON, ''), ...rowsOf(fields, '')];
}

const FIELD_WORDS: Readonly<Record<Extract<FieldType, string>, string>> = {
  double: 'number',
  string: 'text',
  bool: 'true or false',
  list: 'list',
  map: 'mapping',
  dyn: 'anything',
};

function rowsOf(fields: FieldDeclarations, prefix: string): FieldRow[] {
  return Object.entries(fields).flatMap(([key, { type, unit, summary }]) => {
    const name = `${prefix}${key}`;
    if (typeof type !== 'string') return rowsOf(type, `${name}.`);
    return [{ name, type: FIELD_WORDS[type], unit: unit ?? '', summary }];
  });
}
