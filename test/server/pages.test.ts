import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Fixture, startServer, storeIncident } from './fixture.ts';
import { attempt, incident, NOW, probe, silence, view } from './world.ts';

let server: Fixture;

beforeEach(async () => {
  server = await startServer();
});

afterEach(() => server.close());

const page = async (path = '/') => (await server.ask(path)).text;
/** Text as a person reads it, without markup. */
const words = async (path = '/') => (await page(path)).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');

describe('the page', () => {
  test('keeps an item of many in one piece, and shows it as text', async () => {
    server.world.probes = [view(probe('shop[queue?x=1&y=<b>]')), view(probe('plain'))];
    expect(await page()).toContain('>shop<span class="item">[queue?x=1&amp;y=&lt;b&gt;]</span><');
    expect(await page()).toContain('>plain<');
  });

  test('says in one sentence how things are', async () => {
    expect(await words()).toContain('Nothing is watched yet.');
    server.world.probes = [view(probe('web'))];
    expect(await words()).toContain('Everything is up.');
    server.world.probes = [
      view(probe('web'), { state: 'down' }),
      view(probe('db'), { state: 'down' }),
      view(probe('job'), { state: 'degraded' }),
      view(probe('old'), { state: 'unconfigured', ran: false }),
    ];
    expect(await words()).toContain('2 down and 1 degraded.');
    expect(await page()).toContain('<title>2 down and 1 degraded. · Brainstem</title>');
  });

  test('shows each probe with state, reason, summary, since, last run and latency', async () => {
    server.world.probes = [
      view(probe('web', { title: 'Web shop' }), {
        state: 'down',
        verdict: 'fail',
        reason: 'http_status',
        summary: 'status = 503',
        since: NOW - 252_000,
        latencyMs: 84,
      }),
    ];
    expect(await words()).toMatch(
      /down Web shop http:\/\/127\.0\.0\.1\/web http_status status = 503 4m 12s 5s ago 84ms/,
    );
  });

  test('shows silences with their end, author and comment, and what each keeps from people', async () => {
    server.world.probes = [view(probe('web'), { state: 'down', verdict: 'fail', reason: 'timeout' })];
    const id = await storeIncident(server.store);
    server.world.incidents = [incident(id, 'web'), incident(id + 1, 'db')];
    server.world.silences = [silence(4), silence(5, { matchers: ['probe="later"'], startsAt: NOW + 60_000 })];
    const seen = await words();
    const until = 'until 2026-01-15 13:00:00';
    expect(seen).toContain(`Silent about probe=&quot;web&quot; ${until} , by ann: moving house`);
    expect(seen).toContain('To be silent about probe=&quot;later&quot; from 2026-01-15 12:01:00');
    expect(seen).toContain('brainstem silence expire 4');
    expect(seen.match(/silenced until/g)).toHaveLength(1);
    expect(await words(`/incidents/${id}`)).toContain(`Silenced by ann, ${until}`);
  });

  test('puts trouble first: groups, and probes within them', async () => {
    const named = (name: string, group: string) => probe(name, { group });
    server.world.probes = [
      view(named('a-up', 'alpha')),
      view(named('b-up', 'beta')),
      view(named('c-down', 'beta'), { state: 'down' }),
    ];
    const order = [...(await words()).matchAll(/beta|alpha|[abc]-(?:up|down)/g)].map(([word]) => word);
    expect(order.filter((word, index) => order.indexOf(word) === index)).toEqual([
      'beta',
      'c-down',
      'b-up',
      'alpha',
      'a-up',
    ]);
  });

  test('shows open incidents first, each root with what it caused', async () => {
    server.world.probes = [view(probe('web'), { state: 'down' })];
    server.world.incidents = [
      incident(1, 'db', { severity: 'warning', title: 'db is down', exhausted: true }),
      incident(2, 'web', { title: 'web is down', parentId: 1 }),
      incident(3, 'mail', { title: 'mail is down', acknowledgedBy: 'ann' }),
    ];
    const seen = await words();
    expect(seen).toMatch(
      /Open incidents.*mail is down.*acknowledged by ann.*db is down.*nothing more is tried.*Because of it: web is down.*applications/,
    );
    expect(await page()).toContain('<a href="/incidents/3">mail is down</a>');
  });

  test('says what holds healing back, and why a reload was refused', async () => {
    server.world.frozen = { at: NOW - 60_000, by: 'ann', why: 'migrating' };
    server.world.disarmed = [{ remediation: 'restart-web', at: NOW, why: 'limit is spent' }];
    server.world.problems = [{ location: { file: 'probes/web.yaml', line: 4, column: 5 }, message: 'unknown key "x"' }];
    const seen = await words();
    expect(seen).toMatch(/Healing is frozen\. By ann, 1m ago : migrating/);
    expect(seen).toContain('restart-web has disarmed itself');
    expect(seen).toContain('probes/web.yaml:4:5: unknown key &quot;x&quot;');
  });

  test('shows recent fixes, and works without the store', async () => {
    await storeIncident(server.store);
    expect(await words()).toMatch(/healed restart container:web web healer 30s/);
    await server.store.close();
    const answer = await server.ask('/');
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('The store does not answer.');
  });

  test('shows at most 100 probes of a group, the worst of them, and counts the rest', async () => {
    const many = (count: number, state: 'up' | 'down') =>
      Array.from({ length: count }, (_, index) => view(probe(`${state}-${index}`), { state }));
    server.world.probes = [...many(150, 'up'), ...many(20, 'down')];
    const seen = await words();
    expect(seen.match(/ down-\d+ /g)).toHaveLength(20);
    expect(seen.match(/ up-\d+ /g)).toHaveLength(80);
    expect(seen).toContain('And 70 more: 70 up.');
  });

  test('folds away what waits for its variables', async () => {
    server.world.probes = [view(probe('stripe', { unset: ['STRIPE_URL'] }), { state: 'unconfigured', ran: false })];
    expect(await words()).toMatch(/1 more wait to be configured.*stripe.*STRIPE_URL/);
  });

  test('needs no script, loads itself again, and its style and icon are there', async () => {
    const source = await page();
    expect(source).not.toMatch(/<script|<style|style=|onload/i);
    expect(source).toContain('<meta http-equiv="refresh" content="10">');
    const links = [...source.matchAll(/<link [^>]*href="([^"]+)"/g)].map(([, href = '']) => href);
    expect(links).toHaveLength(2);
    for (const href of links) expect((await server.ask(href)).status).toBe(200);
  });

  test('is built for whoever does not see it: landmarks, one h1, named tables', async () => {
    server.world.probes = [view(probe('web'))];
    const source = await page();
    for (const part of [
      '<html lang="en">',
      '<main id="main">',
      '<header',
      '<footer',
      'class="skip"',
      '<th scope="row">',
    ]) {
      expect(source).toContain(part);
    }
    expect(source.match(/<h1/g)).toHaveLength(1);
    expect(source.match(/<section aria-labelledby="([^"]+)"><h2 id="\1"/)).not.toBeNull();
  });
});

