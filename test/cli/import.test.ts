/** `brainstem import`: what a peer's configuration becomes loads, runs, and everything that is missing was named. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Probe } from '../../src/model.ts';
import { homeWith, load, loadHome } from '../config/homes.ts';
import { close, listen } from '../estate/faults.ts';
import { runCommand } from './program.ts';

let server: Server;
let port: number;
beforeAll(async () => {
  server = createServer((request, response) => {
    response.statusCode = request.url === '/missing' ? 404 : 200;
    const padding = request.url === '/large' ? ' '.repeat(2 * 2 ** 20) : '';
    response.setHeader('content-type', 'application/json').end(`{"status":"UP","items":[1,2]}${padding}`);
  });
  port = await listen(server);
});
afterAll(() => close(server));

interface Outcome {
  readonly probes: readonly Record<string, unknown>[];
  readonly losses: readonly string[];
  readonly text: string;
}

/** Imports files of a folder; the first one is the peer's own. */
async function importAll(
  peer: string,
  files: Record<string, string>,
  options: Record<string, string> = {},
): Promise<Outcome> {
  const folder = await homeWith(files);
  const [first = ''] = Object.keys(files);
  const flags = Object.entries(options).flatMap(([name, file]) => [`--${name}`, join(folder, file)]);
  const { exit, out, err } = await runCommand(['import', peer, join(folder, first), ...flags]);
  expect([exit, err]).toEqual([0, expect.stringContaining('could not be carried')]);
  const losses = err
    .split('\n')
    .filter((line) => line.startsWith('not carried: '))
    .map((line) => line.slice('not carried: '.length).replaceAll(`${folder}/`, ''));
  const { probes } = parse(out) as { probes: Record<string, unknown>[] };
  return { probes, losses, text: out };
}

/** The states of all probes, each run once. */
async function statesOf(text: string): Promise<Record<string, string>> {
  const home = await homeWith({ 'probes/imported.yaml': text });
  const { probes } = await loadHome(home);
  const states: Record<string, string> = {};
  for (const { name, paused } of probes.values()) {
    if (paused) continue;
    const { out } = await runCommand(['probe', name, '--home', home, '--json'], { PATH: process.env['PATH'] ?? '' });
    states[name] = (JSON.parse(out) as { state: string }).state;
  }
  return states;
}

const MODULES = `modules:
  http_2xx: { prober: http, timeout: 5s }
  http_404: { prober: http, http: { valid_status_codes: [404] } }
  http_up:
    prober: http
    http:
      fail_if_body_not_matches_regexp: ['"UP"', '(\${x}|UP)']
      fail_if_header_not_matches: [{ header: Content-Type, regexp: json }]
      fail_if_body_json_not_matches_cel: body.status == "UP"
      basic_auth: { username: u, password_file: password }
  unused: { prober: icmp }
  broken: { prober: http, http: { fail_if_body_matches_regexp: ["("], proxy_from_environment: true } }
`;

