/** What is wrong with a request, in words that say what to send instead. */
import type { z } from 'zod';
import { instead } from '../nearest.ts';
import { counted } from '../words.ts';

type Issue = z.core.$ZodIssue;

/** A predicate about the value at the issue's path, such as `must be at most 500`. Messages of our own pass as they are. */
export function inputWords(issue: Issue, schema: z.ZodObject, input: unknown): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => `has no "${key}"${instead(key, Object.keys(schema.shape))}`).join('; ');
    case 'invalid_type':
      if (at(input, issue.path) === undefined) return 'is missing';
      return `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return issue.format === 'datetime' ? 'must be a time such as 2026-01-31T12:00:00Z' : issue.message;
    case 'too_small':
      if (!isNumber(issue.origin)) return 'must not be empty';
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `must ${isNumber(issue.origin) ? 'be' : 'have'} at most ${most(issue.origin, Number(issue.maximum))}`;
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a JSON object',
};

const isNumber = (origin: string) => origin === 'number' || origin === 'int';

function most(origin: string, maximum: number): string {
  if (isNumber(origin)) return String(maximum);
  return counted(maximum, origin === 'string' ? 'character' : 'item');
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    input,
  );
}
