import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { ApiRoute } from '../../src/server/route.ts';
import { routes } from '../../src/server/routes.ts';
import { problemDetails } from '../../src/server/schemas.ts';
import { type Fixture, startServer, storeIncident } from './fixture.ts';
import { attempt, emptyWorld, incident, NOW, probe, remediation, silence, view } from './world.ts';

let server: Fixture;
let id: number;
const api = routes.filter((route): route is ApiRoute => route.kind === 'api');

beforeAll(async () => {
  const web = probe('web', { labels: { team: 'a' }, remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] });
  server = await startServer(
    {},
    emptyWorld({
      probes: [
        view(web, {
          state: 'down',
          verdict: 'fail',
          reason: 'http_status',
          summary: 'status = 503 canary-secret',
          fields: { status: 503, body: 'canary-secret', size: 3n },
        }),
        view(probe('new'), { ran: false, state: 'unconfigured' }),
      ],
      incidents: [incident(1, 'web')],
      attempts: [attempt(1, 'restart', { state: 'running' })],
      remediations: [remediation('restart')],
      disarmed: [{ remediation: 'restart', at: NOW, why: 'limit' }],
      frozen: { at: NOW, by: 'ann', why: 'why' },
      problems: [{ location: { file: 'a', line: 1, column: 2 }, message: 'bad' }],
    }),
  );
  id = await storeIncident(server.store);
  await server.store.insertTransition({
    probe: 'web',
    from: 'up',
    to: 'down',
    at: NOW - 10,
    reason: 'timeout',
    summary: 's',
    incidentId: id,
  });
  await server.store.addAudit({ at: NOW, actor: 'ann', action: 'freeze', subject: 'healing', detail: '' });
  await server.store.addResults([
    {
      probe: 'web',
      at: NOW - 50,
      latencyMs: 3,
      reason: 'ok',
      verdict: 'pass',
      revision: 'r',
      error: false,
      values: { status: 200 },
    },
  ]);
});

afterAll(() => server.close());
beforeEach(() => server.commanded.splice(0));

const pathOf = (path: string) =>
  path.replace('/probes/:name', '/probes/web').replace(':name', 'restart').replace(':id', String(id));