describe('blackbox', () => {
  test('modules and the targets of prometheus.yml', async () => {
    const prometheus = `global: { scrape_interval: 30s }
scrape_configs:
  - job_name: node
    static_configs: [{ targets: ["127.0.0.1:9100"] }]
  - job_name: web
    metrics_path: /probe
    scrape_timeout: 4s
    params: { module: [http_up] }
    static_configs:
      - targets: ["http://127.0.0.1:${port}/"]
        labels: { team: shop, job: x }
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__param_target], target_label: instance }
      - { target_label: __address__, replacement: "127.0.0.1:9115" }
      - { source_labels: [__address__], regex: "(.*):80", target_label: short }
  - job_name: gone
    metrics_path: /probe
    params: { module: [http_404], target: ["127.0.0.1:${port}/missing"] }
    dns_sd_configs: [{ names: [web.example] }]
  - job_name: other
    metrics_path: /probe
    params: { module: [broken] }
    static_configs: [{ targets: [a.example] }]
`;
    const { probes, losses, text } = await importAll(
      'blackbox',
      { 'blackbox.yml': MODULES, 'prometheus.yml': prometheus, password: 'passphrase' },
      { prometheus: 'prometheus.yml' },
    );
    expect(probes).toMatchObject([
      {
        name: `web-http-127.0.0.1-${port}`,
        http: { url: `http://127.0.0.1:${port}/`, auth: { basic: { username: 'u' } }, max_text: '1MiB' },
        every: '30s',
        timeout: '4s',
        group: 'web',
        labels: { team: 'shop' },
        expect: [
          'headers["content-type"].matches("json")',
          'body.matches("\\"UP\\"")',
          'body.matches("($${x}|UP)")',
          'json.status == "UP"',
        ],
      },
      { name: `gone-127.0.0.1-${port}-missing`, expect: ['status in [404]'], every: '30s', timeout: '10s' },
    ]);
    expect(text).toContain('password: ${file:');
    expect(losses).toEqual([
      expect.stringContaining(
        'blackbox.yml:12:65: item 1 of "fail_if_body_matches_regexp" is not a regular expression',
      ),
      expect.stringContaining('"proxy_from_environment" is not supported by Brainstem'),
      expect.stringMatching(/^prometheus.yml:16:9: job "web": a rule of relabel_configs that sets "short"/),
      expect.stringMatching(/^prometheus.yml:20:5: job "gone": "dns_sd_configs": targets that are discovered/),
      expect.stringContaining('module "http_2xx": no target asks for it'),
      expect.stringContaining('module "unused": no target asks for it'),
      expect.stringContaining('the label "job"'),
      expect.stringContaining('a.example: there is no usable module "broken"'),
    ]);
    const states = Object.values(await statesOf(text));
    expect(states).toEqual(['up', 'up']);
  });

  test('modules and a list of targets', async () => {
    const list = `# ours\nhttp://127.0.0.1:${port}/\nhttp_404 127.0.0.1:${port}/missing  # gone\n\nhttp_404 127.0.0.1:${port}/\n`;
    const { text } = await importAll('blackbox', { 'blackbox.yml': MODULES, list, password: 'x' }, { targets: 'list' });
    expect(Object.values(await statesOf(text))).toEqual(['up', 'up', 'down']);
  });

  test('a limit on bodies that ours would lower stays as it is', async () => {
    const modules = `modules:
  limited: { prober: http, http: { body_size_limit: 100MB } }
  parsed: { prober: http, http: { fail_if_body_json_not_matches_cel: body.status == "UP" } }
  free: { prober: http }
`;
    const list = ['limited', 'parsed', 'free'].map((module) => `${module} http://127.0.0.1:${port}/large\n`).join('');
    const { probes, text } = await importAll('blackbox', { 'blackbox.yml': modules, list }, { targets: 'list' });
    expect(probes.at(-1)?.['http']).not.toHaveProperty('max_body');
    expect(Object.values(await statesOf(text))).toEqual(['up', 'up', 'up']);
  });

  test('without targets there is nothing to do', async () => {
    const folder = await homeWith({ 'blackbox.yml': MODULES });
    expect(await runCommand(['import', 'blackbox', join(folder, 'blackbox.yml')])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('name them with --prometheus or --targets'),
    });
  });
});

const GATUS = `storage: { type: sqlite, path: data.db }
alerting: { slack: { webhook-url: "\${SLACK}" } }
endpoints:
  - name: Front Page
    group: core
    url: "http://127.0.0.1:PORT/"
    interval: 45s
    client: { timeout: 3s, insecure: true, ignore-redirect: true }
    headers: { Authorization: "Bearer $TOKEN" }
    conditions:
      - "[STATUS] == 200"
      - "[STATUS] == any(200, 204)"
      - "[BODY].status == UP"
      - "[BODY].status == pat(U*)"
      - "len([BODY].items) >= 2"
      - "[BODY].items[0] == 1"
      - "has([BODY].errors) == false"
      - "[RESPONSE_TIME] < 5000"
      - "[CONNECTED] == true"
      - "[DOMAIN_EXPIRATION] > 720h"
    alerts: [{ type: slack, failure-threshold: 5, success-threshold: 1 }]
  - name: certificate
    url: tls://127.0.0.1:9
    conditions: ["[CERTIFICATE_EXPIRATION] > 48h"]
  - { name: names, url: 127.0.0.1, dns: { query-name: example.org, query-type: A }, conditions: ["[DNS_RCODE] == NOERROR", "[BODY] == any(192.0.2.1, 192.0.2.2)"] }
  - { name: port, url: "tcp://127.0.0.1:PORT", enabled: false }
  - { name: mail, url: "starttls://127.0.0.1:25" }
  - { name: host, url: "icmp://127.0.0.1" }
  - { name: shell, url: "ssh://127.0.0.1:22", ssh: { username: u, password: p } }
`;

