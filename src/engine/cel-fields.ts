/**
 * The fields that a condition may name: those every probe has, and those its type declares.
 */
import type { Bindings, FieldDeclarations, FieldType } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import { MISSING, member } from './cel-run.ts';
import { ConditionError } from './condition-error.ts';

export const COMMON_FIELDS: FieldDeclarations = {
  ok: { type: 'bool', summary: 'the exchange itself succeeded' },
  reason: { type: 'string', summary: 'why it failed, or `ok`' },
  latency_ms: { type: 'double', unit: 'ms', summary: 'how long it took' },
  error: { type: 'string', summary: 'what went wrong, or null' },
};

/** Stands for every field that is not declared. */
export const ANY_FIELD = '*';

/** One step into a value: `.key`, `["key"]` or `[0]`, and where it stands in the source. */
export interface Step {
  readonly key: string | number;
  readonly offset: number;
}

/** A field as a condition names it. */
export interface FieldPath {
  /** Dotted: `certificate.expires_in_days`. */
  readonly text: string;
  readonly keys: readonly (string | number)[];
  /** How many leading keys are declared: when absent these are null, while what the target shapes is missing. */
  readonly declared: number;
  readonly type: FieldType;
}

/** Follows a path through the declarations. Errors: ConditionError for an unknown name, with the nearest one. */
export function resolvePath(fields: FieldDeclarations, steps: readonly Step[]): FieldPath {
  let type: FieldType = fields;
  let declared = 0;
  /** What was found so far, with a dot behind it. */
  let known = '';
  for (const { key, offset } of steps) {
    if (typeof type === 'string') {
      type = inside(type, known, offset);
      continue;
    }
    const declaration = fieldOf(type, String(key));
    if (declaration) declared++;
    type = declaration?.type ?? undeclared(type, String(key), known, offset);
    known = `${known}${key}.`;
  }
  const keys = steps.map(({ key }) => key);
  return { text: keys.join('.'), keys, declared, type };
}

/** Where other fields are welcome, one that is nearly a declared one is still taken for a slip. */
function undeclared(fields: FieldDeclarations, key: string, known: string, offset: number): FieldType {
  const hint = didYouMean(
    key,
    Object.keys(fields).filter((name) => name !== ANY_FIELD),
    known,
  );
  const other = fields[ANY_FIELD];
  if (other && hint === '') return other.type;
  const advice = other ? '; a field of that name must be declared' : '';
  throw new ConditionError(`unknown field \`${known}${key}\`${hint}${advice}`, offset);
}

function fieldOf(fields: FieldDeclarations, name: string): FieldDeclarations[string] | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

const CONTAINERS: ReadonlySet<FieldType> = new Set(['list', 'map', 'dyn']);

/** The type of what stands inside a value that the target shapes. */
function inside(type: FieldType, known: string, offset: number): FieldType {
  if (CONTAINERS.has(type)) return 'dyn';
  throw new ConditionError(`\`${known.slice(0, -1)}\` is one value (${typeName(type)}) and has no parts`, offset);
}

/** How a type is called in messages. */
export function typeName(type: FieldType): string {
  return typeof type === 'string' ? type : 'structure';
}

/** The value at a path, null where a declared field is absent, MISSING where the target left something out. */
export function readPath(bindings: Bindings, { keys, declared }: FieldPath): unknown {
  let value: unknown = bindings;
  for (let index = 0; index < keys.length; index++) {
    value = member(value, keys[index]);
    if (value === MISSING) return index < declared ? null : MISSING;
  }
  return value;
}