describe('reading', () => {
  test.each(api.filter(({ method }) => method === 'GET').map((route) => [route.path, route] as const))(
    '%s answers what its schema says',
    async (path, route) => {
      const answer = await server.ask(pathOf(path));
      expect(answer.status).toBe(200);
      route.response.parse(answer.json());
    },
  );

  test('status is everything at once', async () => {
    expect((await server.ask('/api/v1/status')).json()).toMatchObject({
      version: '1.2.3',
      now: '2026-01-15T12:00:00.000Z',
      ready: true,
      counts: { down: 1, unconfigured: 1, up: 0 },
      probes: [{ name: 'web', state: 'down', reason: 'http_status', incident_id: 1 }, { name: 'new' }],
      incidents: [{ id: 1, subject: 'web' }],
      attempts: [{ remediation: 'restart', state: 'running' }],
      frozen: { by: 'ann' },
      disarmed: [{ remediation: 'restart' }],
      configuration: { ok: false, problems: [{ file: 'a', line: 1, column: 2, message: 'bad' }] },
    });
  });

  test('no secret is answered, also not from deep inside the fields', async () => {
    for (const path of ['/api/v1/status', '/api/v1/probes/web']) {
      const { text } = await server.ask(path);
      expect(text).not.toContain('canary');
      expect(text).toContain('[redacted]');
    }
  });

  test('a probe is told as it was defined: how often it looks, and its objective', async () => {
    const before = server.world.probes;
    const schedule = { kind: 'cron', expression: '0 3 * * *' } as const;
    const slo = { objectivePercent: 99.9, windowMs: 86_400_000 };
    server.world.probes = [view(probe('often', { slo, retryEveryMs: 5_000 })), view(probe('nightly', { schedule }))];
    const often = (await server.ask('/api/v1/probes/often')).json();
    const nightly = (await server.ask('/api/v1/probes/nightly')).json();
    server.world.probes = before;
    expect(often).toMatchObject({ every_ms: 30_000, retry_every_ms: 5_000 });
    expect(often).toMatchObject({ slo: { objective: 99.9, window_ms: 86_400_000 } });
    expect(nightly).toMatchObject({ schedule: '0 3 * * *' });
    for (const absent of ['every_ms', 'retry_every_ms', 'slo']) expect(nightly).not.toHaveProperty(absent);
  });

  test('a list of thousands comes whole, and lets the event loop run meanwhile', async () => {
    const few = server.world.probes;
    server.world.probes = Array.from({ length: 5_000 }, (_, index) => view(probe(`probe-${index}`)));
    let turns = 0;
    const counter = setInterval(() => {
      turns += 1;
    }, 1);
    try {
      const { probes } = (await server.ask('/api/v1/probes')).json() as { probes: { name: string }[] };
      expect(probes.map(({ name }) => name)).toEqual(server.world.probes.map((each) => each.probe.name));
      expect(turns).toBeGreaterThan(5);
    } finally {
      clearInterval(counter);
      server.world.probes = few;
    }
  });

  test('self is flat, for the probe that watches us', async () => {
    expect((await server.ask('/api/v1/self')).json()).toMatchObject({ memory_bytes: 80_000_000, store_up: true });
  });

  test('history has results and transitions of a span', async () => {
    const all = (await server.ask('/api/v1/probes/web/history')).json();
    expect(all).toMatchObject({
      results: [{ at: '2026-01-15T11:59:59.950Z', latency_ms: 3, values: { status: 200 } }],
      transitions: [{ kind: 'transition', subject: 'web', text: 'up → down: timeout, s' }],
    });
    const none = await server.ask('/api/v1/probes/web/history?from=2025-01-01T00:00:00Z&to=2025-02-01T00:00:00Z');
    expect(none.json()).toEqual({ results: [], transitions: [] });
  });

  test('incidents come in pages, newest first', async () => {
    for (const subject of ['a', 'b', 'c'])
      await storeIncident(server.store, { subject, resolvedAt: NOW, resolution: 'recovered' });
    const first = (await server.ask('/api/v1/incidents?limit=2&open=false')).json() as {
      incidents: { subject: string }[];
      next: number;
    };
    expect(first.incidents.map(({ subject }) => subject)).toEqual(['c', 'b']);
    const second = await server.ask(`/api/v1/incidents?limit=2&open=false&before=${first.next}`);
    expect(second.json()).toMatchObject({ incidents: [{ subject: 'a' }] });
    expect((await server.ask('/api/v1/incidents?open=true')).json()).toMatchObject({ incidents: [{ subject: 'web' }] });
  });

  test('an incident comes with its story', async () => {
    expect((await server.ask(`/api/v1/incidents/${id}`)).json()).toMatchObject({
      timeline: [{ kind: 'opened', actor: 'brainstem' }],
      attempts: [{ remediation: 'restart', output: 'restarted' }],
      notifications: [{ notifier: 'oncall', kind: 'opened', event_id: 'e1', state: 'sent' }],
    });
  });

  test('events are transitions and the audit log in one order', async () => {
    const { events } = (await server.ask('/api/v1/events?limit=2')).json() as { events: { kind: string }[] };
    expect(events.map(({ kind }) => kind)).toEqual(['freeze', 'transition']);
  });
});

