/**
 * Building blocks for the zod specs of plug-ins and files: quantities as people write them, and secrets.
 * Input types stay plain JSON, so that every spec becomes a JSON Schema (`z.toJSONSchema(spec, { io: 'input' })`).
 */
import { z } from 'zod';
import type { FieldDeclarations } from './model.ts';
import { parseBytes, parseDuration, parseRate } from './units.ts';

/** `30s`, `1h30m` → milliseconds. */
export function duration() {
  return z
    .string()
    .transform((text, context) => {
      const parsed = parseDuration(text);
      if (parsed !== undefined) return parsed;
      context.issues.push({ code: 'custom', input: text, message: 'is not a duration; write 500ms, 30s, 5m or 1h30m' });
      return z.NEVER;
    })
    .meta({ description: 'Duration: 500ms, 30s, 5m, 1h30m, 7d' });
}

/** `64KiB`, `2GiB`, or a number of bytes → bytes. */
export function bytes() {
  return z
    .union([z.string(), z.number().int().nonnegative()])
    .transform((value, context) => {
      const parsed = parseBytes(String(value));
      if (parsed !== undefined) return parsed;
      context.issues.push({ code: 'custom', input: value, message: 'is not a size; write 64KiB, 10MB or 2GiB' });
      return z.NEVER;
    })
    .meta({ description: 'Size: 64KiB, 10MB, 2GiB, or a number of bytes' });
}

/** `3 in 1h` → a rate limit. */
export function rate() {
  return z
    .string()
    .transform((text, context) => {
      const parsed = parseRate(text);
      if (parsed !== undefined) return parsed;
      context.issues.push({
        code: 'custom',
        input: text,
        message: 'is not a rate; write a count and a window: 3 in 1h',
      });
      return z.NEVER;
    })
    .meta({ description: 'Rate: 3 in 1h' });
}

/** A string whose value must appear in no log, metric, page or message. Marked `writeOnly` in JSON Schema. */
export function secret() {
  return z.string().min(1).meta({ writeOnly: true });
}

/** True for a schema made by `secret()`, also inside optional and default wrappers. */
export function isSecret(schema: z.ZodType): boolean {
  if (schema.meta()?.['writeOnly'] === true) return true;
  return (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) && isSecret(schema.unwrap() as z.ZodType);
}

/** What a type asks of a text besides its shape. Config sees to it: only there is it known where a text came from. */
export type Mark =
  /** A condition over these fields: type-checked when the file is read. */
  | { readonly kind: 'condition'; readonly fields: FieldDeclarations }
  /** It stands in the file as it is, and no variable becomes part of it; `instead` says what to do with one. */
  | { readonly kind: 'fixed'; readonly instead: string };

/** Filled while the types are defined, and never after. */
const MARKS = z.registry<Mark>();

/** A condition in CEL over values that an action declares; `ActionInput.evaluate` decides it. */
export function condition(fields: FieldDeclarations) {
  return z.string().describe('Condition in CEL').register(MARKS, { kind: 'condition', fields });
}

/** A text that no variable may become part of. */
export function fixedText(instead: string) {
  return z.string().min(1).register(MARKS, { kind: 'fixed', instead });
}

/** The mark of a schema that has no wrappers. */
export function markOf(schema: z.ZodType): Mark | undefined {
  return MARKS.get(schema);
}
