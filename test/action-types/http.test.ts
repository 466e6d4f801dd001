/** The `http` action against real servers on loopback, well-behaved ones and others. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { http } from '../../src/action-types/http.ts';
import type { Incident } from '../../src/model.ts';
import type { ActionInput } from '../../src/ports.ts';
import { homeWith, loadHome } from '../config/homes.ts';
import { aProbe } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { QUIET } from './input.ts';

interface Heard {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Server {
  readonly url: string;
  readonly heard: readonly Heard[];
}

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Answers each request, once its body is read, by its place in the row. */
async function serve(answer: (response: ServerResponse, heard: Heard, index: number) => void): Promise<Server> {
  const heard: Heard[] = [];
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const one = { line: `${method} ${url}`, headers, body: Buffer.concat(chunks).toString() };
      heard.push(one);
      answer(response, one, heard.length - 1);
    });
  };
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

const json = (response: ServerResponse, value: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));

const incident = { id: 7, subject: 'web', cause: 'status = 503' } as Incident;
const INPUT: ActionInput = {
  ...{ remediation: 'deploy', attemptId: 12, probe: aProbe({ name: 'web' }), incident, folder: '/' },
  ...{ onChild: async () => {}, ...QUIET },
};

function run(written: unknown, timeoutMs?: number) {
  return act(http.spec.parse(written), timeoutMs);
}

function act(spec: z.output<typeof http.spec>, timeoutMs = 20_000) {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const signal = AbortSignal.timeout(timeoutMs);
  return http.run(spec, INPUT, { signal, timeoutMs, clock, log: quietLog });
}

/** Assembled here: nothing that looks like a token stands in a file. */
const TOKEN = ['made', 'up', 'token'].join('-');

