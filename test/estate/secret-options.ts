/** Which options of a type are secrets, by its schema: a type that gains one is told from its definitions here. */
import { z } from 'zod';
import { alternatives, isSecretAt, unwrap } from '../../src/config/schema-walk.ts';

/** Dotted paths: `[]` stands for an item of a list, `*` for any key of a mapping. */
export function secretOptions(schema: z.ZodType, path = '', above: readonly z.ZodType[] = []): readonly string[] {
  if (isSecretAt(schema, [])) return [path];
  const found = alternatives(schema).flatMap((alternative) => {
    const plain = unwrap(alternative);
    if (above.includes(plain)) return [];
    return childrenOf(plain).flatMap(([step, child]) => secretOptions(child, `${path}${step}`, [...above, plain]));
  });
  return [...new Set(found)];
}

type Child = readonly [step: string, schema: z.ZodType];

function childrenOf(schema: z.ZodType): readonly Child[] {
  const child = (step: string, inner: unknown): Child => [step, inner as z.ZodType];
  if (schema instanceof z.ZodObject) {
    const rest = schema.def.catchall ? [child('.*', schema.def.catchall)] : [];
    return [...Object.entries(schema.shape).map(([key, inner]) => child(`.${key}`, inner)), ...rest];
  }
  if (schema instanceof z.ZodRecord) return [child('.*', schema.valueType)];
  if (schema instanceof z.ZodArray) return [child('[]', schema.element)];
  if (schema instanceof z.ZodTuple)
    return [...schema.def.items, schema.def.rest].flatMap((each) => (each ? [child('[]', each)] : []));
  return [];
}

/** The secret options that a definition fills, in the same words. */
export function secretsFilled(schema: z.ZodType, spec: unknown): ReadonlySet<string> {
  const options = secretOptions(schema);
  const filled = pathsOf(spec);
  return new Set(options.filter((option) => filled.some((path) => patternOf(option).test(path))));
}

function pathsOf(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => pathsOf(member, `${path}.${key}`));
}

function patternOf(option: string): RegExp {
  const literal = option.replaceAll(/[.[\]-]/g, '\\$&').replaceAll('*', '[^.[]+');
  return new RegExp(`^${literal}$`);
}
