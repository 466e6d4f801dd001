/** A real browser of a grid, opened and quit: https://www.w3.org/TR/webdriver2/#sessions */
import { z } from 'zod';
import type { Reason } from '../model.ts';
import { own } from '../own.ts';
import { ProbeFailure } from './failure.ts';
import type { Api, JsonAnswer } from './selenium-api.ts';
import { readSessionsNamed, SESSIONS_QUERY } from './selenium-status.ts';

const SESSION_ID = /^[\w-]{1,100}$/;

const opened = z.object({
  value: z.object({
    sessionId: z.string().regex(SESSION_ID),
    capabilities: z.looseObject({ browserVersion: z.string().optional() }).optional(),
  }),
});
const refused = z.object({ value: z.object({ error: z.string(), message: z.string().default('') }) });

/** Any other: `unhealthy`. */
const REASONS: Readonly<Record<string, Reason>> = { timeout: 'timeout', 'invalid argument': 'body' };

/** As the grid gives it. */
type Session = z.output<typeof opened>['value'];

interface TriedSession {
  readonly browserVersion: string | undefined;
  readonly openMs: number;
}

/** @param name by which sessions of this definition are known on the grid. */
export async function trySession(
  api: Api,
  name: string,
  capabilities: Readonly<Record<string, unknown>>,
  monotonic: () => number,
): Promise<TriedSession> {
  const startedAt = monotonic();
  const session = await openSession(api, name, capabilities);
  const openMs = monotonic() - startedAt;
  await quitSession(api, session.sessionId);
  return { browserVersion: session.capabilities?.browserVersion, openMs };
}

/** While no slot is free the grid lets us wait. @param name as in `trySession`. */
export async function openSession(
  api: Api,
  name: string,
  capabilities: Readonly<Record<string, unknown>>,
): Promise<Session> {
  const answer = await api('POST', '/session', { capabilities: { alwaysMatch: { ...capabilities, 'se:name': name } } });
  const { data } = opened.safeParse(answer.json);
  if (answer.status === 200 && data) return data.value;
  throw explain(answer, 'no session was opened');
}

/** A grid goes on with it only as long as we wait for its answer. */
export async function quitSession(api: Api, id: string): Promise<void> {
  const answer = await api('DELETE', `/session/${id}`);
  if (!isGone(answer)) throw explain(answer, 'the session was not quit');
}

/** 404: it ended by itself. */
const isGone = ({ status }: JsonAnswer) => status === 200 || status === 404;

/**
 * When a run ended in the middle, the grid may have opened its session all the same. How many were quit: they held slots. One
 * whose opening was cut short may answer with an error for a while, and then ends by itself.
 * @param name as in `trySession`.
 */
export async function quitLeftovers(api: Api, name: string): Promise<number> {
  const { json } = await api('POST', '/graphql', { query: SESSIONS_QUERY });
  let quit = 0;
  for (const id of readSessionsNamed(name, json).filter((id) => SESSION_ID.test(id))) {
    if (isGone(await api('DELETE', `/session/${id}`))) quit += 1;
  }
  return quit;
}

function explain({ status, json }: JsonAnswer, what: string): ProbeFailure {
  const { data } = refused.safeParse(json);
  if (!data) return new ProbeFailure('protocol', `${what}: it answered ${status}, and not as WebDriver does`);
  const { error, message } = data.value;
  const firstLine = message.split('\n', 1)[0]?.slice(0, 300);
  return new ProbeFailure(own(REASONS, error) ?? 'unhealthy', `${what}: ${error.slice(0, 100)}: ${firstLine}`);
}
