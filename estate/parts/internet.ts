/**
 * What the estate uses at others, behind one address: three pages, the edge, object storage, the APIs of providers and platforms,
 * each of which wants to be asked as documented.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { close, listen, readBody } from '../../test/estate/faults.ts';
import { asksRightly, contracts, type FakeAnswer } from '../../test/estate/provider-contracts.ts';
import type { Part, StartedPart } from '../part.ts';
import { BACKEND_VERSION } from './backend.ts';

const DAY_MS = 86_400_000;

/** A provider by its name, or one of these. */
export type InternetFault =
  | 'myroofgenius'
  | 'weathercraft'
  | 'task-os'
  | 'cdn'
  | 'storage'
  | 'run'
  | 'image'
  | 'deploy'
  | (string & {});

export interface Internet extends StartedPart {
  /** What is wrong from now on; none mends it. */
  fail(...faults: readonly InternetFault[]): void;
}

/** What each token looks like, so that it is one; the rest is made up at every start. */
const PREFIXES: Readonly<Record<string, string>> = {
  slack: ['xoxb', ''].join('-'),
  github: ['ghp', ''].join('_'),
  stripe: ['rk', 'test', ''].join('_'),
  notion: ['ntn', ''].join('_'),
  openai: ['sk', ''].join('-'),
  anthropic: ['sk', 'ant', ''].join('-'),
  render: ['rnd', ''].join('_'),
};
const PROVIDERS = [
  ...['slack', 'github', 'stripe', 'centerpoint', 'notion', 'openai', 'anthropic', 'google-ai', 'elevenlabs'],
  ...['supabase', 'render', 'vercel', 'dockerhub'],
];

type Tokens = Readonly<Record<string, string>>;
type Answers = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean> | boolean;

