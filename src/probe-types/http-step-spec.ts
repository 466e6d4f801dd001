/** How one request of several is written: the verb `request` of the steps of an `http` probe. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import { basicOption, bearerOption, headersOption } from '../shared/http-options.ts';
import { condition } from '../spec.ts';
import { answerFields } from './http-fields.ts';
import { checkPattern } from './pattern.ts';
import { hasPlaceholder, VALUE_NAME } from './step-memory.ts';
import type { Step, VerbGrammar } from './steps.ts';

/** What conditions on one answer read. */
export const stepFields: FieldDeclarations = {
  ...answerFields,
  saved: { type: 'map', summary: 'The values that were saved so far, by name' },
};

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

export function methodOption() {
  return z.enum(METHODS).default('GET').describe('Request method');
}

const sourceKinds = ['json', 'header', 'cookie', 'body'] as const;

const source = z
  .strictObject({
    json: z
      .string()
      .regex(/^[\w-]+(?:\.[\w-]+)*$/, 'is not a path of keys such as data.0.id')
      .optional()
      .describe('Keys of the JSON answer, and places in lists: data.0.id'),
    header: z.string().min(1).optional().describe('Name of a header of the answer'),
    cookie: z.string().min(1).optional().describe('Name of a cookie'),
    body: z
      .string()
      .superRefine(checkGroup)
      .optional()
      .describe('Regular expression (RE2) over the first 64 KiB of the body: its first group is saved'),
  })
  .superRefine((written, context) => {
    const isOne = sourceKinds.filter((kind) => written[kind] !== undefined).length === 1;
    // A key that is unknown was meant to be the one.
    if (isOne || context.issues.length > 0) return;
    context.addIssue({ code: 'custom', message: `needs exactly one of ${sourceKinds.join(', ')}` });
  });
export type ValueSource = z.output<typeof source>;

function checkGroup(pattern: string, context: z.RefinementCtx): void {
  checkPattern()(pattern, context);
  if (context.issues.length > 0 || RE2JS.compile(pattern).groupCount() > 0) return;
  context.addIssue({ code: 'custom', message: 'needs a group: what is in ( ) is saved' });
}

const auth = z
  .strictObject({
    basic: basicOption().optional().describe('User name and password'),
    bearer: bearerOption(),
  })
  .refine(({ basic, bearer }) => (basic === undefined) !== (bearer === undefined), {
    message: 'wants exactly one of basic and bearer',
  });

const requestOption = z
  .strictObject({
    url: z
      .string()
      .min(1)
      .describe('What is asked for, relative to the `url` of the probe; {{NAME}} may stand in its path and query'),
    method: methodOption(),
    headers: headersOption()
      .default({})
      .describe('Request headers besides those of the probe, which no other origin gets'),
    json: z.record(z.string(), z.unknown()).optional().describe('Request body, sent as JSON: a {{NAME}} stays a value'),
    form: z
      .record(z.string(), z.string())
      .optional()
      .describe('Request body, sent as the fields of a form: a {{NAME}} stays a value'),
    body: z.string().optional().describe('Request body as text; a {{NAME}} is put in as it is'),
    auth: auth.optional().describe('Instead of that of the probe, which no other origin gets'),
    redirects: z.number().int().min(0).max(50).optional().describe('How many to follow. Default: as the probe says'),
    expect: z
      .array(condition(stepFields))
      .default([])
      .describe('Conditions in CEL over this answer; when none names `status`, it must be 200 to 299'),
    save: z
      .record(z.string().regex(VALUE_NAME, 'must be letters, digits and "_"'), source)
      .default({})
      .describe(
        'Values by name, for {{NAME}} in later steps and saved.NAME in their conditions; each from one of json (keys: ' +
          'data.0.id), header, cookie, and body (a regular expression, whose first group counts)',
      ),
  })
  .superRefine(({ method, json, form, body, expect }, context) => {
    const bodies = [json, form, body].filter((one) => one !== undefined).length;
    const add = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (bodies > 1) add([], 'has more than one body: "json", "form" and "body" exclude each other');
    if (bodies > 0 && (method === 'GET' || method === 'HEAD')) add(['method'], `must not be ${method}, without a body`);
    for (const [index, text] of expect.entries()) {
      if (hasPlaceholder(text)) add(['expect', index], 'must read a saved value as saved.NAME');
    }
  })
  .describe('One request, with what its answer must be and what is saved of it');
export type StepRequest = z.output<typeof requestOption>;

export const requestGrammar: VerbGrammar<typeof requestOption> = {
  name: 'request',
  option: requestOption,
  saves: ({ save }) => Object.keys(save),
};

interface SpecWithRequests {
  readonly url: string;
  readonly method: string;
  readonly body?: string | undefined;
  readonly steps?: readonly Step[] | undefined;
  readonly secrets?: unknown;
}

/** For `superRefine` of the spec around; it waits until nothing else is wrong. */
export function checkRequests(spec: SpecWithRequests, context: z.RefinementCtx): void {
  const add = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (context.issues.length > 0) return;
  if (spec.steps === undefined) {
    if (spec.secrets !== undefined) add(['secrets'], 'has a meaning with "steps" alone');
    return;
  }
  const beside = 'must not stand beside "steps", whose requests have their own';
  if (spec.body !== undefined) add(['body'], beside);
  if (spec.method !== 'GET') add(['method'], beside);
  for (const [index, step] of spec.steps.entries()) {
    // The verb's own schema has validated it.
    const { url } = step['request'] as StepRequest;
    const problem = urlProblem(url, spec.url);
    if (problem !== undefined) add(['steps', index, 'request', 'url'], problem);
  }
}

function urlProblem(url: string, base: string): string | undefined {
  const [one, other] = ['x', 'y'].map((value) => url.replace(/\{\{\w+\}\}/g, value));
  if (one === undefined || other === undefined || !URL.canParse(one, base)) return 'is not a URL';
  const parsed = new URL(one, base);
  if (!/^https?:$/.test(parsed.protocol)) return 'is not a URL of http:// or https://';
  return parsed.origin === new URL(other, base).origin ? undefined : 'may have {{NAME}} in its path and query alone';
}
