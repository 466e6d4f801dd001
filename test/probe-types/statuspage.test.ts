import { createServer as createTlsServer } from 'node:https';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { statuspage } from '../../src/probe-types/statuspage.ts';
import { createAuthority } from '../estate/hostile-certificates.ts';
import {
  answering,
  closedPort,
  deafPort,
  drip,
  type Listening,
  listen,
  probe,
  type RunOptions,
  serveHttp,
  serveRaw,
} from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';

const ask = (spec: Record<string, unknown>, options: RunOptions = {}) =>
  probe(statuspage, statuspage.spec.parse(spec), { timeoutMs: 20_000, ...options });

const component = (name: string, status: string, more: object = {}) => ({
  id: name,
  name,
  status,
  group: false,
  ...more,
});

/** As Atlassian's Statuspage answers. */
const page = (indicator: string, more: object = {}) => ({
  page: { id: 'x', name: 'Provider', url: 'http://127.0.0.1', time_zone: 'Etc/UTC' },
  status: { indicator, description: { none: 'All Systems Operational' }[indicator] ?? 'Partial System Outage' },
  components: [component('API', 'operational'), component('Webhooks', 'operational')],
  incidents: [],
  scheduled_maintenances: [],
  ...more,
});

const trouble = [{ name: 'Elevated errors', status: 'investigating', impact: 'major', incident_updates: [] }];