async function start(): Promise<Internet> {
  const tokens: Tokens = Object.fromEntries(PROVIDERS.map((name) => [name, `${PREFIXES[name] ?? ''}${randomUUID()}`]));
  let faults: readonly InternetFault[] = [];
  const fails = (fault: InternetFault) => faults.includes(fault);
  const jwt = await createJwt();
  const everything: readonly Answers[] = [
    providersAnswer(tokens, fails),
    pagesAnswer(fails),
    statusPagesAnswer(fails),
    createStorage(fails),
    platformsAnswer(fails, jwt.keys),
  ];
  const server = createServer((request, response) => {
    answer(everything, request, response).catch(() => response.destroy());
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  return {
    fail(...given) {
      faults = given;
    },
    environment: { ...environmentOf(url, tokens), BACKEND_JWT: jwt.token, BACKEND_JWKS_URL: `${url}/jwks` },
    stop: () => close(server),
  };
}

async function answer(all: readonly Answers[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://127.0.0.1');
  for (const answers of all) if (await answers(request, response, url)) return;
  send(response, { detail: 'Not Found' }, 404);
}

function send(response: ServerResponse, value: unknown, status = 200): true {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  return true;
}

/** What has ended, or is nearly used up, in the contracts is as it should be here. */
const BETTER: Readonly<Record<string, () => Partial<FakeAnswer>>> = {
  github: () => ({
    headers: { 'x-oauth-scopes': 'repo', 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': '4987' },
  }),
  elevenlabs: () => ({ body: { user_id: 'u', subscription: { character_count: 100, character_limit: 1_000 } } }),
  vercel: () => ({
    body: { token: { id: 't', name: 'deploys', scopes: [{ type: 'team' }], expiresAt: Date.now() + 90 * DAY_MS } },
  }),
};

function providersAnswer(tokens: Tokens, fails: (fault: string) => boolean): Answers {
  return async (request, response, url) => {
    const name = PROVIDERS.find((provider) => contracts[provider]?.path === `${url.pathname}${url.search}`);
    const contract = contracts[name ?? ''];
    if (name === undefined || contract === undefined) return false;
    const isRight = await asksRightly(request, contract, tokens[name] ?? '');
    const good: FakeAnswer = { ...contract.good, ...BETTER[name]?.() };
    const { status, headers = {}, body } = fails(name) || !isRight ? (contract.refused[0] ?? good) : good;
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
    response.end(status === 204 ? undefined : isText ? body : JSON.stringify(body));
    return true;
  };
}

const STATUS_PAGES = ['github', 'render', 'vercel', 'supabase', 'notion', 'openai', 'anthropic', 'elevenlabs'];

function statusPagesAnswer(fails: (fault: string) => boolean): Answers {
  return (_request, response, { pathname }) => {
    const name = STATUS_PAGES.find((each) => pathname === `/status/${each}/api/v2/summary.json`);
    return name === undefined ? false : send(response, statusPage(fails(`status-${name}`)));
  };
}

const PAGES: Readonly<Record<string, string>> = {
  '/myroofgenius': 'Welcome, roofers',
  '/weathercraft': 'WeatherCraft ERP',
  '/task-os': 'Your tasks',
};

function pagesAnswer(fails: (fault: string) => boolean): Answers {
  return (_request, response, { pathname }) => {
    const text = PAGES[pathname];
    if (text !== undefined) {
      const shown = fails(pathname.slice(1)) ? 'Application error' : text;
      // A browser would ask for an icon, and tell that there is none.
      const page = `<!doctype html><html><head><link rel="icon" href="data:,"></head><body>${shown}</body></html>`;
      response.writeHead(200, { 'content-type': 'text/html' }).end(page);
      return true;
    }
    if (pathname !== '/asset.js') return false;
    const cacheControl = fails('cdn') ? 'no-store' : 'public, max-age=3600';
    response.writeHead(200, { 'cache-control': cacheControl, 'x-vercel-cache': 'HIT' }).end('1');
    return true;
  };
}

/** GitHub, Docker Hub, Render and Vercel, as far as deploys are concerned; Slack, as far as alerts are; keys of the backend. */
function platformsAnswer(fails: (fault: string) => boolean, keys: unknown): Answers {
  return async (request, response, { pathname }) => {
    await readBody(request);
    switch (pathname) {
      case '/jwks':
        return send(response, keys);
      case '/slack/chat.postMessage':
      case '/slack/chat.update':
        return send(response, { ok: true, channel: 'C1', ts: `${Date.now() / 1_000}` });
      case '/repos/brainops/backend/actions/runs':
        return send(response, { workflow_runs: [{ conclusion: fails('run') ? 'failure' : 'success' }] });
      case `/v2/repositories/brainops/backend/tags/${BACKEND_VERSION}`:
        return fails('image') ? send(response, {}, 404) : send(response, { name: BACKEND_VERSION });
      case '/v1/services/srv-1/deploys':
        return send(response, [{ deploy: { id: 'dep-1', status: fails('deploy') ? 'build_failed' : 'live' } }]);
      case '/hook':
        return send(response, { deploy: { id: 'dep-1' } });
      case '/v1/services/srv-1/rollback':
        return send(response, { id: 'dep-1' }, 201);
      case '/v1/services/srv-1/deploys/dep-1':
        return send(response, { status: 'live' });
      case '/v13/deployments':
        return send(response, { id: 'dpl_1' });
      case '/v13/deployments/dpl_1':
        return send(response, { readyState: 'READY' });
      default:
        return false;
    }
  };
}

function createStorage(fails: (fault: string) => boolean): Answers {
  const objects = new Map<string, string>();
  return async (request, response, { pathname }) => {
    if (!pathname.startsWith('/storage/')) return false;
    if (request.method === 'POST') {
      const text = await readBody(request);
      objects.set(pathname, fails('storage') ? '' : text);
      return send(response, {});
    }
    const text = objects.get(pathname);
    if (request.method === 'DELETE') {
      objects.delete(pathname);
      return send(response, {});
    }
    Readable.from([text ?? '']).pipe(response.writeHead(text === undefined ? 404 : 200));
    return true;
  };
}

/** As Statuspage writes it. */
function statusPage(isOut: boolean) {
  const status = isOut
    ? { indicator: 'major', description: 'Partial System Outage' }
    : { indicator: 'none', description: 'All Systems Operational' };
  return { page: { name: 'Estate' }, status, components: [], incidents: [], scheduled_maintenances: [] };
}

async function createJwt() {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'estate' })
    .setIssuedAt()
    .setExpirationTime('24h')
    .sign(privateKey);
  return { token, keys: { keys: [{ ...(await exportJWK(publicKey)), kid: 'estate', alg: 'ES256', use: 'sig' }] } };
}

function environmentOf(url: string, tokens: Tokens): Record<string, string> {
  const of = (name: string) => tokens[name] ?? '';
  return {
    ...{ SLACK_BOT_TOKEN: of('slack'), SLACK_CHANNEL: 'C1', SLACK_API_URL: `${url}/slack/`, SLACK_URL: url },
    ...{ GITHUB_TOKEN: of('github'), GITHUB_API_URL: url, GITHUB_REPOSITORY: 'brainops/backend' },
    ...{ STRIPE_KEY: of('stripe'), STRIPE_API_URL: url, NOTION_TOKEN: of('notion'), NOTION_API_URL: url },
    ...{ CENTERPOINT_TOKEN: of('centerpoint'), CENTERPOINT_URL: `${url}/a/leads` },
    ...{ OPENAI_KEY: of('openai'), OPENAI_API_URL: url, ANTHROPIC_KEY: of('anthropic'), ANTHROPIC_API_URL: url },
    ...{ GOOGLE_AI_KEY: of('google-ai'), GOOGLE_AI_API_URL: url, ELEVENLABS_KEY: of('elevenlabs') },
    ...{ ELEVENLABS_API_URL: url, SUPABASE_URL: url, SUPABASE_KEY: of('supabase'), STORAGE_BUCKET: 'checks' },
    ...{ RENDER_API_KEY: of('render'), RENDER_API_URL: url, RENDER_SERVICE_ID: 'srv-1', RENDER_GOOD_DEPLOY: 'dep-1' },
    ...{ RENDER_DEPLOY_HOOK_URL: `${url}/hook`, VERCEL_TOKEN: of('vercel'), VERCEL_API_URL: url },
    ...{ MYROOFGENIUS_PROJECT: 'myroofgenius', MYROOFGENIUS_DEPLOYMENT: 'dpl_1' },
    ...{ WEATHERCRAFT_PROJECT: 'weathercraft', WEATHERCRAFT_DEPLOYMENT: 'dpl_1' },
    ...{ TASK_OS_PROJECT: 'task-os', TASK_OS_DEPLOYMENT: 'dpl_1' },
    ...{ DOCKER_HUB_URL: url, DOCKER_HUB_USER: 'estate', DOCKER_HUB_TOKEN: of('dockerhub') },
    ...{ BACKEND_IMAGE: 'brainops/backend', CDN_URL: `${url}/asset.js` },
    ...{ MYROOFGENIUS_URL: `${url}/myroofgenius`, MYROOFGENIUS_TEXT: 'roofers' },
    ...{ WEATHERCRAFT_URL: `${url}/weathercraft`, WEATHERCRAFT_TEXT: 'WeatherCraft' },
    ...{ TASK_OS_URL: `${url}/task-os`, TASK_OS_TEXT: 'tasks', ENVIRONMENT_AT_LEAST: '0.9' },
    ...Object.fromEntries(STATUS_PAGES.map((name) => [`${name.toUpperCase()}_STATUS_URL`, `${url}/status/${name}`])),
  };
}

export const internet: Part<Internet> = {
  summary: 'Pages, the edge, object storage, and the APIs of providers and platforms',
  needs: {},
  start,
};