test('what a stranger wrote is text, and reads no file of this machine', async () => {
  const header = (value: string) => `"${value}"`;
  const written = ['$NAME', '${NAME}', '$$NAME', '${file:/etc/hostname}', '$${file:/etc/hostname}', '${NAME:-x}', '$5'];
  const headers = written.map((value, index) => `X-${index}: ${header(value)}`).join(', ');
  const gatus = `endpoints: [{ name: a, url: "http://127.0.0.1:${port}/", headers: { ${headers} } }]\n`;
  const { probes } = await importAll('gatus', { 'config.yaml': gatus });
  const { headers: read } = (probes[0] as unknown as { http: { headers: Record<string, string> } }).http;
  expect(Object.values(read)).toEqual([
    ...['${NAME}', '${NAME}', '$NAME', '$${file:/etc/hostname}', '$${file:/etc/hostname}', '$${NAME:-x}', '$5'],
  ]);

  const module = `modules: { m: { prober: http, http: { body: "\u{e000}/etc/hostname\u{e001}" } } }\n`;
  const targets = { 'blackbox.yml': module, targets: `m http://127.0.0.1:${port}/\n` };
  const { text } = await importAll('blackbox', targets, { targets: 'targets' });
  expect(text).not.toContain('file:');
});

test('gatus', async () => {
  const { probes, losses, text } = await importAll('gatus', { 'config.yaml': GATUS.replaceAll('PORT', String(port)) });
  expect(probes.map(({ name }) => name)).toEqual(['core-front-page', 'certificate', 'names', 'port', 'mail', 'host']);
  expect(probes[0]).toEqual({
    name: 'core-front-page',
    title: 'Front Page',
    group: 'core',
    every: '45s',
    timeout: '3s',
    fail_after: 5,
    recover_after: 1,
    http: {
      url: `http://127.0.0.1:${port}/`,
      headers: { Authorization: 'Bearer ${TOKEN}' },
      tls: { insecure_skip_verify: true },
      redirects: 0,
    },
    expect: [
      'status == 200',
      'status in [200, 204]',
      'json.status == "UP"',
      'json.status.matches("^U(?s:.*)$")',
      'size(json.items) >= 2',
      'json.items[0] == 1',
      '!has(json.errors)',
      'latency_ms < 5000',
    ],
  });
  expect(probes[1]).toMatchObject({ tls: { host: '127.0.0.1', port: 9 }, expect: ['certificate.expires_in_days > 2'] });
  expect(probes[2]).toMatchObject({ expect: ['rcode == "NOERROR"', 'answers[0] in ["192.0.2.1", "192.0.2.2"]'] });
  expect(probes[3]).toMatchObject({ paused: true });
  expect(losses).toEqual([
    'config.yaml:1:1: "storage": the store is set in brainstem.yml',
    'config.yaml:2:1: "alerting": channels are notifiers and routes of brainstem.yml',
    expect.stringMatching(/^config.yaml:20:9: the condition \[DOMAIN_EXPIRATION\] > 720h: the expiry of domains/),
    expect.stringMatching(/^config.yaml:21:14: an alert of type slack: who hears is a route/),
    expect.stringMatching(/shell: ssh is not probed yet$/),
  ]);
  const { probes: loaded } = await load({ 'probes/gatus.yaml': text }, { TOKEN: 'a-token' });
  expect(loaded.size).toBe(6);
  expect((loaded.get('core-front-page') as Probe).unset).toEqual([]);
});

test('gatus demands of a status what its conditions say, and nothing else', async () => {
  const { probes, text } = await importAll('gatus', {
    'config.yaml': `endpoints:
  - { name: login, url: "http://127.0.0.1:${port}/missing", conditions: ["[CONNECTED] == true", "[BODY].status == UP"] }
  - { name: strict, url: "http://127.0.0.1:${port}/missing", conditions: ["[STATUS] < 300"] }
`,
  });
  expect(probes.map(({ expect: conditions }) => conditions)).toEqual([
    ['status > 0', 'json.status == "UP"'],
    ['status < 300'],
  ]);
  expect(await statesOf(text)).toEqual({ login: 'up', strict: 'down' });
});

