/** The estate's own definitions on a real Redis: what they see, and that the purge loses nothing that is alive. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../estate/daemon.ts';
import { isOver, isRefused, untilStory } from '../estate/docker-scene.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';
import { incidentsOf, type SeenStory, untilState } from '../estate/scene.ts';

let server: RedisServer;
let estate: OwnEstate | undefined;
const clients: Socket[] = [];

afterEach(async () => {
  await estate?.close();
  for (const client of clients.splice(0)) client.destroy();
  await server?.stop();
  estate = undefined;
});

/** Made up at run time; with what a URL must escape. */
const password = ['never', 'to', 'be', 'seen'].join('@/%:');

/** A server with a user that may do no more than the definitions need. */
async function watch(settings: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const rights = ['~*', '+info', '+ping', '+scan', '+memory|purge', '+select'];
  // In its configuration: it is there again when the server is.
  server = await startRedis(['--user', 'brainstem', 'on', `>${password}`, ...rights, ...settings]);
  estate = await startOwnEstate({
    REDIS_URL: `redis://brainstem:${encodeURIComponent(password)}@127.0.0.1:${server.port}/0`,
    REDIS_HOST: '127.0.0.1',
    REDIS_PORT: String(server.port),
    ...more,
  });
  const { daemon } = estate;
  for (const name of ['redis-ping', 'redis-server', 'redis-memory', 'redis-clients']) {
    await untilState(daemon, name, 'up');
  }
  return { ...estate, daemon };
}

describe('a Redis', { timeout: 120_000 }, () => {
  it('that is stopped is one incident, of its port, and over when it is back', async () => {
    const { daemon, heard } = await watch();
    await server.kill();
    const open = await untilStory(daemon, 'redis-ping', 'refused', isRefused);
    expect(open).toMatchObject({ severity: 'critical', attempts: [{ refusal: 'unconfigured' }] });
    for (const { parent_id } of await incidentsOf(daemon, 'redis-server')) expect(parent_id).toBe(open.id);
    await server.start();
    await untilStory(daemon, 'redis-ping', 'over', isOver);
    expect(heard('redis-server')).toEqual([]);
  });

  it('that loads its data says so and is left to load, which a restart would begin again', async () => {
    const { daemon, heard } = await watch(['--enable-debug-command', 'local']);
    await server.load();
    await until(() => heard('redis-ping').includes('opened'), { what: 'people to hear of it', withinMs: 30_000 });
    const story = await untilStory(daemon, 'redis-ping', 'open', () => true);
    expect(story).toMatchObject({ cause: expect.stringContaining('it sent ^-'), attempts: [] });
    await server.kill();
  });

  it('at its memory limit is healed when the memory is of keys that have expired, and no other key is lost', async () => {
    const limits = ['--maxmemory', '8mb', '--maxmemory-policy', 'noeviction', '--enable-debug-command', 'local'];
    const { daemon } = await watch(limits);
    // Expired keys stay until somebody comes by: what a server that is too busy to tidy up looks like.
    await server.cli('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    for (let key = 0; key < 100; key += 1) await server.cli('SET', `alive:${key}`, 'x');
    await server.cli('EVAL', fill(100), '0');
    const story = await untilStory(daemon, 'redis-memory', 'healed', ({ healed_by }) => healed_by !== undefined);
    expect(story).toMatchObject({ severity: 'critical', healed_by: 'purge-redis-memory' });
    expect(story.attempts.map(({ state }) => state)).toEqual(['healed']);
    expect(await server.cli('DBSIZE')).toBe('100');
    const told = JSON.stringify([story, daemon.log]) + daemon.output();
    expect(told).toMatch(/memory in use: \d+ bytes before, \d+ after/);
    expect(told).toContain('maxmemory_policy:noeviction');
    for (const secret of [password, encodeURIComponent(password)]) expect(told).not.toContain(secret);
  });

  it('at its memory limit keeps every key that is alive when it is purged', async () => {
    const { daemon } = await watch(['--maxmemory', '8mb', '--maxmemory-policy', 'noeviction']);
    await server.cli('EVAL', fill(3_600_000), '0');
    const keys = await server.cli('DBSIZE');
    const isPurged = ({ attempts }: SeenStory) => attempts[0]?.state === 'verifying';
    const story = await untilStory(daemon, 'redis-memory', 'purged', isPurged);
    expect(story.attempts[0]).toMatchObject({ remediation: 'purge-redis-memory' });
    expect(await server.cli('DBSIZE')).toBe(keys);
  });

  it('with more blocked clients than there are workers is an incident, and over when they are gone', async () => {
    const { daemon } = await watch([], { REDIS_BLOCKED_CLIENTS: '3' });
    for (let each = 0; each < 4; each += 1) {
      const client = connect(server.port, '127.0.0.1');
      clients.push(client);
      client.write('BLPOP nothing-here 0\r\n');
    }
    const story = await untilStory(daemon, 'redis-clients', 'open', () => true);
    expect(story.cause).toContain('blocked_clients');
    expect(story.attempts).toEqual([]);
    for (const client of clients) client.destroy();
    await untilStory(daemon, 'redis-clients', 'over', isOver);
  });
});

/** Writes values of 1 kB that live so long, until Redis takes no more. */
const fill = (expiryMs: number) => `
  local value = string.rep('x', 1000)
  for key = 1, 20000 do
    local reply = redis.pcall('SET', 'filling:' .. key, value, 'PX', ${expiryMs})
    if type(reply) == 'table' and reply.err then return key end
  end
  return redis.error_reply('never full')
`;