describe('the page of an incident', () => {
  test('tells its story', async () => {
    const id = await storeIncident(server.store, {
      healedBy: 'restart',
      resolvedAt: NOW - 1_000,
      resolution: 'recovered',
    });
    const seen = await words(`/incidents/${id}`);
    expect(seen).toMatch(
      /web is down.*connect_refused.*Lasted 9m 59s.*Healed by restart.*2026-01-15 11:59:59 opened.*healed restart.*Output of restart.*restarted.*sent opened oncall/,
    );
    expect(await page(`/incidents/${id}`)).not.toContain('http-equiv="refresh"');
  });

  test('that does not exist is 404', async () => {
    for (const path of ['/incidents/99', '/incidents/x', '/incidents/-1'])
      expect((await server.ask(path)).status).toBe(404);
  });
});

const PAYLOADS = [
  '<script>document.title="owned"</script>',
  '"><img src=x onerror="document.title=\'owned\'">',
  "' onmouseover='document.title=1' x='",
  '</title><svg onload=document.title="owned">',
  '&lt;script&gt;',
  '#{7*7} `ls`',
  '\u0000\u0008\ud800<b>',
  'javascript:alert(1)',
];

async function showHostile(payload: string): Promise<string> {
  const hostile = { title: payload, target: payload, group: payload, runbook: payload, unset: [payload] };
  const seen = { verdict: 'fail', state: 'down', reason: 'body', summary: payload } as const;
  server.world.probes = [
    view(probe('web', hostile), seen),
    view(probe('x', hostile), { state: 'unconfigured', ran: false }),
  ];
  server.world.incidents = [incident(1, 'web', { title: payload, cause: payload, acknowledgedBy: payload })];
  server.world.frozen = { at: NOW, by: payload, why: payload };
  server.world.disarmed = [{ remediation: payload, at: NOW, why: payload }];
  server.world.problems = [{ location: { file: payload, line: 1, column: 1 }, message: payload }];
  const { id: _id, ...run } = attempt(0, payload, {
    resource: payload,
    error: payload,
    output: payload,
    requestedBy: payload,
  });
  const id = await storeIncident(server.store, { title: payload, cause: payload, subject: payload });
  await server.store.insertAttempt({ ...run, incidentId: id });
  await server.store.addTimeline({
    incidentId: id,
    at: NOW,
    kind: payload,
    text: `${payload}\n${payload}`,
    actor: payload,
  });
  return `/incidents/${id}`;
}

describe('what others wrote is text', () => {
  test.each(PAYLOADS)('%j', async (payload) => {
    const story = await showHostile(payload);
    for (const source of [await page(), await page(story)]) {
      expect(source).not.toMatch(/<(?:script|img|svg)/);
      const tags = [...source.matchAll(/<[a-z][^>]*>/gi)].map(([tag]) => tag);
      for (const tag of tags) {
        expect(tag.replace(/"[^"]*"/g, '""')).not.toMatch(/\son\w+=/i);
        expect(tag).not.toMatch(/href="javascript:/i);
      }
    }
  });

  test('secrets are hidden wherever text was observed or printed', async () => {
    const text = 'at canary-secret/x';
    const failing = { verdict: 'fail', state: 'down', reason: 'body', summary: text } as const;
    server.world.probes = [view(probe('web', { target: text }), failing)];
    server.world.incidents = [incident(1, 'web', { title: text, cause: text })];
    server.world.frozen = { at: NOW, by: 'ann', why: text };
    server.world.disarmed = [{ remediation: 'restart', at: NOW, why: text }];
    server.world.problems = [{ location: { file: 'a', line: 1, column: 1 }, message: text }];
    const id = await storeIncident(server.store, { title: text, cause: text });
    const { id: _id, ...run } = attempt(0, 'restart', { resource: text, error: text, output: text });
    await server.store.insertAttempt({ ...run, incidentId: id });
    await server.store.addTimeline({
      incidentId: id,
      at: NOW,
      kind: 'evidence',
      text: `a\n${text}`,
      actor: 'brainstem',
    });
    for (const path of ['/', `/incidents/${id}`]) {
      const source = await page(path);
      expect(source).not.toContain('canary');
      expect(source).toContain('at [redacted]/x');
    }
  });
});