test('uptime-kuma', async () => {
  const common = { active: true, interval: 60, maxretries: 2, retryInterval: 20 };
  const url = `http://127.0.0.1:${port}/`;
  const backup = {
    version: '1.23.11',
    notificationList: [{ id: 1, name: 'slack' }],
    monitorList: [
      { id: 9, name: 'Shop', type: 'group', ...common },
      {
        ...common,
        id: 1,
        name: 'Web ${home}',
        type: 'http',
        url,
        parent: 9,
        tags: [{ name: 'my team', value: 'shop' }],
      },
      { ...common, id: 2, name: 'Word', type: 'keyword', url, keyword: 'DOWN', invertKeyword: true, resendInterval: 3 },
      { ...common, id: 3, name: 'Gone', type: 'http', url: `${url}missing`, accepted_statuscodes: ['200-204', '404'] },
      { ...common, id: 4, name: 'State', type: 'json-query', url, jsonPath: '$.status', expectedValue: 'UP' },
      { ...common, id: 5, name: 'Count', type: 'json-query', url, jsonPath: '$count(items)', expectedValue: '2' },
      { ...common, id: 6, name: 'Port', type: 'port', hostname: '127.0.0.1', port, notificationIDList: { 1: true } },
      { ...common, id: 7, name: 'Down', type: 'ping', hostname: '127.0.0.1', upsideDown: true, active: false },
      { ...common, id: 8, name: 'Job', type: 'push', pushToken: ['a', 'push', 'token'].join('-') },
      { ...common, id: 10, name: 'Games', type: 'gamedig', hostname: 'x' },
      {
        ...common,
        id: 11,
        name: 'Names',
        type: 'dns',
        hostname: 'a.test',
        dns_resolve_server: '127.0.0.1',
        dns_resolve_type: 'MX',
        port: 53,
      },
      { ...common, id: 12, name: 'Box', type: 'docker', docker_container: 'web', docker_host: 1 },
      { ...common, id: 13, name: 'Bad', type: 'http', url: 'not a url' },
    ],
  };
  const { probes, losses, text } = await importAll('uptime-kuma', { 'backup.json': JSON.stringify(backup) });
  const names = ['web-home', 'word', 'gone', 'state', 'count', 'port', 'down', 'job', 'names', 'box'];
  expect(probes.map(({ name }) => name)).toEqual(names);
  expect(probes[0]).toEqual({
    name: 'web-home',
    title: 'Web $${home}',
    group: 'Shop',
    labels: { my_team: 'shop' },
    every: '1m',
    timeout: '48s',
    retry_every: '20s',
    fail_after: 3,
    recover_after: 1,
    http: { url },
  });
  expect(probes[1]).toMatchObject({ expect: ['!body.contains("DOWN")'] });
  expect(probes[2]).toMatchObject({ expect: ['(status >= 200 && status <= 204) || status == 404'] });
  expect(probes[3]).toMatchObject({ expect: ['json.status == "UP"'] });
  expect(losses.map((loss) => loss.replace(/^monitor /, ''))).toEqual([
    'backup.json: notificationList: channels are notifiers and routes of brainstem.yml',
    '"Word": "resend": reminders are `repeat` of a route of brainstem.yml',
    expect.stringMatching(/^"Count": the JSON query \$count\(items\) ==/),
    '"Port": whom it notifies: that is a route of brainstem.yml',
    expect.stringContaining('"Down": "upside down"'),
    '"Games": monitors of type gamedig have no counterpart yet',
    expect.stringContaining('"Box": its Docker host'),
    expect.stringMatching(/^bad: "url" is not a URL/),
  ]);
  const { web, ...states } = await statesOf(text.replace(/ {2}- name: (?:job|names|box)\n(?: {4}.*\n)+/g, ''));
  expect(web).toBeUndefined();
  expect(states).toEqual({ 'web-home': 'up', word: 'up', gone: 'up', state: 'up', count: 'up', port: 'up' });
});

describe('the command', () => {
  test('writes a file, but not over one', async () => {
    const folder = await homeWith({ 'c.yaml': GATUS.replaceAll('PORT', String(port)) });
    const out = join(folder, 'out.yaml');
    expect((await runCommand(['import', 'gatus', join(folder, 'c.yaml'), '--out', out])).exit).toBe(0);
    expect(await readFile(out, 'utf8')).toContain('- name: core-front-page');
    await writeFile(out, 'mine');
    expect(await runCommand(['import', 'gatus', join(folder, 'c.yaml'), '--out', out])).toMatchObject({
      exit: 2,
      err: expect.stringContaining('it is there already'),
    });
    expect(await readFile(out, 'utf8')).toBe('mine');
  });

  test.each([
    [['import', 'nagios', 'x'], 'nothing can be imported from "nagios"; there are blackbox, gatus, uptime-kuma'],
    [['import', 'gatus', '/none'], '/none cannot be read'],
    [['import', 'gatuss', 'x'], 'did you mean'],
  ])('%j is wrong usage', async (argv, message) => {
    expect(await runCommand(argv)).toMatchObject({ exit: 2, err: expect.stringContaining(message) });
  });

  test('what is no configuration at all is said to be none', async () => {
    const folder = await homeWith({ 'a.json': '{', 'b.json': '{"a":1}', 'c.yaml': 'a: [' });
    const errors = await Promise.all(
      [
        ['uptime-kuma', 'a.json', 'is not JSON'],
        ['uptime-kuma', 'b.json', 'is no backup of Uptime Kuma'],
        ['gatus', 'c.yaml', 'not valid YAML'],
      ].map(async ([peer = '', file = '', message = '']) => [
        await runCommand(['import', peer, join(folder, file)]),
        message,
      ]),
    );
    for (const [ran, message] of errors)
      expect(ran).toMatchObject({ exit: 2, err: expect.stringContaining(String(message)) });
  });
});