/** A page that answers this under its path. */
async function serve(answer: unknown, prefix = ''): Promise<string> {
  const { port } = await serveHttp((request, response) => {
    const found = request.url === `${prefix}/api/v2/summary.json`;
    response.writeHead(found ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(found ? JSON.stringify(answer) : '{}');
  });
  return `http://127.0.0.1:${port}${prefix}`;
}

describe('a page as a whole', () => {
  test('that tells nothing bad', async () => {
    const { reason, fields, error } = await ask({ url: await serve(page('none'), '/public') });
    expect(error).toBeUndefined();
    expect(reason).toBe('ok');
    expect(fields).toMatchObject({
      indicator: 'none',
      description: 'All Systems Operational',
      incidents: [],
      components: { API: 'operational', Webhooks: 'operational' },
      maintenance: false,
      ip: '127.0.0.1',
    });
  });

  test.each([
    ['none', 'ok', 'major'],
    ['maintenance', 'ok', 'major'],
    ['minor', 'ok', 'major'],
    ['major', 'unhealthy', 'major'],
    ['critical', 'unhealthy', 'major'],
    ['major', 'ok', 'critical'],
    ['minor', 'unhealthy', 'minor'],
    ['maintenance', 'unhealthy', 'maintenance'],
  ])('that says %s is %s when it counts from %s on', async (indicator, reason, down_from) => {
    const seen = await ask({ url: await serve(page(indicator)), down_from });
    expect(seen).toMatchObject({ reason, fields: { indicator } });
  });

  test('in trouble is quoted', async () => {
    const seen = await ask({ url: await serve(page('major', { incidents: trouble })) });
    expect(seen.error).toBe('the provider says major: Partial System Outage; Elevated errors (investigating)');
    expect(seen.fields['incidents']).toEqual([{ name: 'Elevated errors', status: 'investigating', impact: 'major' }]);
  });

  test('that maintains its service says so', async () => {
    const planned = { scheduled_maintenances: [{ name: 'Upgrade', status: 'in_progress' }] };
    expect((await ask({ url: await serve(page('none', planned)) })).fields['maintenance']).toBe(true);
    const later = { scheduled_maintenances: [{ name: 'Upgrade', status: 'scheduled' }] };
    expect((await ask({ url: await serve(page('none', later)) })).fields['maintenance']).toBe(false);
  });
});

describe('the components that count', () => {
  const components = [
    component('API', 'operational'),
    component('Webhooks', 'partial_outage'),
    component('Region', 'major_outage', { group: true }),
    component('Twin', 'operational'),
    component('Twin', 'degraded_performance'),
  ];
  const url = () => serve(page('critical', { components }));

  test('decide alone, whatever the page says as a whole', async () => {
    expect(await ask({ url: await url(), components: ['API'] })).toMatchObject({
      reason: 'ok',
      fields: { indicator: 'none', components: { API: 'operational' } },
    });
    expect(await ask({ url: await url(), components: ['API', 'Webhooks'] })).toMatchObject({
      reason: 'unhealthy',
      error: 'the provider says major: Webhooks: partial outage',
      fields: { indicator: 'major' },
    });
  });

  test('choose the incidents that are told: theirs, and those that name none', async () => {
    const incident = (name: string, ...affected: string[]) => ({
      ...{ name, status: 'investigating', impact: 'major' },
      components: affected.map((each) => component(each, 'partial_outage')),
    });
    const incidents = [
      incident('Dashboard slow', 'API'),
      incident('Late deliveries', 'API', 'Webhooks'),
      incident('Everything'),
      { name: 'Other format', status: 'identified', impact: 'minor', components: 'all' },
    ];
    const seen = await ask({ url: await serve(page('major', { components, incidents })), components: ['Webhooks'] });
    expect(seen.error).toBe(
      'the provider says major: Webhooks: partial outage; Late deliveries (investigating); Everything (investigating); Other format (identified)',
    );
    expect(seen.fields['incidents']).toEqual([
      { name: 'Late deliveries', status: 'investigating', impact: 'major' },
      { name: 'Everything', status: 'investigating', impact: 'major' },
      { name: 'Other format', status: 'identified', impact: 'minor' },
    ]);
  });

  test('are the worst of those with one name, and groups are none', async () => {
    expect((await ask({ url: await url(), components: ['Twin'] })).fields['indicator']).toBe('minor');
    expect(await ask({ url: await url(), components: ['Region'] })).toMatchObject({ reason: 'not_found' });
  });

  test('have to be there', async () => {
    expect(await ask({ url: await url(), components: ['Api'] })).toMatchObject({
      reason: 'not_found',
      error: 'the page has no component "Api"; it has API, Webhooks, Twin',
    });
  });

  test('with a status that we do not know are no alarm', async () => {
    const odd = [component('API', 'constructor'), component('__proto__', 'toString')];
    const seen = await ask({ url: await serve(page('none', { components: odd })), components: ['API', '__proto__'] });
    expect(seen).toMatchObject({ reason: 'ok', fields: { indicator: 'none' } });
  });
});

test('a page that has moved is followed, up to an end', async () => {
  const url = await serve(page('none'));
  const moved = await serveHttp((_request, response) => {
    response.writeHead(301, { Location: `${url}/api/v2/summary.json` });
    response.end();
  });
  expect(await ask({ url: `http://127.0.0.1:${moved.port}` })).toMatchObject({ reason: 'ok' });
  const circle: Listening = await serveHttp((request, response) => {
    response.writeHead(302, { Location: request.url });
    response.end();
  });
  expect(await ask({ url: `http://127.0.0.1:${circle.port}` })).toMatchObject({
    reason: 'protocol',
    error: 'more than 5 redirects',
  });
});

describe('what goes wrong has a reason', () => {
  test('nobody listens, nobody answers, no such host', async () => {
    expect(await ask({ url: `http://127.0.0.1:${await closedPort()}` })).toMatchObject({ reason: 'connect_refused' });
    expect(await ask({ url: `http://127.0.0.1:${await deafPort()}` }, { timeoutMs: 300 })).toMatchObject({
      reason: 'connect_timeout',
    });
    expect(await ask({ url: 'http://status.invalid' })).toMatchObject({ reason: 'dns' });
  });

  const ok = (body: string) => `HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${body}`;
  test.each<[string, string, string]>([
    ['another status', 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n', 'http_status'],
    ['a redirect to nowhere', 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n', 'http_status'],
    ['no HTTP', '220 ready\r\n', 'protocol'],
    ['a web page', ok('<html>hello</html>'), 'protocol'],
    ['other JSON', ok('{"status":"ok"}'), 'protocol'],
    ['a list', ok('[]'), 'protocol'],
    ['an indicator that is none', ok(JSON.stringify(page('purple'))), 'protocol'],
    ['half an answer', ok(JSON.stringify(page('none')).slice(0, 100)), 'protocol'],
    ['deep nesting', ok('['.repeat(100_000)), 'protocol'],
    ['an endless answer', 'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{', 'timeout'],
    ['silence', '', 'timeout'],
  ])('%s', async (name, bytes, reason) => {
    const closes = reason !== 'timeout' && name !== 'no HTTP';
    const { port } = await serveRaw(answering(bytes, (socket) => closes && socket.end()));
    const timeoutMs = reason === 'timeout' ? 300 : 10_000;
    const began = performance.now();
    expect(await ask({ url: `http://127.0.0.1:${port}` }, { timeoutMs })).toMatchObject({ reason });
    expect(performance.now() - began).toBeLessThan(timeoutMs + 1_000);
  });

  test('an answer that is too large, and one that drips', async () => {
    const large = await serveHttp((_request, response) => {
      response.end(JSON.stringify(page('none', { noise: 'x'.repeat(3 * 2 ** 20) })));
    });
    expect(await ask({ url: `http://127.0.0.1:${large.port}` })).toMatchObject({ reason: 'body' });
    const head = 'HTTP/1.1 200 OK\r\n\r\n';
    const dripping = await serveRaw(answering(head, (socket) => drip(socket, ' ', 20)));
    expect(await ask({ url: `http://127.0.0.1:${dripping.port}` }, { timeoutMs: 400 })).toMatchObject({
      reason: 'timeout',
    });
    await dripping.drained();
  });

  test('a certificate that is not trusted', async () => {
    const authority = await createAuthority();
    onTestFinished(() => authority.remove());
    const pair = await authority.issue('status', { names: 'IP:127.0.0.1', days: 30 });
    const server = createTlsServer(pair, (_request, response) => response.end(JSON.stringify(page('none'))));
    const { port } = await listen(server);
    const url = `https://127.0.0.1:${port}`;
    expect(await ask({ url })).toMatchObject({ reason: 'tls' });
    expect(await ask({ url, tls: { ca: authority.cert } })).toMatchObject({ reason: 'ok' });
  });
});

test('hundreds of runs leave nothing behind', async () => {
  const url = await serve(page('critical'));
  await leavesNothing(async () => expect((await ask({ url })).reason).toBe('unhealthy'), 300, 50);
  await doesNotGrow(async () => void (await ask({ url })));
  const { port } = await serveRaw(() => {});
  const silent = { url: `http://127.0.0.1:${port}` };
  await leavesNothing(async () => expect((await ask(silent, { timeoutMs: 300 })).reason).toBe('timeout'), 200, 100);
}, 60_000);

test('the example is valid, and its target has no query', () => {
  const definition = parse(statuspage.example);
  expect(statuspage.spec.safeParse(definition.statuspage).error).toBeUndefined();
  const spec = statuspage.spec.parse({ url: 'http://me:secret@status.example.com/x?token=1' });
  expect(statuspage.target(spec)).toBe('http://status.example.com/x');
  expect(statuspage.remote?.(spec)).toBe('status.example.com');
});
