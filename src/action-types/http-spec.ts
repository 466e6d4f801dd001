/** The options of the `http` action. */
import { z } from 'zod';
import { basicOption, bearerOption, headersOption, httpUrl } from '../shared/http-options.ts';
import { condition, duration } from '../spec.ts';
import { ANSWER_FIELDS } from './http-call.ts';

const auth = z
  .strictObject({
    basic: basicOption().optional().describe('User name and password'),
    bearer: bearerOption(),
  })
  .refine((value) => Object.values(value).filter((one) => one !== undefined).length === 1, {
    message: 'wants exactly one of basic and bearer',
  });

const conditions = () => z.array(condition(ANSWER_FIELDS));

const NAME = /^[a-z][a-z0-9_]{0,39}$/;
const KEYS = /^[\w-]+(?:\.[\w-]+)*$/;
const PLACEHOLDER = /\{([^{}]*)\}/g;

const waitUntil = z.strictObject({
  url: httpUrl(['http:', 'https:'])
    .refine((text) => !/^[^/]*\/\/[^/?#]*[{}]/.test(text), 'may have a {value} in its path and query alone')
    .describe('What to ask, with GET; {NAME} stands for a value of "take", percent-encoded'),
  headers: headersOption().default({}).describe('Request headers; one with an empty value is not sent'),
  auth: auth.optional().describe('Sent to the origin of this "url" alone'),
  every: duration()
    .refine((ms) => ms >= 100 && ms <= 3_600_000, 'must be at least 100ms and at most 1h')
    .prefault('5s')
    .describe('Pause between two requests'),
  expect: conditions().min(1).describe('Conditions in CEL over an answer of 2xx; all true: it is done'),
  fail_when: conditions().default([]).describe('Conditions in CEL over any answer; one true: it has failed'),
});

export const httpSpec = z
  .strictObject({
    url: httpUrl(['http:', 'https:']).meta({
      writeOnly: true,
      description: 'What is asked for. Treated as a secret: such URLs often carry one',
    }),
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST').describe('Request method'),
    headers: headersOption().default({}).describe('Request headers; one with an empty value is not sent'),
    json: z.record(z.string(), z.unknown()).optional().describe('Request body, sent as JSON: a variable stays a value'),
    body: z.string().optional().describe('Request body as text, application/json unless a header says otherwise'),
    incident: z.boolean().default(false).describe('Send the incident as JSON: what "exec" has on standard input'),
    auth: auth.optional().describe('Sent to the origin of `url` alone'),
    status: z
      .array(z.number().int().min(100).max(599))
      .min(1)
      .optional()
      .describe('Statuses that are a yes. Default: 200 to 299'),
    redirects: z
      .number()
      .int()
      .min(0)
      .max(10)
      .default(0)
      .describe('How many redirects to follow, never to another origin; 0: a redirect is a no'),
    take: z
      .record(
        z.string().regex(NAME, 'must be small letters, digits and "_"'),
        z.string().regex(KEYS, 'is not a path of keys such as deploy.id'),
      )
      .default({})
      .describe('Values of the JSON answer by name, such as { deploy: deploy.id }, for the "url" of "wait_until"'),
    wait_until: waitUntil.optional().describe("A second request, repeated within the fix's timeout until it says done"),
  })
  .superRefine(({ json, body, incident, method, take, wait_until }, context) => {
    const add = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const bodies = [json !== undefined, body !== undefined, incident].filter(Boolean).length;
    if (bodies > 1) add([], 'has more than one body: "json", "body" and "incident" exclude each other');
    if (bodies > 0 && method === 'GET') add(['method'], 'must not be GET, which carries no body');
    const used = placeholders(wait_until?.url ?? '');
    for (const name of used) {
      if (!Object.hasOwn(take, name)) add(['wait_until', 'url'], `names {${name}}, which "take" does not`);
    }
    for (const name of Object.keys(take)) {
      if (!used.includes(name)) add(['take', name], 'is not used by the "url" of "wait_until"');
    }
  });
export type HttpSpec = z.output<typeof httpSpec>;
export type WaitUntil = z.output<typeof waitUntil>;

function placeholders(url: string): readonly string[] {
  return [...url.matchAll(PLACEHOLDER)].map(([, name = '']) => name);
}

/** Puts values into a URL; encoded, so that none can become structure. */
export function fill(url: string, values: ReadonlyMap<string, string>): string {
  return url.replace(PLACEHOLDER, (_, name: string) => encodeURIComponent(values.get(name) ?? ''));
}