describe('changing', () => {
  test('acknowledge, resolve and comment name who asks', async () => {
    const named = { 'x-brainstem-user': 'ann' };
    expect((await server.post(`/api/v1/incidents/${id}/ack`, undefined, named)).json()).toMatchObject({
      acknowledged_by: 'ann',
    });
    expect((await server.post(`/api/v1/incidents/${id}/ack`, { by: 'bob' })).json()).toMatchObject({
      acknowledged_by: 'bob',
    });
    expect((await server.post(`/api/v1/incidents/${id}/resolve`, { force: true })).status).toBe(200);
    expect((await server.post(`/api/v1/incidents/${id}/comment`, { text: ' looking ' })).status).toBe(200);
    expect(server.commanded).toEqual([
      ['acknowledge', id, 'ann'],
      ['acknowledge', id, 'bob'],
      ['resolve', id, 'local', true],
      ['comment', id, 'local', 'looking'],
    ]);
  });

  test('freeze, unfreeze and arm', async () => {
    expect((await server.post('/api/v1/freeze', { why: 'migration' })).json()).toMatchObject({
      by: 'local',
      why: 'migration',
    });
    expect((await server.post('/api/v1/unfreeze')).json()).toEqual({ frozen: false });
    expect((await server.post('/api/v1/unfreeze', { by: 'file' })).json()).toEqual({ frozen: true });
    expect((await server.post('/api/v1/remediations/restart/arm')).json()).toEqual({ changed: true });
  });

  test('a silence has an end, given as a time or a duration, an author and a comment', async () => {
    const asked = { matchers: ['probe=web', 'team=~"a|b"'], comment: ' moving ' };
    const named = { 'x-brainstem-user': 'ann' };
    const added = await server.post('/api/v1/silences', { ...asked, for: '2h', author: 'bob' }, named);
    expect(added.json()).toMatchObject({ state: 'active', author: 'bob', ends_at: '2026-01-15T14:00:00.000Z' });
    await server.post('/api/v1/silences', { ...asked, starts_at: '2026-01-15T13:00:00Z', for: '2h' }, named);
    await server.post('/api/v1/silences', { ...asked, ends_at: '2026-01-15T12:30:00+00:00' });
    const commanded = server.commanded.map(([, request]) => request);
    const common = { matchers: asked.matchers, comment: 'moving' };
    const HOUR = 3_600_000;
    expect(commanded).toEqual([
      { ...common, author: 'bob', by: 'ann', endsAt: NOW + 2 * HOUR },
      { ...common, author: 'ann', by: 'ann', startsAt: NOW + HOUR, endsAt: NOW + 3 * HOUR },
      { ...common, author: 'local', by: 'local', endsAt: NOW + HOUR / 2 },
    ]);
    for (const wrong of [
      { ...asked, for: '2h', ends_at: '2026-01-15T12:30:00Z' },
      asked,
      { ...asked, for: 'soon' },
      { ...asked, for: '2h', matchers: [] },
      { ...asked, for: '2h', comment: ' ' },
    ])
      expect((await server.post('/api/v1/silences', wrong)).status).toBe(400);
    expect(server.commanded).toHaveLength(3);
  });

  test('silences that last are listed with what they silence, others only when asked', async () => {
    await server.store.insertSilence({ ...silence(0), endsAt: NOW - 1, comment: 'over' });
    server.world.silences = [silence(1)];
    const comments = async (query: string) =>
      ((await server.ask(`/api/v1/silences${query}`)).json() as { silences: { comment: string }[] }).silences.map(
        ({ comment }) => comment,
      );
    expect(await comments('')).not.toContain('over');
    expect(await comments('?all=true')).toContain('over');
    expect((await server.ask('/api/v1/status')).json()).toMatchObject({
      silences: [{ id: 1, matchers: ['probe="web"'], state: 'active', incidents: [1] }],
      incidents: [{ id: 1, silenced_by: 1 }],
    });
    server.world.silences = [];
  });

  test('a fix by hand answers its plan and its attempt', async () => {
    const dry = await server.post('/api/v1/remediations/restart/run', { probe: 'web', dry_run: true });
    expect(dry.json()).toMatchObject({
      plan: { go: false, refusal: 'cooldown', retry_at: '2026-01-15T12:00:00.000Z' },
    });
    const run = await server.post('/api/v1/remediations/restart/run', { probe: 'web' });
    expect(run.json()).toMatchObject({ plan: { go: true }, attempt: { state: 'healed' }, would: 'docker restart web' });
    expect(server.commanded[1]).toEqual([
      'remediate',
      { remediation: 'restart', probe: 'web', by: 'local', dryRun: false },
    ]);
  });

  test('whatever is answered fits its schema', async () => {
    const bodies: Record<string, unknown> = {
      '/api/v1/incidents/:id/comment': { text: 'x' },
      '/api/v1/incidents/:id/resolve': { force: true },
      '/api/v1/remediations/:name/run': { probe: 'web' },
      '/api/v1/silences': { matchers: ['probe=web'], for: '2h', comment: 'why' },
    };
    for (const route of api.filter(({ method }) => method === 'POST')) {
      const answer = await server.post(pathOf(route.path), bodies[route.path]);
      expect([route.path, answer.status]).toEqual([route.path, 200]);
      route.response.parse(answer.json());
    }
  });
});

