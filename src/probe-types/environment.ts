/** Probe type `environment`: that the variables which the manifest of the home expects are set, and look as they must. */
import { z } from 'zod';
import type { ExpectedVariable, FieldDeclarations } from '../model.ts';
import type { ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';

const environmentSpec = z.strictObject({
  needed_by: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Only variables that one of these needs, as the manifest says. Default: all'),
  at_least: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of them that must be set and match their pattern; below it: down'),
});
type EnvironmentSpec = z.output<typeof environmentSpec>;

const fields: FieldDeclarations = {
  expected: { type: 'double', summary: 'Variables that are looked at: all but those that need not be set and are not' },
  configured_ratio: { type: 'double', summary: 'Share of them that is set and matches its pattern, 0 to 1' },
  missing: { type: 'list', summary: 'Names of those that are not set, or empty; the first 100' },
  invalid: { type: 'list', summary: 'Names of those that do not match their pattern; the first 100' },
  owners: { type: 'list', summary: 'Who answers for those that are missing or invalid' },
};

/** Names that are observed, and those that a message spells out. */
const MAX_NAMES = 100;
const MAX_TOLD = 5;

export const environment: ProbeType<typeof environmentSpec> = {
  name: 'environment',
  summary: 'The variables that credentials.yaml expects: which are missing, which do not look as they must',
  spec: environmentSpec,
  mainOption: 'needed_by',
  example: `- name: variables
  environment: { at_least: 0.95 }
  warn:
    - configured_ratio == 1.0
`,
  fields,
  families: [],
  // A reload reads the manifest and the variables again; nothing of it changes by itself.
  defaults: { failAfter: 1, recoverAfter: 1 },
  readsManifest: true,
  target: ({ needed_by: needs }) =>
    needs === undefined ? 'credentials.yaml' : `credentials.yaml: ${needs.join(', ')}`,
  run: async (spec, input) => look(spec, input),
};

function look({ needed_by: needs, at_least: least }: EnvironmentSpec, { manifest = [] }: ProbeInput): ProbeOutput {
  const all = manifest.filter(({ neededBy }) => needs?.some((one) => neededBy.includes(one)) ?? true);
  const expected = all.filter(({ required, state }) => required || state !== 'missing');
  const faulty = expected.filter(({ state }) => state !== 'set');
  const ratio = expected.length === 0 ? 1 : (expected.length - faulty.length) / expected.length;
  const seen = {
    expected: expected.length,
    configured_ratio: ratio,
    missing: namesOf(faulty, 'missing'),
    invalid: namesOf(faulty, 'invalid'),
    owners: [...new Set(faulty.flatMap(({ owner }) => owner ?? []))].slice(0, MAX_NAMES),
  };
  if (needs !== undefined && all.length === 0) {
    return {
      reason: 'not_found',
      fields: seen,
      error: `the manifest has no variable that ${needs.join(' or ')} needs`,
    };
  }
  if (ratio >= least) return { reason: 'ok', fields: seen };
  return { reason: 'condition', fields: seen, error: complaint(faulty, expected.length) };
}

function namesOf(faulty: readonly ExpectedVariable[], state: ExpectedVariable['state']): readonly string[] {
  return faulty.flatMap((variable) => (variable.state === state ? variable.name : [])).slice(0, MAX_NAMES);
}

/** Who is woken by it reads whom to ask, and what to do. */
function complaint(faulty: readonly ExpectedVariable[], expected: number): string {
  const told = faulty.slice(0, MAX_TOLD).map(describe);
  const more = faulty.length > MAX_TOLD ? `; and ${faulty.length - MAX_TOLD} more` : '';
  return `${faulty.length} of ${expected} variables: ${told.join('; ')}${more}`;
}

function describe({ name, state, owner, rotate }: ExpectedVariable): string {
  const what = state === 'missing' ? 'is missing' : 'does not match its pattern';
  const whom = [owner === undefined ? [] : `owner: ${owner}`, rotate === undefined ? [] : `renew: ${rotate}`].flat();
  return `${name} ${what}${whom.length === 0 ? '' : ` (${whom.join('; ')})`}`;
}
