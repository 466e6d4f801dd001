/** JSON Schemas of the files of a home, for editors: the same zod schemas that loading uses. */
import { z } from 'zod';
import type { Registries } from '../ports.ts';
import {
  brainstemSchema,
  notifierSchema,
  probeDefaultsSchema,
  probeSchema,
  remediationSchema,
} from './file-schemas.ts';
import { manifestSchema } from './manifest.ts';
import type { Typed } from './plugin-entry.ts';

export type JsonSchema = { readonly [key: string]: unknown };

export const SCHEMA_NAMES = ['brainstem', 'probes', 'remediations', 'credentials'] as const;
export type SchemaName = (typeof SCHEMA_NAMES)[number];

/** A text that holds a substitution, accepted wherever another kind of value is wanted. */
const SUBSTITUTION = { type: 'string', pattern: '\\$\\{.+\\}' } as const;

export function fileSchemas(registries: Registries): Readonly<Record<SchemaName, JsonSchema>> {
  return {
    brainstem: file('brainstem.yml', brainstemFile(registries)),
    probes: file('A file under probes/', {
      type: 'object',
      properties: {
        defaults: toJson(probeDefaultsSchema),
        probes: { type: ['array', 'null'], items: entry(probeSchema, registries.probeTypes) },
      },
      additionalProperties: false,
    }),
    remediations: file('A file under remediations/', {
      type: 'object',
      properties: { remediations: { type: ['array', 'null'], items: remediationEntry(registries) } },
      additionalProperties: false,
    }),
    credentials: file('credentials.yaml', toJson(manifestSchema)),
  };
}

function file(title: string, schema: JsonSchema): JsonSchema {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title, ...schema };
}

function brainstemFile({ notifierTypes }: Registries): JsonSchema {
  const schema = toJson(brainstemSchema);
  const notifiers = { type: 'object', additionalProperties: entry(notifierSchema, notifierTypes) };
  return { ...schema, properties: { ...(schema['properties'] as JsonSchema), notifiers } };
}

function remediationEntry({ actionTypes }: Registries): JsonSchema {
  const schema = entry(remediationSchema, actionTypes);
  const evidence = { type: 'array', items: entry(z.strictObject({}), actionTypes) };
  return { ...schema, properties: { ...(schema['properties'] as JsonSchema), evidence } };
}

/** Common keys, and exactly one key that names a type. */
function entry(common: z.ZodType, types: Readonly<Record<string, Typed>>): JsonSchema {
  const schema = toJson(common);
  const keys = schema['properties'] as Readonly<Record<string, JsonSchema>>;
  const names = Object.keys(types).sort();
  const specs = names.map((name) => {
    const spec = typeSchema(types[name] as Typed & { readonly summary?: string });
    return [name, keys[name] === undefined ? spec : { anyOf: [keys[name], spec] }];
  });
  return {
    ...schema,
    properties: { ...keys, ...Object.fromEntries(specs) },
    oneOf: names.map((name) => ({
      required: [name],
      // A common key of the same name holds something else.
      ...(keys[name] !== undefined && { properties: { [name]: { type: 'object' } } }),
    })),
  };
}

/** `host:` alone is enough where no option is required. */
function typeSchema({ spec, summary }: Typed & { readonly summary?: string }): JsonSchema {
  const schema = toJson(spec);
  const described = summary === undefined ? {} : { description: summary };
  if (!spec.safeParse({}).success) return { ...schema, ...described };
  return { ...described, anyOf: [{ type: 'null' }, schema] };
}

function toJson(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return withSubstitutions(rest as JsonSchema, false);
}

/** Keys whose values are schemas by name, one schema, or a list of schemas. */
const NAMED = new Set(['properties', '$defs']);
const SINGLE = new Set(['items', 'additionalProperties']);
const LISTED = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);

/** `inUnion`: the alternative with the substitution stands beside it already. */
function withSubstitutions(schema: JsonSchema, inUnion: boolean): JsonSchema {
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, descend(key, value)]));
  if (inUnion || !wantsSubstitution(inner)) return inner;
  const { description, default: fallback, ...rest } = inner;
  const alternatives = (rest['anyOf'] as JsonSchema[] | undefined) ?? [rest];
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [...alternatives, SUBSTITUTION],
  };
}

function descend(key: string, value: unknown): unknown {
  if (NAMED.has(key)) {
    const schemas = Object.entries(value as Record<string, JsonSchema>);
    return Object.fromEntries(schemas.map(([name, schema]) => [name, withSubstitutions(schema, false)]));
  }
  if (SINGLE.has(key) && typeof value === 'object') return withSubstitutions(value as JsonSchema, false);
  if (LISTED.has(key)) return (value as JsonSchema[]).map((schema) => withSubstitutions(schema, true));
  return value;
}

/** Anything but plain text, mappings and what takes everything. */
function wantsSubstitution(schema: JsonSchema): boolean {
  if (Array.isArray(schema['anyOf'])) return true;
  const { type } = schema;
  const isNarrow = ['pattern', 'format', 'enum', 'const'].some((key) => key in schema);
  return type === 'string' ? isNarrow : type === undefined ? isNarrow : type !== 'object';
}
