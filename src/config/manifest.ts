/** credentials.yaml: which variables a home expects, who owns them, how they are rotated, and how they stand now. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { ExpectedVariable, Probe } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import { check } from './check.ts';
import type { Environment } from './environment.ts';
import type { PluginEntry } from './plugin-entry.ts';
import type { Reading } from './reading.ts';
import { filterKeys, isEmpty, nearestTree, type Tree, treeAt } from './tree.ts';

export const MANIFEST = 'credentials.yaml';

const MAX_VARIABLES = 5_000;

const variable = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable: letters, digits and "_"')
    .describe('The variable'),
  owner: z.string().min(1).optional().describe('Who answers for it'),
  needed_by: z.array(z.string().min(1)).default([]).describe('What does not work without it'),
  rotate: z.string().min(1).optional().describe('How to renew it: words, or where they stand'),
  pattern: z
    .string()
    .superRefine(checkPattern)
    .optional()
    .describe('Regular expression (RE2) that its value must match somewhere; ^ and $ are its ends'),
  secret: z.boolean().default(false).describe('Its value must appear nowhere'),
  required: z.boolean().default(true).describe('It is missing when it is not set'),
});

export const manifestSchema = z.strictObject({
  variables: z.array(variable).max(MAX_VARIABLES).default([]).superRefine(checkNames),
});

function checkPattern(pattern: string, context: z.RefinementCtx): void {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `is not a regular expression of RE2: ${messageOf(error)}` });
  }
}

function checkNames(variables: readonly z.output<typeof variable>[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, { name }] of variables.entries()) {
    if (seen.has(name)) context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} stands twice` });
    seen.add(name);
  }
}

/**
 * The variables of the manifest, without their values. What it marks secret is redacted everywhere from here on.
 * @param written undefined: an empty one.
 */
export function readManifest(
  written: Tree | undefined,
  environment: Environment,
  { problems, secrets }: Pick<Reading, 'problems' | 'secrets'>,
): readonly ExpectedVariable[] | 'broken' {
  if (written === undefined) return [];
  // `variables:` with nothing behind it is as good as absent.
  const file = filterKeys(written, (_key, child) => !isEmpty(child));
  const result = check(manifestSchema, file, { whole: 'this file', problems });
  if (result.kind !== 'valid') {
    reportUnset(file, problems);
    return 'broken';
  }
  return result.value.variables.map((expected, index) => {
    const { name, owner, needed_by: neededBy, rotate, required } = expected;
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    const place = nearestTree(file, ['variables', index, 'name']).location;
    if (expected.secret && value) secrets.addText(value, place);
    const state = stateOf(value, expected.pattern);
    return {
      name,
      neededBy,
      required,
      state,
      ...(owner !== undefined && { owner }),
      ...(rotate !== undefined && { rotate }),
    };
  });
}

/** A variable that describes variables has to be there. */
function reportUnset(file: Tree, problems: Reading['problems']): void {
  for (const entry of treeAt(file, ['variables'])?.children.values() ?? []) {
    for (const scalar of entry.children.values()) {
      const [name] = scalar.substitution?.unset ?? [];
      if (name !== undefined) problems.add(scalar.location, `${name} is not set; write a plain value`);
    }
  }
}

/** An empty variable is unset. */
function stateOf(value: string | undefined, pattern: string | undefined): ExpectedVariable['state'] {
  if (value === undefined || value === '') return 'missing';
  return pattern === undefined || RE2JS.compile(pattern).matcher(value).find() ? 'set' : 'invalid';
}

/** What a probe reads of it; undefined: nothing, because of its type, or because there is none, which is reported. */
export function manifestOf({ type, tree }: PluginEntry<ProbeType>, { manifest, problems }: Reading): Probe['manifest'] {
  if (type.readsManifest !== true || manifest === 'broken') return undefined;
  if (manifest !== 'none') return manifest;
  problems.add(tree.keyLocation, `needs the manifest ${MANIFEST} in the home, and there is none`);
  return undefined;
}
