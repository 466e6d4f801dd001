/**
 * Action type `postgres`: cancels or ends sessions by a rule. Never its own, never one of Brainstem's, and none that has
 * moved on since it was looked at.
 */
import { RE2JS } from 're2js';
import type { Resource } from '../model.ts';
import type { ActionOutput, ActionType, Context } from '../ports.ts';
import { type PostgresServer, serverOf } from '../shared/postgres-url.ts';
import { formatDuration } from '../units.ts';
import { inTransaction, type Session, SessionFailure } from './postgres-session.ts';
import { type PostgresSpec, postgresSpec, type Rule, SPARED } from './postgres-spec.ts';

export const postgres: ActionType<typeof postgresSpec> = {
  name: 'postgres',
  summary: 'Cancel or end sessions of a PostgreSQL server by a rule',
  spec: postgresSpec,
  mainOption: 'url',
  example: [
    'name: end-idle-transactions',
    'postgres:',
    '  url: "${DATABASE_ADMIN_URL}"',
    '  end: { state: idle in transaction, longer_than: 5m, application: web, at_most: 20 }',
    'cooldown: 1m',
  ].join('\n'),
  resource(spec, _remediation, observed) {
    const server = serverOf(spec.url);
    const database = databaseOf(spec, server, observed);
    return database && `database:${database}@${server.authority}`;
  },
  would: describe,
  readsOnly: () => false,
  fromProbe: (spec) => typeof ruleOf(spec).database === 'object',
  async run(spec, { resource }, context) {
    const server = serverOf(spec.url);
    const database = databaseOf(spec, server, resource);
    if (database === undefined) return { done: false, error: 'the probe observed no database of this server' };
    try {
      return await act(spec, server, database, context);
    } catch (error) {
      if (!(error instanceof SessionFailure)) throw error;
      return { done: false, error: error.message + adviceOn(error, server) };
    }
  },
};

const ANY = '*';

function ruleOf({ cancel, end }: PostgresSpec): Rule {
  return (cancel ?? end) as Rule;
}

/** The one database meant, or `*`; undefined: the probe observed none of this server. */
function databaseOf(spec: PostgresSpec, server: PostgresServer, observed: Resource | undefined): string | undefined {
  const { database } = ruleOf(spec);
  if (typeof database !== 'object') return database ?? server.database;
  const isHere = observed?.kind === 'database' && (observed.at === undefined || observed.at === server.authority);
  return isHere && observed.name !== '' ? observed.name : undefined;
}

function describe(spec: PostgresSpec, observed: Resource | undefined): string {
  const server = serverOf(spec.url);
  const { state, longer_than, at_most, user, application, query_matches } = ruleOf(spec);
  const database = databaseOf(spec, server, observed) ?? 'the database that the probe observes';
  return [
    `${spec.cancel ? 'cancel' : 'end'} at most ${at_most} sessions`,
    `${state} for longer than ${formatDuration(longer_than)} in ${database === ANY ? 'any database' : database}`,
    `on ${server.authority}`,
    ...(user === undefined ? [] : [`of user ${user}`]),
    ...(application === undefined ? [] : [`of application ${application}`]),
    ...(query_matches === undefined ? [] : [`with a query that matches ${query_matches}`]),
  ].join(' ');
}

interface Found {
  readonly pid: number;
  readonly user: string | null;
  readonly application: string;
  readonly database: string | null;
  readonly state: string;
  readonly age_ms: string;
  readonly started: string;
  readonly changed: string;
  readonly query: string | null;
}

