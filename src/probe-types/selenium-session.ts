/** A real browser, opened and quit: https://www.w3.org/TR/webdriver2/#sessions */
import { z } from 'zod';
import type { Reason } from '../model.ts';
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

interface OpenedSession {
  readonly browserVersion: string | undefined;
  readonly openMs: number;
}

/** @param name by which sessions of this definition are known on the grid. */
export async function trySession(
  api: Api,
  name: string,
  capabilities: Readonly<Record<string, unknown>>,
  monotonic: () => number,
): Promise<OpenedSession> {
  const startedAt = monotonic();
  const answer = await api('POST', '/session', { capabilities: { alwaysMatch: { ...capabilities, 'se:name': name } } });
  const openMs = monotonic() - startedAt;
  const { sessionId, capabilities: given } = sessionOf(answer);
  await quit(api, sessionId);
  return { browserVersion: given?.browserVersion, openMs };
}

/**
 * When a run ended in the middle, the grid may have opened its session all the same. How many were quit: they held slots.
 * @param name as in `trySession`.
 */
export async function quitLeftovers(api: Api, name: string): Promise<number> {
  const { json } = await api('POST', '/graphql', { query: SESSIONS_QUERY });
  const ids = readSessionsNamed(name, json).filter((id) => SESSION_ID.test(id));
  for (const id of ids) await quit(api, id);
  return ids.length;
}

function sessionOf(answer: JsonAnswer) {
  const { data } = opened.safeParse(answer.json);
  if (answer.status === 200 && data) return data.value;
  throw explain(answer, 'no session was opened');
}

async function quit(api: Api, id: string): Promise<void> {
  const answer = await api('DELETE', `/session/${id}`);
  // 404: it ended by itself.
  if (answer.status !== 200 && answer.status !== 404) throw explain(answer, 'the session was not quit');
}

function explain({ status, json }: JsonAnswer, what: string): ProbeFailure {
  const { data } = refused.safeParse(json);
  if (!data) return new ProbeFailure('protocol', `${what}: it answered ${status}, and not as WebDriver does`);
  const { error, message } = data.value;
  const firstLine = message.split('\n', 1)[0]?.slice(0, 300);
  return new ProbeFailure(REASONS[error] ?? 'unhealthy', `${what}: ${error.slice(0, 100)}: ${firstLine}`);
}
