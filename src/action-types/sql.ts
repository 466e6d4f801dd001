/**
 * Action type `sql`: fixed statements in one transaction. Nothing ever becomes part of their text: what varies is bound as
 * a parameter.
 */
import { z } from 'zod';
import type { ActionInput, ActionOutput, ActionType } from '../ports.ts';
import { postgresUrl, serverOf } from '../shared/postgres-url.ts';
import { duration, fixedText } from '../spec.ts';
import { inTransaction, type Session, SessionFailure, type Value } from './postgres-session.ts';

/** What a parameter can be taken from. undefined: this attempt has none. */
const SOURCES = {
  'incident.id': ({ incident }) => incident?.id,
  'incident.subject': ({ incident }) => incident?.subject,
  'incident.title': ({ incident }) => incident?.title,
  'incident.severity': ({ incident }) => incident?.severity,
  'incident.reason': ({ incident }) => incident?.reason,
  'incident.cause': ({ incident }) => incident?.cause,
  'incident.opened_at': ({ incident }) => incident && new Date(incident.openedAt).toISOString(),
  'probe.name': ({ probe }) => probe.name,
  'probe.target': ({ probe }) => probe.target,
  'resource.name': ({ resource }) => resource?.name,
  attempt: ({ attemptId }) => attemptId,
  remediation: ({ remediation }) => remediation,
} satisfies Record<string, (input: ActionInput) => string | number | undefined>;
type Source = keyof typeof SOURCES;
const NAMES = Object.keys(SOURCES) as [Source, ...Source[]];

/** The transaction is ours: a statement that left it would commit half of a fix. */
const TRANSACTION = /^(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i;
const BEFORE_IT = /^(?:\s|;|--[^\n]*\n|\/\*[\s\S]*?\*\/)*/;

const text = () =>
  fixedText('bind it: write $1, and the value under "parameters"').refine(
    (sql) => !TRANSACTION.test(sql.replace(BEFORE_IT, '')),
    'must not begin or end a transaction: one is made around all statements',
  );

const statement = z.strictObject({
  text: text().describe('One statement, with $1, $2 … for its parameters'),
  parameters: z
    .array(z.union([z.string(), z.number(), z.boolean(), z.null(), z.strictObject({ from: z.enum(NAMES) })]))
    .default([])
    .meta({ description: `Values, or { from: FIELD }: ${NAMES.join(', ')}` }),
});

const spec = z.strictObject({
  url: postgresUrl(),
  statements: z
    .array(z.union([text(), statement]))
    .min(1)
    .max(50)
    .describe('Statements in order, all in one transaction: a text, or { text, parameters }'),
  statement_timeout: duration().optional().describe("Deadline of each. Default: that of the fix's own timeout"),
});
type Spec = z.output<typeof spec>;
type Statement = z.output<typeof statement>;

export const sql: ActionType<typeof spec> = {
  name: 'sql',
  summary: 'Run fixed statements on a PostgreSQL server, in one transaction',
  spec,
  mainOption: 'url',
  example: [
    'name: requeue-stuck-jobs',
    'sql:',
    '  url: "${DATABASE_URL}"',
    '  statements:',
    "    - update jobs set state = 'queued' where state = 'running' and seen_at < now() - interval '10 minutes'",
    '    - text: insert into repairs (incident, cause) values ($1, $2)',
    '      parameters: [{ from: incident.id }, { from: incident.cause }]',
    'idempotent: true',
  ].join('\n'),
  resource(spec) {
    const { database, authority } = serverOf(spec.url);
    return `database:${database}@${authority}`;
  },
  would: describe,
  readsOnly: () => false,
  fromProbe: () => false,
  async run(spec, input, context) {
    try {
      const bound = statementsOf(spec).map((one) => ({ text: one.text, values: valuesOf(one, input) }));
      const timeoutMs = spec.statement_timeout ?? context.timeoutMs;
      return await inTransaction(serverOf(spec.url), context, timeoutMs, (session) => runAll(bound, session));
    } catch (error) {
      if (!(error instanceof SessionFailure)) throw error;
      const change = error.mayHaveCommitted ? 'whether it was committed is not known' : 'nothing was changed';
      return { done: false, error: `${error.message}; ${change}` };
    }
  },
};

function statementsOf({ statements }: Spec): readonly Statement[] {
  return statements.map((one) => (typeof one === 'string' ? { text: one, parameters: [] } : one));
}

function describe(spec: Spec): string {
  const { database, authority } = serverOf(spec.url);
  const texts = statementsOf(spec).map(({ text }) => text.replace(/\s+/g, ' ').trim());
  return `run in one transaction in ${database} on ${authority}: ${texts.join('; ')}`;
}

function valuesOf({ parameters }: Statement, input: ActionInput): readonly Value[] {
  return parameters.map((parameter) => {
    if (typeof parameter !== 'object' || parameter === null) return parameter;
    const value = SOURCES[parameter.from](input);
    if (value === undefined) throw new SessionFailure(`there is no ${parameter.from} to bind`);
    return value;
  });
}

interface Bound {
  readonly text: string;
  readonly values: readonly Value[];
}

async function runAll(statements: readonly Bound[], session: Session): Promise<ActionOutput> {
  const done: string[] = [];
  for (const [index, { text, values }] of statements.entries()) {
    const { command, rowCount } = await session.query(text, values);
    if (TRANSACTION.test(command)) {
      throw new SessionFailure(`statement ${index + 1} ended the transaction`, { mayHaveCommitted: true });
    }
    done.push(`${command}: ${rowCount ?? 0} rows`);
  }
  return { done: true, output: done.join('\n') };
}
