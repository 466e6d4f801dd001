/** The estate's own definitions on a real HTTP server that answers as the applications and platforms do. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { fixesOf, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { close, listen, readBody } from '../estate/faults.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import type { SeenStory } from '../estate/scene.ts';

/** Made up at run time. */
const KEY = ['a', 'made', 'up', 'key'].join('-');
const ROUTES = ['auth', 'customers', 'jobs', 'estimates', 'invoices', 'inventory', 'equipment', 'workflows', 'ai'];

/** What can be broken, each by itself. */
const world = {
  backend: 'operational',
  storageLoses: false,
  cacheControl: 'max-age=60',
  deploys: 0,
  switches: true,
  believed: true,
};
const objects = new Map<string, string>();
const server = createServer((request, response) => void answer(request, response));
const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  const mayEnter = world.switches && request.headers.authorization === `Bearer ${KEY}`;
  if (mayEnter) sockets.handleUpgrade(request, socket, head, () => {});
  else socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
});

let estate: OwnEstate | undefined;

afterEach(async () => {
  await estate?.close();
  await close(server);
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '', 'http://127.0.0.1').pathname;
  const json = (value: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const mayEnter = request.headers.authorization === `Bearer ${KEY}`;
  if (path === '/api/v1/health') return void json({ status: world.backend });
  if (path === '/api/v1/auth/login') return void json(await signIn(request));
  if (path === '/api/v1/auth/me') return void json({}, mayEnter && world.believed ? 200 : 401);
  if (path.startsWith('/api/v1/')) return void json({ detail: 'Not authenticated' }, 401);
  if (path.startsWith('/storage/')) return void (mayEnter ? await store(request, response) : json({}, 403));
  if (path.startsWith('/api/dashboards/')) return void json({ dashboard: { panels: [{}] } }, mayEnter ? 200 : 401);
  if (path === '/asset.js') {
    return void response.writeHead(200, { 'cache-control': world.cacheControl, 'x-vercel-cache': 'HIT' }).end('1');
  }
  if (path === '/hook') {
    world.deploys += 1;
    world.backend = 'operational';
    return void json({ deploy: { id: 'dep-1' } });
  }
  if (path === '/v1/services/srv-1/deploys/dep-1') return void json({ status: 'live' });
  if (path === '/page') return void response.end('<html>Welcome, roofers</html>');
  json(path === '/api/health' ? { database: 'ok' } : {}, path === '/api/health' ? 200 : 404);
}

async function signIn(request: IncomingMessage): Promise<object> {
  const { email, password } = JSON.parse(await readBody(request)) as Record<string, string>;
  return email === 'check@example.com' && password === KEY ? { access_token: KEY } : {};
}

async function store(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  if (request.method === 'POST') {
    const text = await readBody(request);
    objects.set(path, world.storageLoses ? '' : text);
    response.end('{}');
    return;
  }
  if (request.method === 'DELETE') {
    objects.delete(path);
    response.end('{}');
    return;
  }
  const text = objects.get(path);
  response.writeHead(text === undefined ? 404 : 200).end(text);
}

it('applications, storage and edge are up as they should be, and each fault is the incident of one probe', {
  timeout: 240_000,
}, async () => {
  const url = `http://127.0.0.1:${await listen(server)}`;
  estate = await startOwnEstate({
    BACKEND_URL: url,
    BACKEND_WEBSOCKET_URL: `${url.replace('http:', 'ws:')}/ws`,
    BACKEND_WEBSOCKET_AUTHORIZATION: `Bearer ${KEY}`,
    ...{ RENDER_DEPLOY_HOOK_URL: `${url}/hook`, RENDER_SERVICE_ID: 'srv-1' },
    ...{ RENDER_API_URL: url, RENDER_API_KEY: KEY },
    ...{ MYROOFGENIUS_URL: `${url}/page`, MYROOFGENIUS_TEXT: 'roofers' },
    ...{ SESSION_CHECK_USER: 'check@example.com', SESSION_CHECK_PASSWORD: KEY },
    ...{ SUPABASE_URL: url, SUPABASE_KEY: KEY, STORAGE_BUCKET: 'checks', CDN_URL: `${url}/asset.js` },
    ...{ GRAFANA_URL: url, GRAFANA_TOKEN: KEY, GRAFANA_DASHBOARD_UID: 'estate' },
  });
  const { daemon } = estate;
  const pages = ['session', 'myroofgenius', 'storage', 'cdn', 'grafana-health', 'grafana-dashboard'];
  const routes = [...ROUTES, 'websocket'].map((route) => `backend-${route}`);
  await untilAllUp(daemon, ['backend-api', ...routes, ...pages]);

  world.storageLoses = true;
  expect((await untilStory(daemon, 'storage', 'open', () => true)).cause).toContain('step 2 (read)');
  world.believed = false;
  expect((await untilStory(daemon, 'session', 'open', () => true)).cause).toContain('step 2 (use it)');
  world.switches = false;
  expect((await untilStory(daemon, 'backend-websocket', 'open', () => true)).cause).toContain('it answered 503');
  world.cacheControl = 'no-store';
  expect((await untilStory(daemon, 'cdn', 'open', () => true)).cause).toContain('cache-control');

  // There is no container here: the ladder goes on to the deploy.
  world.backend = 'broken';
  await untilStory(daemon, 'backend-api', 'deployed again', (begun) => fixesOf(begun).length > 0);
  const isHealed = ({ healed_by }: SeenStory) => healed_by !== undefined;
  const story = await untilStory(daemon, 'backend-api', 'healed', isHealed);
  expect(story.attempts.map(({ remediation, state }) => [remediation, state])).toEqual([
    ['redeploy-on-render', 'healed'],
    ['restart-backend', 'refused'],
  ]);
  expect(world.deploys).toBe(1);
});
