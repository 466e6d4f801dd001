/** The estate's own definitions of the pipeline, on a real HTTP server that answers as GitHub, Docker Hub, Render and the backend do. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { fixesOf, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { close, listen, readBody } from '../estate/faults.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import type { SeenStory } from '../estate/scene.ts';

/** Made up at run time. */
const KEY = ['a', 'made', 'up', 'key'].join('-');

/** What can be broken, each by itself. */
const world = {
  ...{ conclusion: 'success', published: true, deploy: 'live', version: '2.0.1', backend: 'operational' },
  rolledBackTo: '',
};
const server = createServer((request, response) => void answer(request, response));

let estate: OwnEstate | undefined;

afterEach(async () => {
  await estate?.close();
  await close(server);
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
  const json = (value: unknown, status = 200) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const mayEnter = request.headers.authorization === `Bearer ${KEY}`;
  switch (pathname) {
    case '/api/v1/health':
      return json({ status: world.backend, version: world.version });
    case '/repos/brainops/backend/actions/runs':
      return json({ workflow_runs: searchParams.get('branch') === 'main' ? [{ conclusion: world.conclusion }] : [] });
    case '/v2/repositories/brainops/backend/tags/2.0.1':
      return world.published ? json({ name: '2.0.1' }) : json({ message: 'not found' }, 404);
    case '/v1/services/srv-1/deploys':
      return mayEnter ? json([{ deploy: { id: 'dep-1', status: world.deploy } }]) : json({}, 401);
    case '/v1/services/srv-1/rollback':
      if (!mayEnter) return json({}, 401);
      world.rolledBackTo = (JSON.parse(await readBody(request)) as { deployId: string }).deployId;
      world.backend = 'operational';
      return json({ id: 'dep-2', status: 'update_in_progress' }, 201);
    case '/v1/services/srv-1/deploys/dep-2':
      return json({ status: 'live' });
    default:
      return json({}, 404);
  }
}

it('the pipeline is up, each break of it is the incident of its part, and a backend that stays broken is rolled back', {
  timeout: 240_000,
}, async () => {
  const url = `http://127.0.0.1:${await listen(server)}`;
  estate = await startOwnEstate({
    ...{ BACKEND_URL: url, BACKEND_VERSION: '2.0.1', BACKEND_IMAGE: 'brainops/backend' },
    ...{ GITHUB_API_URL: url, GITHUB_REPOSITORY: 'brainops/backend', DOCKER_HUB_URL: url },
    ...{ RENDER_API_URL: url, RENDER_API_KEY: KEY, RENDER_SERVICE_ID: 'srv-1', RENDER_GOOD_DEPLOY: 'dep-good' },
  });
  const { daemon } = estate;
  await untilAllUp(daemon, ['backend-api', 'deploy-run', 'deploy-image', 'deploy-live', 'deploy-version']);

  const opened = async (probe: string) => (await untilStory(daemon, probe, 'open', () => true)).cause;
  Object.assign(world, { conclusion: 'failure', published: false, version: '2.0.0' });
  expect(await opened('deploy-run')).toContain('workflow_runs');
  expect(await opened('deploy-image')).toContain('status = 404');
  expect(await opened('deploy-version')).toContain('2.0.0');
  world.deploy = 'build_failed';
  expect(await opened('deploy-live')).toContain('build_failed');

  // Neither a container nor a deploy hook is set: the ladder goes on to the last rung.
  world.backend = 'broken';
  await untilStory(daemon, 'backend-api', 'being rolled back', (begun) => fixesOf(begun).length > 0);
  const isHealed = ({ healed_by }: SeenStory) => healed_by === 'roll-back-on-render';
  const story = await untilStory(daemon, 'backend-api', 'rolled back', isHealed);
  expect(story.attempts.map(({ remediation, state }) => [remediation, state])).toEqual([
    ['roll-back-on-render', 'healed'],
    ['redeploy-on-render', 'refused'],
    ['restart-backend', 'refused'],
  ]);
  expect(world.rolledBackTo).toBe('dep-good');
});
