/** What waits in Celery's queues on Redis, as kombu lays them out: a list for each queue and step of priority. */
import { z } from 'zod';
import { ProbeFailure } from './failure.ts';
import type { Dialogue, Reply } from './redis-dialogue.ts';

/** Where the tasks of some queues wait, and what is asked about them: the same at each run. */
export interface Layout {
  readonly queues: readonly string[];
  readonly lists: readonly { readonly queue: string; readonly list: string }[];
  readonly questions: readonly (readonly string[])[];
}

/** As kombu names its keys: a list for each step; new tasks are pushed on the left, workers take from the right. */
export function layOut(queues: readonly string[], prioritySteps: readonly number[], separator: string): Layout {
  const lists = queues.flatMap((queue) =>
    prioritySteps.map((step) => ({ queue, list: step === 0 ? queue : `${queue}${separator}${step}` })),
  );
  const questions = [
    ['HLEN', 'unacked'],
    ['ZRANGE', 'unacked_index', '0', '0', 'WITHSCORES'],
    ...lists.map(({ list }) => ['LLEN', list]),
  ];
  return { queues, lists, questions };
}

interface QueueFigures {
  /** Tasks that wait in all queues together. */
  readonly depth: number;
  readonly queues: Readonly<Record<string, number>>;
  /** Tasks that workers have taken, and not done yet. */
  readonly unacked: number;
  readonly oldest_unacked_s: number | null;
  /** Lists in which tasks wait. */
  readonly waitingIn: readonly string[];
}

/** @param now ms since the epoch. */
export async function readQueues({ askAll }: Dialogue, layout: Layout, now: number): Promise<QueueFigures> {
  const [unacked, oldest, ...lengths] = await askAll(layout.questions);
  const queues = Object.fromEntries(layout.queues.map((queue) => [queue, 0]));
  const waitingIn: string[] = [];
  let depth = 0;
  for (const [index, { queue, list }] of layout.lists.entries()) {
    const length = Number(lengths[index]);
    queues[queue] = (queues[queue] ?? 0) + length;
    depth += length;
    if (length > 0) waitingIn.push(list);
  }
  return { queues, depth, unacked: Number(unacked), oldest_unacked_s: ageOf(takenAtSeconds(oldest), now), waitingIn };
}

/** Member and score: when the task was given to a worker. */
function takenAtSeconds(reply: Reply | undefined): number | undefined {
  return Array.isArray(reply) && reply[1] !== undefined ? Number(reply[1]) : undefined;
}

/** Where those who send tasks may note when: Celery does not do so by itself. */
const SENT_HEADERS = ['enqueued_at', 'sent_at', 'published_at', 'timestamp', 'sentry-task-enqueued-time'] as const;
const envelope = z.object({
  headers: z.record(z.string(), z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});

/** Age of the oldest task that waits; null when none does, or none says when it was sent. Reads whole messages. */
export async function readOldest({ askAll }: Dialogue, lists: readonly string[], now: number): Promise<number | null> {
  if (lists.length === 0) return null;
  try {
    const messages = await askAll(lists.map((list) => ['LINDEX', list, '-1']));
    const ages = messages.map((message) => ageOf(sentAtSeconds(message), now)).filter((age) => age !== null);
    return ages.length === 0 ? null : Math.max(...ages);
  } catch (error) {
    // A message that is too large to be read is no trouble of the queue.
    if (error instanceof ProbeFailure && error.reason === 'body') return null;
    throw error;
  }
}

function sentAtSeconds(message: Reply): number | undefined {
  if (typeof message !== 'string') return undefined;
  const { headers, properties } = parse(message) ?? {};
  const written = [...SENT_HEADERS.map((name) => headers?.[name]), properties?.['timestamp']];
  return written.map(secondsOf).find((seconds) => seconds !== undefined);
}

function parse(text: string): z.output<typeof envelope> | undefined {
  try {
    return envelope.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A greater number is milliseconds: seconds reach it in the year 5138. */
const MAX_SECONDS = 1e11;
/** As Python writes UTC by default. */
const WITHOUT_ZONE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$/;

/** Seconds or milliseconds since the epoch, or a date as text, without a zone in UTC. */
function secondsOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const number = value === '' ? Number.NaN : Number(value);
  if (Number.isFinite(number)) return number > MAX_SECONDS ? number / 1_000 : positive(number);
  return positive(Date.parse(String(value).replace(WITHOUT_ZONE, '$1T$2Z')) / 1_000);
}

const positive = (seconds: number) => (seconds > 0 ? seconds : undefined);

/** Clocks may differ by this much; a time further in the future is none. */
const MAX_AHEAD_S = 60;

function ageOf(atSeconds: number | undefined, now: number): number | null {
  if (atSeconds === undefined || !Number.isFinite(atSeconds)) return null;
  const age = now / 1_000 - atSeconds;
  return age < -MAX_AHEAD_S ? null : Math.max(0, age);
}
