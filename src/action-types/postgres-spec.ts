/** The options of the `postgres` action: which sessions are meant. */
import { RE2JS, RE2JSException } from 're2js';
import { z } from 'zod';
import { postgresUrl } from '../shared/postgres-url.ts';
import { duration } from '../spec.ts';

/** What is spared unless it is asked for, and how the server calls it. */
export const SPARED = { replication: 'walsender', autovacuum: 'autovacuum worker' } as const;
const INCLUDABLE = ['superuser', 'replication', 'autovacuum'] as const;
const STATES = ['active', 'idle in transaction', 'idle'] as const;

const text = () => z.string().min(1).optional();

/** RE2: no text makes it explode. */
function pattern() {
  return z
    .string()
    .min(1)
    .superRefine((written, context) => {
      try {
        RE2JS.compile(written);
      } catch (error) {
        if (!(error instanceof RE2JSException)) throw error;
        context.addIssue({ code: 'custom', message: `is not a regular expression of RE2: ${error.message}` });
      }
    });
}

const rule = z.strictObject({
  state: z.enum(STATES).describe('What they do'),
  longer_than: duration()
    .refine((ms) => ms >= 100, 'must be at least 100ms')
    .describe('For how long they have done so'),
  user: text().describe('Of this user alone'),
  application: text().describe('With this application_name alone'),
  database: z
    .union([z.string().min(1), z.strictObject({ from: z.literal('probe') })])
    .optional()
    .meta({ description: 'In this database: a name, { from: probe }, or "*" for any. Default: the one of the url' }),
  query_matches: pattern().optional().describe('Whose newest query this regular expression (RE2) finds something in'),
  at_most: z.number().int().min(1).max(500).default(10).describe('So many, the longest first'),
  include: z
    .array(z.enum(INCLUDABLE))
    .default([])
    .describe('Sessions that are spared otherwise: of superusers, of replicas, of autovacuum'),
});
export type Rule = z.output<typeof rule>;

export const postgresSpec = z
  .strictObject({
    url: postgresUrl(),
    cancel: rule.optional().describe('Cancel what these sessions run; they stay connected'),
    end: rule.optional().describe('End these sessions'),
  })
  .superRefine(({ cancel, end }, context) => {
    const add = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if ((cancel === undefined) === (end === undefined)) add([], 'needs exactly one of cancel and end');
    if (cancel && cancel.state !== 'active') add(['cancel', 'state'], 'must be active: nothing else can be cancelled');
  });
export type PostgresSpec = z.output<typeof postgresSpec>;
