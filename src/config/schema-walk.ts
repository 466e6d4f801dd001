/** Questions about a zod schema: what it takes at a path, which keys it knows, which of its values are secret. */
import { z } from 'zod';
import { isSecret } from '../spec.ts';
import type { Path } from './tree.ts';

/** The schema without optional, default, nullable and transforming wrappers: what a person writes. */
export function unwrap(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodReadonly) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodNonOptional) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  if (schema instanceof z.ZodLazy) return unwrap(schema.unwrap() as z.ZodType);
  return schema;
}

/** The alternatives of a union, flattened; anything else is its own only alternative. */
export function alternatives(schema: z.ZodType): readonly z.ZodType[] {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodIntersection) {
    return [plain.def.left, plain.def.right].flatMap((side) => alternatives(side as z.ZodType));
  }
  return plain instanceof z.ZodUnion ? plain.options.flatMap((option) => alternatives(option as z.ZodType)) : [schema];
}

/** What may stand at a path: several where a union is on the way. */
export function schemasAt(schema: z.ZodType, path: Path): readonly z.ZodType[] {
  const [step, ...rest] = path;
  if (step === undefined) return [schema];
  return alternatives(schema).flatMap((alternative) => {
    const child = childSchema(unwrap(alternative), step);
    return child === undefined ? [] : schemasAt(child, rest);
  });
}

function childSchema(schema: z.ZodType, step: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) {
    return (Object.hasOwn(schema.shape, step) ? schema.shape[String(step)] : schema.def.catchall) as
      | z.ZodType
      | undefined;
  }
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodTuple) return (schema.def.items[Number(step)] ?? schema.def.rest) as z.ZodType | undefined;
  return undefined;
}

/** The keys that a mapping at a path may have. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  const objects = schemasAt(schema, path).flatMap(alternatives).map(unwrap);
  return objects.flatMap((object) => (object instanceof z.ZodObject ? Object.keys(object.shape) : []));
}

export function isSecretAt(schema: z.ZodType, path: Path): boolean {
  return schemasAt(schema, path).flatMap(alternatives).some(holdsSecret);
}

/** Marked on the schema itself or anywhere within its wrappers. */
function holdsSecret(schema: z.ZodType): boolean {
  if (isSecret(schema)) return true;
  const inner = unwrap(schema);
  return inner !== schema && isSecret(inner);
}