describe('the request', () => {
  it('is sent once, as it is written, and any 2xx is a yes', async () => {
    const server = await serve((response) => response.writeHead(202).end());
    const url = `${server.url}/hook?key=${TOKEN}`;
    const output = await run({ url, headers: { 'X-Deploy': 'yes' }, json: { a: '"' }, auth: { bearer: TOKEN } });
    expect(output).toEqual({ done: true, output: `POST ${new URL(url).host}: 202` });
    expect(server.heard).toEqual([
      {
        line: `POST /hook?key=${TOKEN}`,
        headers: expect.objectContaining({
          'x-deploy': 'yes',
          authorization: `Bearer ${TOKEN}`,
          'content-type': 'application/json',
          'user-agent': 'Brainstem',
        }),
        body: '{"a":"\\""}',
      },
    ]);
  });

  it('carries the incident only when that is asked for', async () => {
    const server = await serve((response) => response.end());
    await run({ url: server.url });
    await run({ url: server.url, incident: true });
    expect(server.heard[0]?.body).toBe('');
    expect(JSON.parse(server.heard[1]?.body ?? '')).toMatchObject({
      ...{ remediation: 'deploy', attempt: 12, probe: { name: 'web' }, incident: { id: 7, cause: 'status = 503' } },
    });
  });

  it('sends a text as it is, though it is no JSON, and the userinfo of a URL as basic authentication', async () => {
    const server = await serve((response) => response.end());
    await run({ url: server.url.replace('//', '//ada:p%40ss@'), body: ' x ', method: 'PUT' });
    expect(server.heard[0]).toMatchObject({ body: ' x ', line: 'PUT /' });
    expect(server.heard[0]?.headers.authorization).toBe(`Basic ${Buffer.from('ada:p@ss').toString('base64')}`);
  });

  it('that is answered 500 is a no, with the beginning of what was said, and is not repeated', async () => {
    const server = await serve((response) => response.writeHead(500).end(`no room${'x'.repeat(2_000)}`));
    const output = await run({ url: server.url });
    expect(output).toMatchObject({ done: false, error: expect.stringMatching(/^POST 127\.0\.0\.1:\d+: 500$/) });
    expect(output.output).toMatch(/^no roomx{493}$/);
    expect(server.heard).toHaveLength(1);
  });

  it('takes the statuses that are written for a yes, and no other', async () => {
    const server = await serve((response, _heard, index) => response.writeHead(index === 0 ? 409 : 200).end());
    expect(await run({ url: server.url, status: [409] })).toMatchObject({ done: true });
    expect(await run({ url: server.url, status: [409] })).toMatchObject({ done: false });
  });

  it('that nobody answers ends at the deadline, and says that it may have been heard', async () => {
    const server = await serve(() => undefined);
    const started = performance.now();
    const output = await run({ url: server.url }, 300);
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('it may still do what was asked') });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(server.heard).toHaveLength(1);
  });

  it('that is refused says so', async () => {
    const server = await serve((response) => response.end());
    await closing.pop()?.();
    expect(await run({ url: server.url })).toMatchObject({
      done: false,
      error: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('does not wait for an endless body where the status says all', async () => {
    const server = await serve((response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    expect(await run({ url: server.url }, 60_000)).toMatchObject({ done: true });
  });
});

describe('a redirect', () => {
  it('is a no unless it is asked for', async () => {
    const server = await serve((response) => response.writeHead(307, { location: '/there' }).end());
    const output = await run({ url: server.url });
    expect(output).toMatchObject({
      done: false,
      error: expect.stringContaining('307, a redirect that was not followed'),
    });
    expect(server.heard).toHaveLength(1);
  });

  it('is followed within its origin: 307 repeats the request, 303 asks for the result', async () => {
    const server = await serve((response, { line }) => {
      if (line.endsWith('/one')) response.writeHead(307, { location: '/two' }).end();
      else if (line.endsWith('/two')) response.writeHead(303, { location: '/three' }).end();
      else response.end();
    });
    const output = await run({ url: `${server.url}/one`, body: '{}', auth: { bearer: TOKEN }, redirects: 3 });
    expect(output.done).toBe(true);
    expect(server.heard.map(({ line, body }) => `${line} ${body}`)).toEqual([
      'POST /one {}',
      'POST /two {}',
      'GET /three ',
    ]);
  });

  it('to another origin is never followed: no header, body or credential reaches it', async () => {
    const other = await serve((response) => response.end());
    const server = await serve((response) => response.writeHead(307, { location: `${other.url}/take` }).end());
    const written = { url: server.url, body: 'secret', auth: { bearer: TOKEN }, headers: { 'X-Api-Key': TOKEN } };
    const output = await run({ ...written, redirects: 3 });
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('not followed') });
    expect(other.heard).toEqual([]);
  });

  it('in a circle ends', async () => {
    const server = await serve((response) => response.writeHead(302, { location: '/' }).end());
    expect(await run({ url: server.url, redirects: 3 })).toMatchObject({ done: false });
    expect(server.heard).toHaveLength(4);
  });
});

/** A hook that names a deploy, and an API that tells of it, as those of Render and Vercel do. */
function deploying(url: string, more: object = {}) {
  const waiting = { url: `${url}/deploys/{deploy}`, every: '100ms', expect: ['json.status == "live"'] };
  return {
    url: `${url}/hook`,
    take: { deploy: 'deploy.id' },
    wait_until: { ...waiting, fail_when: ['json.status == "build_failed"'], ...more },
  };
}

/** Statuses that the API tells one after the other; the last one stays. */
function deployServer(...states: readonly unknown[]): Promise<Server> {
  return serve((response, { line }, index) => {
    if (line.startsWith('POST')) json(response, { deploy: { id: 'dep-1' } }, 201);
    else json(response, { status: states[Math.min(index, states.length) - 1] });
  });
}

describe('waiting', () => {
  it('asks again until the second request says done, with the id that the first was answered', async () => {
    const server = await deployServer('created', 'build_in_progress', 'live');
    const output = await run(deploying(server.url, { auth: { bearer: TOKEN } }));
    expect(output.done).toBe(true);
    expect(output.output).toMatch(/^POST \S+: 201\ndeploy = dep-1\ndone after \d+\.\d s: json\.status = "live"$/);
    const [hook, ...asked] = server.heard;
    expect(hook?.headers.authorization).toBeUndefined();
    expect(asked.map(({ line }) => line)).toEqual(Array(3).fill('GET /deploys/dep-1'));
    expect(asked.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  it('ends when the second request says that it has failed', async () => {
    const server = await deployServer('created', 'build_failed');
    const output = await run(deploying(server.url));
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('json.status = "build_failed"') });
    expect(server.heard).toHaveLength(3);
  });

  it('outlives errors, bodies that are no JSON and missing keys: they are not an answer yet', async () => {
    const server = await serve((response, { line }, index) => {
      if (line.startsWith('POST')) json(response, { deploy: { id: 'dep-1' } });
      else if (index === 1) response.destroy();
      else if (index === 2) json(response, { status: 'live' }, 503);
      else if (index === 3) response.end('<html>');
      else if (index === 4) json(response, {});
      else json(response, { status: 'live' });
    });
    expect(await run(deploying(server.url))).toMatchObject({ done: true });
    expect(server.heard).toHaveLength(6);
  });

  it('ends at once when its credentials are refused', async () => {
    const server = await serve((response, { line }) =>
      line.startsWith('POST') ? json(response, { deploy: { id: 'dep-1' } }) : json(response, {}, 401),
    );
    const output = await run(deploying(server.url));
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('credentials were refused (401)') });
    expect(server.heard).toHaveLength(2);
  });

  it('ends at the deadline with what was seen last', async () => {
    const server = await deployServer('build_in_progress');
    const output = await run(deploying(server.url), 1_500);
    expect(output.error).toContain('before the deadline; last seen: json.status = "build_in_progress"');
  });

  it('reads no more than a MiB of an answer, packed or not, and takes nothing from a part', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20, ' '));
    const server = await serve((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    const output = await run(deploying(server.url));
    expect(output).toMatchObject({
      done: false,
      error: expect.stringContaining('is not complete and has no deploy.id'),
    });
  });

  it('leaves an endless answer at that MiB', async () => {
    const server = await serve((response) => {
      const more = () => void (response.write(' '.repeat(65_536)) && setImmediate(more));
      response.on('drain', more);
      more();
    });
    const output = await run(deploying(server.url), 10_000);
    // At the deadline it would say that the request may still do what was asked.
    expect(output.error).toMatch(/is not complete and has no deploy\.id to wait for$/);
  });

  it('keeps a body that drips to the deadline', async () => {
    const server = await serve((response) => {
      const drip = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(drip));
    });
    const output = await run(deploying(server.url), 500);
    expect(output.error).toContain('its answer is not complete');
  });

  it('puts a value into the URL only as a value', async () => {
    const hostile = '../../admin?x=1#é';
    const server = await serve((response, { line }) =>
      json(response, line.startsWith('POST') ? { deploy: { id: hostile } } : { status: 'live' }),
    );
    await run(deploying(server.url));
    expect(server.heard[1]?.line).toBe(`GET /deploys/${encodeURIComponent(hostile)}`);
  });

  it.each(['..', '.', '', {}, null, 'x'.repeat(201), '\ud800'])('takes no %j for an id', async (id) => {
    const server = await serve((response) => json(response, { deploy: { id } }));
    const output = await run(deploying(server.url));
    expect(output).toMatchObject({ done: false, error: expect.stringContaining('no deploy.id to wait for') });
    expect(server.heard).toHaveLength(1);
  });
});

