/**
 * Action type `redis`: gives back memory, deletes keys by a rule, or ends idle connections. No rule means all, and none goes without
 * a bound.
 */
import { z } from 'zod';
import type { ActionOutput, ActionType } from '../ports.ts';
import { duration } from '../spec.ts';
import { formatDuration } from '../units.ts';
import { type Ask, RedisFailure, type Reply, redisServerOf, redisUrl, withRedis } from './redis-client.ts';

/** How much of a pattern must stand before its first wildcard. */
const LEAST_PREFIX = 3;

const unlink = z.strictObject({
  match: z
    .string()
    .refine((pattern) => prefixOf(pattern).length >= LEAST_PREFIX, {
      message: `must begin with at least ${LEAST_PREFIX} characters that are no wildcard: it never means all`,
    })
    .describe('Keys that match this pattern of SCAN, such as cache:*'),
  idle_longer_than: duration().optional().describe('That nobody has used for so long (not with an LFU policy)'),
  at_most: z.number().int().min(1).max(100_000).default(1_000).describe('So many'),
});

const endClients = z.strictObject({
  idle_longer_than: duration().describe('That have sent nothing for so long'),
  name: z.string().min(1).optional().describe('With this name (CLIENT SETNAME) alone'),
  at_most: z.number().int().min(1).max(10_000).default(100).describe('So many, the longest first'),
});

const spec = z
  .strictObject({
    url: redisUrl(),
    purge_memory: z.literal(true).optional().describe('Give free pages back to the system (MEMORY PURGE)'),
    unlink: unlink.optional().describe('Delete keys by a rule; their memory is freed in the background'),
    end_clients: endClients.optional().describe('End idle connections; never its own, a subscriber or one that waits'),
  })
  .refine(
    ({ purge_memory, unlink, end_clients }) =>
      [purge_memory, unlink, end_clients].filter((verb) => verb !== undefined).length === 1,
    'needs exactly one of purge_memory, unlink, end_clients',
  );
type RedisSpec = z.output<typeof spec>;

function prefixOf(pattern: string): string {
  return pattern.split(/[*?[\\]/, 1)[0] ?? '';
}

export const redis: ActionType<typeof spec> = {
  name: 'redis',
  summary: 'Gives back memory of a Redis server, deletes keys by a rule, or ends idle connections',
  spec,
  mainOption: 'url',
  example: [
    'name: drop-cold-cache',
    'redis:',
    '  url: "redis://127.0.0.1:6379/0"',
    '  unlink: { match: "cache:*", idle_longer_than: 1h, at_most: 5000 }',
    'cooldown: 10m',
  ].join('\n'),
  resource: ({ url }) => `redis:${redisServerOf(url).authority}`,
  would: describe,
  readsOnly: () => false,
  fromProbe: () => false,
  async run(spec, _input, { signal }) {
    try {
      return await withRedis(redisServerOf(spec.url), signal, (ask) => act(spec, ask));
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      return { done: false, error: error.message };
    }
  },
};

function describe({ url, unlink, end_clients }: RedisSpec): string {
  const where = `on ${redisServerOf(url).authority}`;
  if (unlink) {
    const idle = unlink.idle_longer_than;
    const unused = idle === undefined ? '' : `, unused for ${formatDuration(idle)}`;
    return `delete at most ${unlink.at_most} keys that match ${unlink.match}${unused} ${where}`;
  }
  if (!end_clients) return `give back free memory ${where}`;
  const { at_most, idle_longer_than, name } = end_clients;
  const named = name === undefined ? '' : `, called ${name},`;
  return `end at most ${at_most} connections${named} idle for ${formatDuration(idle_longer_than)} ${where}`;
}

async function act({ unlink, end_clients }: RedisSpec, ask: Ask): Promise<ActionOutput> {
  if (unlink) return unlinkKeys(unlink, ask);
  if (end_clients) return endIdle(end_clients, ask);
  await ask(['MEMORY', 'PURGE']);
  return { done: true, output: 'free memory was given back' };
}

/** Keys looked at by one SCAN. */
const SCANNED = 500;

async function unlinkKeys(
  { match, idle_longer_than, at_most }: z.output<typeof unlink>,
  ask: Ask,
): Promise<ActionOutput> {
  let cursor = '0';
  let deleted = 0;
  try {
    do {
      const [next, keys] = listOf(await ask(['SCAN', cursor, 'MATCH', match, 'COUNT', String(SCANNED)]));
      cursor = String(next);
      const found = listOf(keys ?? []).map(String);
      const cold = idle_longer_than === undefined ? found : await idleFor(found, idle_longer_than, ask);
      const chosen = cold.slice(0, at_most - deleted);
      if (chosen.length > 0) deleted += Number(await ask(['UNLINK', ...chosen]));
    } while (cursor !== '0' && deleted < at_most);
  } catch (error) {
    if (!(error instanceof RedisFailure)) throw error;
    return { done: false, output: `${deleted} keys deleted`, error: error.message };
  }
  return { done: true, output: `${deleted} keys deleted` };
}

async function idleFor(keys: readonly string[], idleMs: number, ask: Ask): Promise<readonly string[]> {
  const cold: string[] = [];
  for (const key of keys) {
    const idleSeconds = await ask(['OBJECT', 'IDLETIME', key]);
    if (typeof idleSeconds === 'number' && idleSeconds * 1_000 >= idleMs) cold.push(key);
  }
  return cold;
}

async function endIdle(
  { idle_longer_than, name, at_most }: z.output<typeof endClients>,
  ask: Ask,
): Promise<ActionOutput> {
  const own = String(await ask(['CLIENT', 'ID']));
  const idle = clientsOf(String(await ask(['CLIENT', 'LIST', 'TYPE', 'normal'])))
    .filter(({ id, idleMs, flags }) => id !== own && idleMs >= idle_longer_than && !flags.includes('b'))
    .filter((client) => name === undefined || client.name === name)
    .sort((one, other) => other.idleMs - one.idleMs);
  let ended = 0;
  for (const { id } of idle.slice(0, at_most)) ended += Number(await ask(['CLIENT', 'KILL', 'ID', id]));
  return { done: true, output: `${ended} connections ended, ${idle.length - ended} left` };
}

function clientsOf(text: string) {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const facts = new Map(
        line
          .trim()
          .split(' ')
          .map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]),
      );
      const word = (key: string) => facts.get(key) ?? '';
      return { id: word('id'), name: word('name'), flags: word('flags'), idleMs: Number(word('idle')) * 1_000 };
    });
}

function listOf(reply: Reply): readonly Reply[] {
  if (Array.isArray(reply)) return reply;
  throw new RedisFailure('what answers does not speak Redis');
}
