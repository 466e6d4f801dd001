/** `brainstem schema`: the JSON Schemas of the files, for editors. */
import { fileSchemas, SCHEMA_NAMES, type SchemaName } from '../config/json-schema.ts';
import { UsageError } from '../errors.ts';
import { registries } from '../registries.ts';
import type { CliIo } from './io.ts';

export interface SchemaArguments {
  /** `brainstem`, `probes`, `remediations` or `credentials`. Absent: all of them, by name. */
  readonly name?: string;
}

/** Errors: UsageError when there is no such schema. */
export async function schema({ name }: SchemaArguments, io: CliIo): Promise<number> {
  const schemas = fileSchemas(registries);
  if (name !== undefined && !isSchemaName(name)) {
    throw new UsageError('unknown_schema', `there is no schema "${name}"; there are ${SCHEMA_NAMES.join(', ')}`);
  }
  io.out(`${JSON.stringify(name === undefined ? schemas : schemas[name], undefined, 2)}\n`);
  return 0;
}

function isSchemaName(name: string): name is SchemaName {
  return (SCHEMA_NAMES as readonly string[]).includes(name);
}
