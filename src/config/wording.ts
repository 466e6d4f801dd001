/** Every complaint of a schema in words for people, in one table. Authors' own messages pass through. */
import { z } from 'zod';
import { didYouMean } from '../nearest.ts';
import { alternatives, unwrap } from './schema-walk.ts';
import type { Path } from './tree.ts';

export type Issue = z.core.$ZodIssue;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'empty',
};

/** A predicate, `must be …`, about the value at the issue's path. `got` is shown unless it is undefined. */
export function predicate(issue: Issue, schemas: readonly z.ZodType[], got: unknown): string {
  const value = got === undefined ? '' : `, got ${shown(got)}`;
  if (issue.message !== '') return issue.message;
  switch (issue.code) {
    case 'invalid_type':
    case 'invalid_union':
      return `must be ${expectation(issue, schemas)}${value}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values)}${value}${suggestion(got, issue.values)}`;
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be ${expectation(issue, schemas)}${value}`
        : atLeast(issue.origin, Number(issue.minimum));
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `must be ${expectation(issue, schemas)}${value}`
        : `must have at most ${counted(issue.origin, Number(issue.maximum))}`;
    case 'invalid_format':
      return `${formatWords(issue.format)}${value}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}${value}`;
    default:
      return `is not valid here${value}`;
  }
}

function expectation(issue: Issue, schemas: readonly z.ZodType[]): string {
  if (issue.code === 'invalid_union' && issue.errors.length === 0 && 'options' in issue) {
    return oneOf(issue.options ?? []);
  }
  const words = new Set(schemas.flatMap(alternatives).map(schemaWords));
  if (words.size > 0) return [...words].join(' or ');
  return issue.code === 'invalid_type' ? (TYPE_WORDS[issue.expected] ?? issue.expected) : 'something else';
}

/** What a schema takes: `a whole number of at least 1`, `a duration such as 30s`, `text`. */
export function schemaWords(schema: z.ZodType): string {
  const quantity = quantityWords(schema);
  if (quantity !== undefined) return quantity;
  const plain = unwrap(schema);
  if (plain instanceof z.ZodNumber) return numberWords(plain);
  if (plain instanceof z.ZodEnum) return oneOf(plain.options);
  if (plain instanceof z.ZodLiteral) return oneOf([...plain.values]);
  return TYPE_WORDS[plain.type] ?? plain.type;
}

/** `a duration such as 30s`, for texts that become a quantity: their own complaint says how to write one. */
function quantityWords(schema: z.ZodType): string | undefined {
  const complaint = schema.safeParse('?', { error: () => '' }).error?.issues[0]?.message ?? '';
  const [, kind, examples] = /^is not (an? \w+); write (.+)$/.exec(complaint) ?? [];
  return kind === undefined ? undefined : `${kind} such as ${examples}`;
}

function numberWords(schema: z.ZodNumber): string {
  const kind = schema.format === null ? 'a number' : 'a whole number';
  const { least, most } = numberBounds(schema);
  if (least !== undefined && most !== undefined) return `${kind} from ${least} to ${most}`;
  if (least !== undefined) return `${kind} of at least ${least}`;
  return most === undefined ? kind : `${kind} of at most ${most}`;
}

/** Bounds as written; those of JavaScript's own numbers are none. */
function numberBounds(schema: z.ZodNumber): { readonly least?: number; readonly most?: number } {
  const { minValue, maxValue } = schema;
  return {
    ...(minValue !== null && minValue > Number.MIN_SAFE_INTEGER && { least: minValue }),
    ...(maxValue !== null && maxValue < Number.MAX_SAFE_INTEGER && { most: maxValue }),
  };
}

function oneOf(values: readonly unknown[]): string {
  const [only] = values;
  if (values.length !== 1) return `one of ${values.map(String).join(', ')}`;
  return typeof only === 'string' ? `"${only}"` : String(only);
}

function suggestion(got: unknown, values: readonly unknown[]): string {
  return typeof got === 'string' ? didYouMean(got, values.map(String)) : '';
}

function atLeast(origin: string, minimum: number): string {
  return minimum === 1 ? 'must not be empty' : `must have at least ${counted(origin, minimum)}`;
}

function counted(origin: string, count: number): string {
  const [one, many] = origin === 'string' ? ['character', 'characters'] : ['item', 'items'];
  return `${count} ${count === 1 ? one : many}`;
}

function formatWords(format: string): string {
  if (format === 'url') return 'must be a URL such as https://example.org/';
  return format === 'regex' ? 'is not written as it must be' : `must be a valid ${format}`;
}

/** A value as a person would recognise it, short. */
export function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

/** `"fail_after"`, `item 2 of "notify"`, or the name of the whole when the path is empty. */
export function subject(path: Path, whole: string): string {
  const last = path.at(-1);
  if (last === undefined) return whole;
  const index = Number(last);
  if (!Number.isInteger(index) || String(last) === '') return `"${String(last)}"`;
  return `item ${index + 1} of ${subject(path.slice(0, -1), whole)}`;
}

const PREDICATE =
  /^(?:is|are|must|needs?|has|have|may|cannot|can|does|do|should|takes?|wants?|names?|holds?|stands?)\b/;

/** Joins a subject and what is said of it; an author's whole sentence follows after a colon. */
export function sentence(about: string, said: string): string {
  return PREDICATE.test(said) ? `${about} ${said}` : `${about}: ${said}`;
}