describe('the spec', () => {
  const wait = { url: 'http://x/{id}', expect: ['true'] };
  it.each([
    [{ url: 'ftp://x' }, 'not a URL'],
    [{ url: 'http://x', body: 'a', incident: true }, 'exclude each other'],
    [{ url: 'http://x', method: 'GET', json: {} }, 'carries no body'],
    [{ url: 'http://x', take: { id: 'id' } }, 'is not used by'],
    [{ url: 'http://x', wait_until: wait }, 'names {id}, which "take" does not'],
    [{ url: 'http://x', take: { id: 'a..b' }, wait_until: wait }, 'is not a path of keys'],
    [
      { url: 'http://x', take: { id: 'a' }, wait_until: { ...wait, url: 'http://{id}.x/' } },
      'in its path and query alone',
    ],
    [
      { url: 'http://x', take: { id: 'a' }, wait_until: { ...wait, url: 'http://{id}@x/' } },
      'in its path and query alone',
    ],
    [{ url: 'http://x', take: { id: 'a' }, wait_until: { ...wait, expect: [] } }, ''],
  ])('refuses %j', (written, message) => {
    const problems = http.spec.safeParse(written).error?.issues.map((issue) => issue.message);
    expect(problems?.join()).toContain(message);
  });

  it('says what it would do by hosts alone: the rest of a hook is secret', () => {
    const spec = http.spec.parse({
      ...deploying('https://api.example.org'),
      url: `https://hooks.example.org/${TOKEN}`,
    });
    expect(http.would(spec, undefined)).toBe(
      'POST to hooks.example.org, then ask api.example.org until json.status == "live"',
    );
  });
});

