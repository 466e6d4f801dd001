/** The options of an HTTP request that probes and actions share. */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { z } from 'zod';
import { messageOf } from '../errors.ts';

/** A secret that may be empty, as `${TOKEN:-}` is: then nothing is sent. */
export function optionalSecret() {
  return z.string().meta({ writeOnly: true });
}

/** The value of a header that carries credentials. */
function secretHeader() {
  return optionalSecret().optional().describe('Request header; one with an empty value is not sent');
}

/** In the spellings that people use: these values are secrets. */
const secretHeaders = {
  Authorization: secretHeader(),
  authorization: secretHeader(),
  Cookie: secretHeader(),
  cookie: secretHeader(),
  'X-Api-Key': secretHeader(),
  'X-API-Key': secretHeader(),
  'x-api-key': secretHeader(),
  'X-Auth-Token': secretHeader(),
  'x-auth-token': secretHeader(),
};

/** They follow from the connection and the body; a request that contradicts them is broken. */
const OWN_HEADERS: ReadonlySet<string> = new Set(['connection', 'content-length', 'transfer-encoding', 'upgrade']);

export function headersOption() {
  return z
    .object(secretHeaders)
    .catchall(z.string())
    .superRefine((record, context) => {
      for (const [name, value] of Object.entries(record)) {
        const problem = headerProblem(name, value ?? '');
        if (problem !== undefined) context.addIssue({ code: 'custom', path: [name], message: problem });
      }
    });
}

/** A token for `Authorization: Bearer`. */
export function bearerOption() {
  return optionalSecret()
    .refine(
      (token) => headerProblem('Authorization', token) === undefined,
      'has characters that cannot stand in a header',
    )
    .optional()
    .describe('Token; empty: none is sent');
}

function headerProblem(name: string, value: string): string | undefined {
  if (OWN_HEADERS.has(name.toLowerCase())) return 'is set by Brainstem itself';
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return undefined;
  } catch (error) {
    return `is not a valid header: ${messageOf(error)}`;
  }
}

export function httpUrl(schemes: readonly string[]) {
  const accepts = (text: string) => URL.canParse(text) && schemes.includes(new URL(text).protocol);
  return z.string().refine(accepts, `is not a URL that starts with ${schemes.map((s) => `${s}//`).join(' or ')}`);
}

export function basicOption() {
  return z.strictObject({
    username: z.string().min(1).describe('User name'),
    password: optionalSecret().default('').describe('Password'),
  });
}
