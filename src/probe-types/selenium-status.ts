/** What a Selenium Grid says about itself: https://www.selenium.dev/documentation/grid/advanced_features/endpoints/ */
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import { ProbeFailure } from './failure.ts';

export const gridFields: FieldDeclarations = {
  ready: { type: 'bool', summary: 'It can open another session now' },
  nodes: { type: 'double', summary: 'Nodes that are up' },
  slots: { type: 'double', summary: 'Sessions that those nodes can hold' },
  slots_free: { type: 'double', summary: 'How many of these are not taken' },
  sessions: { type: 'double', summary: 'Sessions that are open' },
  queue: { type: 'double', summary: 'Requests for a session that wait; null where there is no GraphQL' },
  version: { type: 'string', summary: 'Such as 4.48.0' },
};

const node = z.object({
  availability: z.string(),
  version: z.string().optional(),
  maxSessions: z.number().optional(),
  slots: z.array(z.object({ session: z.unknown() })),
});
const statusAnswer = z.object({
  value: z.object({ ready: z.boolean(), message: z.string().default(''), nodes: z.array(node) }),
});

/** Answer of GET /status. */
export type GridStatus = z.output<typeof statusAnswer>['value'];

/** Throws a ProbeFailure for what is no status of a grid. */
export function readStatus(answer: unknown): GridStatus {
  const { data } = statusAnswer.safeParse(answer);
  if (!data) throw new ProbeFailure('protocol', 'what answers is not a Selenium Grid (version 4)');
  return data.value;
}

export function toFigures({ ready, nodes }: GridStatus) {
  const up = nodes.filter(({ availability }) => availability === 'UP');
  const room = up.map(roomOf);
  return {
    ready,
    nodes: up.length,
    slots: sum(room.map(({ slots }) => slots)),
    slots_free: sum(room.map(({ slots, sessions }) => Math.max(0, slots - sessions))),
    sessions: sum(room.map(({ sessions }) => sessions)),
    version: up[0]?.version?.split(' ')[0],
  };
}

/** A node with several browsers has a slot for each, and may hold fewer sessions than it has slots. */
function roomOf({ slots, maxSessions = slots.length }: z.output<typeof node>) {
  const taken = slots.filter(({ session }) => session !== null && session !== undefined);
  return { slots: Math.min(slots.length, maxSessions), sessions: taken.length };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** A grid that is full is not broken: no restart helps it. */
export function demandReady({ ready, message }: GridStatus, { slots, slots_free }: ReturnType<typeof toFigures>): void {
  if (ready) return;
  if (slots > 0 && slots_free === 0) throw new ProbeFailure('saturated', `all ${slots} slots are taken`);
  throw new ProbeFailure('unhealthy', message.slice(0, 300) || 'the grid is not ready');
}

const queueAnswer = z.object({ data: z.object({ grid: z.object({ sessionQueueSize: z.number() }) }) });
export const QUEUE_QUERY = '{ grid { sessionQueueSize } }';

/** undefined: this grid does not tell. */
export function readQueue(answer: unknown): number | undefined {
  return queueAnswer.safeParse(answer).data?.data.grid.sessionQueueSize;
}

const sessionsAnswer = z.object({
  data: z.object({
    sessionsInfo: z.object({ sessions: z.array(z.object({ id: z.string(), capabilities: z.string() })) }),
  }),
});
export const SESSIONS_QUERY = '{ sessionsInfo { sessions { id, capabilities } } }';

/** Ids of the sessions that go by this name. */
export function readSessionsNamed(name: string, answer: unknown): readonly string[] {
  const sessions = sessionsAnswer.safeParse(answer).data?.data.sessionsInfo.sessions ?? [];
  return sessions.filter(({ capabilities }) => capabilities.includes(JSON.stringify(name))).map(({ id }) => id);
}