describe('errors are problem details', () => {
  const expectProblem = (answer: Awaited<ReturnType<Fixture['ask']>>, status: number, code: string) => {
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(problemDetails.parse(answer.json())).toMatchObject({ status, code });
    expect(answer.status).toBe(status);
  };

  test('for what does not exist', async () => {
    expectProblem(await server.ask('/api/v1/probes/none'), 404, 'probe_unknown');
    expectProblem(await server.ask('/api/v1/incidents/999'), 404, 'incident_unknown');
    expectProblem(await server.ask('/api/v1/nothing'), 404, 'no_such_route');
    expectProblem(await server.post('/api/v1/remediations/none/arm'), 404, 'remediation_unknown');
    expectProblem(await server.post('/api/v1/silences/999/expire'), 404, 'silence_unknown');
  });

  test('say what to do instead', async () => {
    const detail = async (answer: Promise<Awaited<ReturnType<Fixture['ask']>>>) =>
      problemDetails.parse((await answer).json()).detail;
    const { ask, post } = server;
    expect(await detail(ask('/api/v1/probes/wbe'))).toBe('there is no probe "wbe" (did you mean "web"?)');
    expect(await detail(ask('/api/v1/probes/x'.padEnd(40, 'x')))).toMatch(/; there are: web, new$/);
    expect(await detail(ask('/api/v1/nothing'))).toContain('GET /api/v1/openapi.json');
    expect(await detail(ask('/api/v1/probes/%ff'))).toContain('percent-encoded');
    expect(await detail(ask('/api/v1/incidents/abc'))).toBe('path.id must be a number');
    expect(await detail(ask('/api/v1/incidents/1.5'))).toBe('path.id must be a whole number');
    expect(await detail(ask('/api/v1/incidents/0'))).toBe('path.id must be more than 0');
    expect(await detail(ask(`/api/v1/incidents/${'9'.repeat(30)}`))).toMatch(/^path.id must be at most \d+$/);
    expect(await detail(ask('/api/v1/incidents?limit=501'))).toBe('query.limit must be at most 500');
    expect(await detail(ask('/api/v1/incidents?limt=5'))).toBe('query has no "limt" (did you mean "limit"?)');
    expect(await detail(ask('/api/v1/incidents?open=maybe'))).toBe('query.open must be one of true, false');
    expect(await detail(ask('/api/v1/probes/web/history?from=today'))).toContain('a time such as 2026-01-31T12:00:00Z');
    expect(await detail(post('/api/v1/remediations/restart/run', {}))).toBe('body.probe is missing');
    expect(await detail(post(`/api/v1/incidents/${id}/comment`, { text: 1 }))).toBe('body.text must be text');
    const form = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' };
    expect(await detail(ask('/api/v1/freeze', form))).toContain('content-type: application/json');
  });

  test('for what the state forbids', async () => {
    expectProblem(await server.post(`/api/v1/incidents/${id}/resolve`), 409, 'still_failing');
  });

  test('for input that does not fit, with the place', async () => {
    const wrong = await server.post(`/api/v1/incidents/${id}/comment`, { text: '', tpyo: 1 });
    expectProblem(wrong, 400, 'request_invalid');
    expect(wrong.json()).toMatchObject({ errors: [{ path: 'body.text' }, { path: 'body' }] });
    expectProblem(await server.ask('/api/v1/incidents?limit=1000000'), 400, 'request_invalid');
    expectProblem(await server.ask('/api/v1/incidents?unknown=1'), 400, 'request_invalid');
    expectProblem(await server.ask('/api/v1/incidents/abc'), 400, 'request_invalid');
    expectProblem(await server.post('/api/v1/freeze', [1]), 400, 'request_invalid');
    expect(server.commanded).toEqual([]);
  });

  test('for bodies that are no JSON, poison prototypes, or are too large', async () => {
    const send = (body: string) =>
      server.ask('/api/v1/freeze', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    for (const body of ['{', '{"__proto__": {"x": 1}}', '{"constructor": {"prototype": {}}}'])
      expect((await send(body)).status).toBe(400);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    expect((await send(`{"why":"${'a'.repeat(110_000)}"}`)).status).toBe(413);
    expect((await send('')).status).toBe(200);
  });

  test('a busy store is 503 with Retry-After, a bug is 500 that tells nothing and is logged', async () => {
    const failing = (error: Error) => startServer({ views: { ...viewsThatThrow(error) } });
    const busy = await failing(new RetryableError('store_busy', 'try later'));
    try {
      const answer = await busy.ask('/api/v1/self');
      expectProblem(answer, 503, 'store_busy');
      expect(answer.headers['retry-after']).toBe('5');
    } finally {
      await busy.close();
    }
    const broken = await failing(new TypeError('internal detail'));
    try {
      const answer = await broken.ask('/api/v1/self');
      expectProblem(answer, 500, 'internal');
      expect(answer.text).not.toContain('internal detail');
      expect(broken.logged.find(({ event }) => event === 'request_failed')?.level).toBe('error');
    } finally {
      await broken.close();
    }
  });
});

function viewsThatThrow(error: Error) {
  const fail = () => {
    throw error;
  };
  return {
    ...{
      configuration: fail,
      reloadProblems: fail,
      probes: fail,
      probe: fail,
      openIncidents: fail,
      activeAttempts: fail,
    },
    ...{
      silences: fail,
      silencedBy: fail,
      disarmed: fail,
      frozen: fail,
      blindSince: fail,
      queues: fail,
      readiness: fail,
      self: fail,
    },
  };
}

test('the OpenAPI document names every route, its parameters and its schemas', async () => {
  const document = (await server.ask('/api/v1/openapi.json')).json() as {
    openapi: string;
    paths: Record<
      string,
      Record<string, { operationId: string; parameters: { name: string; in: string }[]; requestBody?: unknown }>
    >;
  };
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(operations).toHaveLength(api.length - 1);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
      for (const { parameters } of Object.values(methods))
        expect(parameters).toContainEqual(expect.objectContaining({ name, in: 'path' }));
    }
  }
  expect(document.paths['/api/v1/remediations/{name}/run']?.['post']?.requestBody).toMatchObject({
    content: { 'application/json': { schema: { type: 'object', required: ['probe'] } } },
  });
});
