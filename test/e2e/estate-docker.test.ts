/** The estate's own definitions on a real Docker engine: a container that dies, and one whose service does. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort, until } from '../estate/daemon.ts';
import { POLITE, untilStory } from '../estate/docker-scene.ts';
import { type Dockerd, IMAGE, startDockerd } from '../estate/dockerd.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { incidentsOf, type SeenStory, untilState } from '../estate/scene.ts';

let engine: Dockerd;
let estate: OwnEstate | undefined;

beforeAll(async () => {
  engine = await startDockerd();
}, 120_000);

afterEach(async () => {
  await estate?.close();
  estate = undefined;
});

afterAll(() => engine?.stop(), 60_000);

const inspect = (name: string, field: string) => engine.run('inspect', '-f', `{{${field}}}`, name);
const isHealed = ({ healed_by }: SeenStory) => healed_by !== undefined;

describe('a container of the estate', { timeout: 120_000 }, () => {
  it('that is killed is restarted, and people hear that it healed itself', async () => {
    await engine.run('run', '-d', '--name', 'estate-redis', '--network', 'none', ...POLITE);
    estate = await startOwnEstate({ DOCKER_SOCKET: engine.socket, REDIS_CONTAINER: 'estate-redis' });
    const { daemon, heard } = estate;
    await untilState(daemon, 'redis', 'up');
    process.kill(Number(await inspect('estate-redis', '.State.Pid')), 'SIGKILL');
    const story = await untilStory(daemon, 'redis', 'healed', isHealed);
    expect(story).toMatchObject({ severity: 'critical', healed_by: 'restart-container' });
    expect(await inspect('estate-redis', '.State.Running')).toBe('true');
    // The page was held, as page_after says.
    await until(() => heard('redis').length > 0, { what: 'the note' });
    expect(heard('redis')).toEqual(['healed_itself']);
    expect(JSON.stringify(story)).toContain('at work'); // its last log lines, taken before the restart
  });

  it('whose service has died inside of it is restarted by its name, its incident is the port’s', async () => {
    const port = await freePort();
    const serving = `httpd -f -p 127.0.0.1:${port} & echo $! > /tmp/pid; trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done`;
    await engine.run('run', '-d', '--name', 'estate-db', '--network', 'host', IMAGE, '/bin/sh', '-c', serving);
    estate = await startOwnEstate({
      DOCKER_SOCKET: engine.socket,
      POSTGRES_CONTAINER: 'estate-db',
      POSTGRES_HOST: '127.0.0.1',
      POSTGRES_PORT: String(port),
    });
    const { daemon } = estate;
    for (const name of ['postgres', 'postgres-port']) await untilState(daemon, name, 'up');
    const before = await inspect('estate-db', '.State.StartedAt');
    await engine.run('exec', 'estate-db', '/bin/sh', '-c', 'kill -9 $(cat /tmp/pid)');
    const story = await untilStory(daemon, 'postgres-port', 'healed', isHealed);
    expect(story).toMatchObject({ severity: 'critical', healed_by: 'restart-postgres' });
    expect(await inspect('estate-db', '.State.StartedAt')).not.toBe(before);
    expect(await incidentsOf(daemon, 'postgres')).toEqual([]);
  });
});