describe('the recipes', () => {
  async function recipe(name: string, environment: Readonly<Record<string, string>>) {
    const file = 'remediations/deploys.yaml';
    const text = await readFile(join(import.meta.dirname, '../..', file), 'utf8');
    const { remediations } = await loadHome(
      await homeWith({ [file]: text.replaceAll('every: 10s', 'every: 100ms') }),
      environment,
    );
    return remediations.get(name)?.spec as z.output<typeof http.spec>;
  }

  it('deploy on Render by its hook, and are done when its API says live', async () => {
    const server = await serve((response, { line, headers }, index) => {
      if (line === `POST /deploy/srv-1?key=${TOKEN}`) json(response, { deploy: { id: 'dep-9' } });
      else if (headers.authorization !== `Bearer ${TOKEN}`) json(response, {}, 401);
      else if (line !== 'GET /v1/services/srv-1/deploys/dep-9') json(response, {}, 404);
      else json(response, { id: 'dep-9', status: index < 3 ? 'build_in_progress' : 'live' });
    });
    const spec = await recipe('redeploy-on-render', {
      ...{ RENDER_DEPLOY_HOOK_URL: `${server.url}/deploy/srv-1?key=${TOKEN}`, RENDER_SERVICE_ID: 'srv-1' },
      ...{ RENDER_API_KEY: TOKEN, RENDER_API_URL: server.url },
    });
    expect(await act(spec)).toMatchObject({ done: true });
  });

  it.each([
    ['READY', true],
    ['ERROR', false],
  ])('redeploy on Vercel, and %s decides', async (readyState, done) => {
    const server = await serve((response, { line, headers, body }, index) => {
      if (headers.authorization !== `Bearer ${TOKEN}`) json(response, {}, 403);
      else if (line === 'POST /v13/deployments?forceNew=1' && JSON.parse(body).deploymentId === 'dpl_1')
        json(response, { id: 'dpl_2', readyState: 'QUEUED' });
      else if (line === 'GET /v13/deployments/dpl_2')
        json(response, { readyState: index < 3 ? 'BUILDING' : readyState });
      else json(response, {}, 404);
    });
    const spec = await recipe('redeploy-task-os', {
      ...{ VERCEL_API_URL: server.url, VERCEL_TOKEN: TOKEN, TASK_OS_PROJECT: 'site', TASK_OS_DEPLOYMENT: 'dpl_1' },
    });
    expect(await act(spec)).toMatchObject({ done });
  });
});
