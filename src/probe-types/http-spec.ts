/** The options of the `http` probe type. */
import { z } from 'zod';
import { basicOption, bearerOption, headersOption, httpUrl } from '../shared/http-options.ts';
import { bytes, secret } from '../spec.ts';
import { routeOptions } from './connection.ts';
import { checkRequests, methodOption, requestGrammar } from './http-step-spec.ts';
import { tlsOptions } from './secure.ts';
import { checkSteps, secretsOption, stepsOption } from './steps.ts';

const MAX_BODY_LIMIT = 64 * 2 ** 20;
/** Conditions search no further. */
const MAX_TEXT_LIMIT = 2 ** 20;

/** "\ud800" in YAML: no encoding has bytes for it. */
const isWhole = (text: string) => !/\p{Surrogate}/u.test(text);
const NOT_TEXT = 'is not text: it has half a character';

const oauth2 = z.strictObject({
  token_url: httpUrl(['http:', 'https:']).describe(
    'Where the token is fetched: client credentials grant, RFC 6749, 4.4',
  ),
  client_id: z.string().min(1).refine(isWhole, NOT_TEXT).describe('Client id'),
  client_secret: secret().refine(isWhole, NOT_TEXT).describe('Client secret'),
  scopes: z.array(z.string().min(1)).default([]).describe('Scopes to ask for'),
  parameters: z.record(z.string(), z.string()).default({}).describe('Further form fields, such as audience'),
  credentials: z.enum(['header', 'body']).default('header').describe('How client id and secret are sent'),
});

const auth = z
  .strictObject({
    basic: basicOption().optional().describe('User name and password'),
    bearer: bearerOption(),
    oauth2: oauth2.optional().describe('Client credentials; the token is kept until it expires or is refused'),
  })
  .refine((value) => Object.values(value).filter((one) => one !== undefined).length === 1, {
    message: 'wants exactly one of basic, bearer and oauth2',
  });

const requests = [requestGrammar];

export const httpSpec = z
  .strictObject({
    url: httpUrl(['http:', 'https:']).describe('What is asked for; userinfo in it is sent as basic authentication'),
    method: methodOption(),
    headers: headersOption().default({}).describe('Request headers; one with an empty value is not sent'),
    body: z.string().optional().describe('Request body'),
    auth: auth.optional().describe('Sent to the origin of `url` alone, never to where it redirects'),
    tls: tlsOptions.optional().describe('Client certificate (mTLS), authorities, server name'),
    redirects: z
      .number()
      .int()
      .min(0)
      .max(50)
      .default(10)
      .describe('How many redirects to follow; 0: a redirect is the answer. More than that fail with `protocol`'),
    allow_downgrade: z.boolean().default(false).describe('Follow a redirect from https to http'),
    proxy: httpUrl(['http:'])
      .optional()
      .describe('HTTP proxy, with userinfo when it wants some. Proxy variables of the environment are not used'),
    ...routeOptions,
    max_body: bytes()
      .refine((size) => size <= MAX_BODY_LIMIT, 'is more than 64MiB')
      .prefault('1MiB')
      .describe('Reading stops after so many bytes of the decoded body; that is no failure, see body_truncated'),
    max_text: bytes()
      .refine((size) => size <= MAX_TEXT_LIMIT, 'is more than 1MiB')
      .optional()
      .describe('How much of the decoded body the field `body` holds. Default: 64KiB'),
    encoding: z
      .enum(['identity', 'gzip', 'deflate', 'br'])
      .optional()
      .describe('What the body is decoded as, whatever its Content-Encoding says. Default: as that says'),
    steps: stepsOption(requests)
      .min(1)
      .optional()
      .describe('Several requests in one run instead of one, in order; cookies are kept between them'),
    secrets: secretsOption().optional(),
  })
  .superRefine(checkSteps(requests))
  .superRefine(checkRequests);
export type HttpSpec = z.output<typeof httpSpec>;