async function act(spec: PostgresSpec, server: PostgresServer, database: string, context: Context) {
  const rule = ruleOf(spec);
  const ended: string[] = [];
  try {
    return await inTransaction(server, context, context.timeoutMs, async (session) => {
      const found = await find(rule, database, session);
      if (found.length === 0) return { done: false, error: await whyNone(session, server) };
      for (const one of found.slice(0, rule.at_most)) {
        if (await signal(spec, one, session)) ended.push(line(one));
      }
      return outcome(spec, ended, found.length - ended.length);
    });
  } catch (error) {
    if (!(error instanceof SessionFailure) || ended.length === 0) throw error;
    const advice = adviceOn(error, server);
    return {
      done: false,
      output: ended.join('\n'),
      error: `${error.message}, after ${ended.length} sessions${advice}`,
    };
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

function adviceOn({ state }: SessionFailure, { user }: PostgresServer): string {
  return state === INSUFFICIENT_PRIVILEGE ? `; a superuser can mend it: GRANT pg_signal_backend TO "${user}"` : '';
}

function outcome(spec: PostgresSpec, ended: readonly string[], left: number): ActionOutput {
  const did = `${spec.cancel ? 'cancelled' : 'ended'} ${ended.length}`;
  const rest = left === 0 ? [] : [`${left} more had matched`];
  if (ended.length === 0) return { done: false, error: 'every session that matched had moved on by itself' };
  return { done: true, output: [did, ...ended, ...rest].join('\n') };
}

/** Never the query: it may hold anything. */
function line({ pid, user, application, database, state, age_ms }: Found): string {
  return [
    `pid ${pid}`,
    ...(user === null ? [] : [`user ${user}`]),
    ...(application === '' ? [] : [`application ${application}`]),
    ...(database === null ? [] : [`database ${database}`]),
    `${state} for ${formatDuration(Number(age_ms))}`,
  ].join(', ');
}

/** Since when it does what it does now. */
const SINCE = "case when state = 'active' then query_start else state_change end";

const FIND = `
  select pid, usename as "user", application_name as application, datname as database, state,
    round(extract(epoch from clock_timestamp() - ${SINCE}) * 1000) as age_ms,
    backend_start::text as started, (${SINCE})::text as changed,
    case when $7 then left(query, 4096) end as query
  from pg_stat_activity
  left join pg_roles on pg_roles.oid = usesysid
  where pid <> pg_backend_pid()
    and application_name not ilike 'brainstem%'
    and (state = $1 or $1 = 'idle in transaction' and state = 'idle in transaction (aborted)')
    and extract(epoch from clock_timestamp() - ${SINCE}) * 1000 > $2::float8
    and ($3::text is null or usename = $3)
    and ($4::text is null or application_name = $4)
    and ($5 = '${ANY}' or datname = $5)
    and backend_type = any($6::text[])
    and ($8 or not coalesce(rolsuper, false))
  order by ${SINCE}
  limit 500`;

/** The longest first. */
async function find(rule: Rule, database: string, session: Session): Promise<readonly Found[]> {
  const { state, longer_than, user = null, application = null, query_matches, include } = rule;
  const kinds = include.flatMap((each) => (each === 'superuser' ? [] : [SPARED[each]]));
  const { rows } = await session.query<Found>(FIND, [
    ...[state, longer_than, user, application, database, ['client backend', ...kinds]],
    ...[query_matches !== undefined, include.includes('superuser')],
  ]);
  if (query_matches === undefined) return rows;
  const matcher = RE2JS.compile(query_matches);
  return rows.filter(({ query }) => query !== null && matcher.test(query));
}

/** Asked afresh in the statement that acts: another session may have its process id by now, or it may do something else. */
async function signal(spec: PostgresSpec, { pid, started, changed }: Found, session: Session): Promise<boolean> {
  await session.query('select pg_stat_clear_snapshot()');
  const call = spec.cancel ? 'pg_cancel_backend' : 'pg_terminate_backend';
  const same = `pid = $1 and backend_start::text = $2 and (${SINCE})::text = $3`;
  const text = `select ${call}(pid) as sent from pg_stat_activity where ${same}`;
  const { rows } = await session.query<{ readonly sent: boolean }>(text, [pid, started, changed]);
  return rows[0]?.sent === true;
}

/** A user without privileges sees that there are others, not what they do. */
async function whyNone(session: Session, { user }: PostgresServer): Promise<string> {
  const text = "select count(*) as hidden from pg_stat_activity where query = '<insufficient privilege>'";
  const { rows } = await session.query<{ readonly hidden: string }>(text);
  const hidden = Number(rows[0]?.hidden);
  if (hidden === 0) return 'no session matches';
  const grant = `GRANT pg_read_all_stats, pg_signal_backend TO "${user}"`;
  return `no session that "${user}" may see matches, and ${hidden} are hidden from it; a superuser can mend it: ${grant}`;
}
