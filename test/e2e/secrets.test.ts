import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canaryOf, formsOf } from '../estate/canaries.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { close, listen } from '../estate/faults.ts';
import { brainstem } from '../estate/program.ts';
import { type Scene, setScene } from '../estate/scene.ts';

/** Made up at each run; one with characters that every encoding writes in its own way. */
const canary = canaryOf;
const CANARIES = {
  apiToken: canary('daemon'),
  slackToken: canary('slack'),
  busSecret: canary('signing'),
  busPath: canary('hook'),
  bearer: canary('bearer'),
  header: canary('header'),
  userinfo: canary('userinfo'),
  basic: `${canary('basic')}+/é"&<`,
  file: canary('file'),
  heartbeat: canary('heartbeat'),
  printed: canary('printed'),
  broken: canary('broken'),
  credential: canary('credential'),
  manifested: canary('manifested'),
};

function leaksIn(text: string, except: readonly (keyof typeof CANARIES)[] = []): string[] {
  return Object.entries(CANARIES).flatMap(([name, secret]) =>
    except.some((one) => one === name)
      ? []
      : formsOf(secret)
          .filter((form) => text.includes(form))
          .map(() => name),
  );
}

let scene: Scene;
let slack: FakeSlack;
let daemon: Daemon;
let echo: { readonly port: number; close(): Promise<void> };
const environment: Record<string, string> = {};

/** Tells everything that it was told: what a target, a script or an error page may do with a credential. */
async function startEcho() {
  const server = createServer((request, response) => {
    const [scheme, coded = ''] = (request.headers.authorization ?? '').split(' ');
    const decoded = scheme === 'Basic' ? Buffer.from(coded, 'base64').toString() : coded;
    response.writeHead(500, { 'content-type': 'application/json', 'x-echo': encodeURIComponent(decoded) });
    response.end(JSON.stringify({ said: [decoded, coded, request.headers['x-api-key'], request.url].join(' ') }));
  });
  const port = await listen(server);
  return { port, close: () => close(server) };
}

const ask = (path: string) => daemon.fetch(path, { headers: { authorization: `Bearer ${CANARIES.apiToken}` } });
const read = async <T>(path: string) => (await (await ask(`/api/v1/${path}`)).json()) as T;

beforeAll(async () => {
  slack = await startFakeSlack();
  echo = await startEcho();
  const url = `http://127.0.0.1:${echo.port}/`;
  const said = ['retry_every: 200ms', `expect: ['json.said == "nothing"', 'status < 600']`];
  const print = `["/bin/sh", "-c", "echo out $CANARY; echo err $CANARY >&2; exit 2"]`;
  scene = await setScene((targets) => ({
    'brainstem.yml': `  talk: { burst: 1000, slack: { token: "\${SLACK_TOKEN}", channel: ops, api_url: "${slack.url}" } }
  signed: { webhook: { url: "\${SIGNED_URL}", secret: "\${BUS_SECRET}", headers: { Authorization: "Bearer \${BEARER}" } }, burst: 1000 }
`,
    'probes/all.yaml': probesFile(
      probe(targets, 'bearer', [`http: { url: "${url}?t=1", auth: { bearer: "\${BEARER}" } }`, ...said, 'export: []']),
      probe(targets, 'basic', [
        `http: { url: "${url}", auth: { basic: { username: ops, password: "\${BASIC}" } } }`,
        ...said,
      ]),
      probe(targets, 'header', [`http: { url: "${url}", headers: { X-Api-Key: "\${HEADER}" } }`, ...said]),
      probe(targets, 'userinfo', [`http: { url: "http://ops:\${USERINFO}@127.0.0.1:${echo.port}/path" }`, ...said]),
      probe(targets, 'from-file', [`http: { url: "${url}\${file:./secret}" }`, ...said]),
      probe(targets, 'refused', [`http: { url: "http://ops:\${USERINFO}@127.0.0.1:1/\${file:./secret}" }`]),
      probe(targets, 'printing', [
        `exec: { argv: ${print}, env: { CANARY: "\${file:./printed}" } }`,
        'timeout: 2s',
        'every: 2s',
        'remediate: [{ try: [print] }]',
      ]),
      probe(targets, 'token', [
        `credential: { provider: http, url: "${url}", header: X-Api-Key, token: "\${CREDENTIAL}" }`,
        'fail_after: 1',
      ]),
      // No option of its own says that this is a secret: the manifest does.
      probe(targets, 'manifested', [
        `exec: { argv: ["/bin/sh", "-c", "echo \${MANIFESTED}; exit 2"] }`,
        'timeout: 2s',
        'every: 2s',
      ]),
      probe(targets, 'variables', ['environment:']),
      probe(targets, 'job', [`heartbeat: { key: "\${HEARTBEAT}", period: 1h, grace: 1h }`]),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'print', 'printing', 'nothing', [`exec: { argv: ${print}, env: { CANARY: "\${file:./printed}" } }`]),
    ),
    'credentials.yaml': 'variables: [{ name: MANIFESTED, secret: true, pattern: "^x" }]\n',
    secret: CANARIES.file,
    printed: `${CANARIES.printed}\n`,
  }));
  Object.assign(environment, {
    SLACK_TOKEN: CANARIES.slackToken,
    BUS_SECRET: CANARIES.busSecret,
    SIGNED_URL: `${scene.alerts.receiver.url}?k=${CANARIES.busPath}`,
    BEARER: CANARIES.bearer,
    BASIC: CANARIES.basic,
    HEADER: CANARIES.header,
    USERINFO: CANARIES.userinfo,
    HEARTBEAT: CANARIES.heartbeat,
    CREDENTIAL: CANARIES.credential,
    MANIFESTED: CANARIES.manifested,
    BRAINSTEM_TOKEN: CANARIES.apiToken,
    LISTEN: `127.0.0.1:${scene.port}`,
    BUS_URL: scene.alerts.receiver.url,
  });
  const settings = await readFile(join(scene.home.path, 'brainstem.yml'), 'utf8');
  await scene.home.write({
    'brainstem.yml': settings
      .replace(`listen: "\${LISTEN}"`, `listen: "\${LISTEN}", token: "\${BRAINSTEM_TOKEN}"`)
      .replace('level: debug', 'level: trace'),
  });
  daemon = await scene.start({ environment });
  await provoke();
});

afterAll(async () => {
  await scene.close();
  await slack.close();
  await echo.close();
});

const HTTP = ['bearer', 'basic', 'header', 'userinfo', 'from-file', 'refused'];
const ALL = [...HTTP, 'printing', 'token', 'manifested', 'variables', 'job'];

/** Everything fails and says so, a job pings in every way, a reload fails, and people ask in vain. */
async function provoke(): Promise<void> {
  for (const path of ['', '?secret=1', '/nonsense', '/start', '/fail', '/7']) {
    await daemon.fetch(`/ping/${CANARIES.heartbeat}${path}`, {
      method: 'POST',
      body: `log ${CANARIES.heartbeat} ${CANARIES.bearer}`,
    });
  }
  await daemon.fetch('/api/v1/status', { headers: { authorization: `Bearer ${CANARIES.apiToken}x` } });
  await ask(`/api/v1/probes/${CANARIES.bearer}`);
  await until(
    async () => {
      const { incidents } = await read<{ incidents: { subject: string }[] }>('incidents?open=true');
      const subjects = new Set(incidents.map(({ subject }) => subject));
      return ALL.every((each) => subjects.has(each));
    },
    { what: 'every probe to be down', withinMs: 25_000 },
  );
  await until(
    async () =>
      (await read<{ attempts: { ended_at?: string }[] }>('attempts')).attempts.some(({ ended_at }) => ended_at),
    {
      what: 'the fix to have printed',
    },
  );
  await until(() => slack.messages().length >= 8, { what: 'the messages' });
  await scene.home.write({
    'probes/broken.yaml': `probes:
  - name: broken
    http: { url: "ftp://ops:${CANARIES.broken}@127.0.0.1/" }
    every: soon
    timeout: "\${BEARER}"
    depends_on: ["\${file:./secret}"]
`,
  });
  const reload = await daemon.fetch('/-/reload', {
    method: 'POST',
    headers: { authorization: `Bearer ${CANARIES.apiToken}` },
  });
  expect(reload.status).toBe(400);
  expect(leaksIn(await reload.text())).toEqual([]);
}

describe('a secret that the home, the environment or a file gives', () => {
  it('stands in no line of the log', () => {
    expect(daemon.log.length).toBeGreaterThan(50);
    expect(leaksIn(daemon.log.map((line) => JSON.stringify(line)).join('\n'))).toEqual([]);
    expect(leaksIn(daemon.output())).toEqual([]);
  });

  it('stands in no metric, no answer of the API and no page', async () => {
    const { incidents } = await read<{ incidents: { id: number }[] }>('incidents');
    const { probes } = await read<{ probes: { name: string }[] }>('probes');
    const paths = [
      ...['/metrics', '/', '/status', '/api/v1/openapi.json'],
      ...['status', 'probes', 'incidents', 'attempts', 'events?limit=1000', 'remediations', 'config', 'self'].map(
        (each) => `/api/v1/${each}`,
      ),
      ...probes.flatMap(({ name }) => [`/api/v1/probes/${name}`, `/api/v1/probes/${name}/history`]),
      ...incidents.flatMap(({ id }) => [`/api/v1/incidents/${id}`, `/incidents/${id}`]),
    ];
    for (const path of paths) {
      const response = await ask(path);
      const text = `${[...response.headers].join('\n')}\n${await response.text()}`;
      expect({ path, leaks: leaksIn(text) }).toEqual({ path, leaks: [] });
    }
  });

  it('stands in no message of Slack and no body of a webhook', () => {
    expect(leaksIn(JSON.stringify(slack.calls()))).toEqual([]);
    expect(scene.alerts.of().length).toBeGreaterThan(8);
    expect(leaksIn(JSON.stringify(scene.alerts.of()))).toEqual([]);
  });

  it('stands in nothing that the command line prints', async () => {
    const home = ['--home', scene.home.path];
    const url = ['--url', daemon.url];
    const validated = await brainstem(['validate', scene.home.path], environment);
    expect(validated.code).toBe(1);
    const { incidents } = await read<{ incidents: { id: number }[] }>('incidents');
    const calls = [
      ['status', ...url],
      ['status', '--json', ...url],
      ['incidents', ...url],
      ...incidents.slice(0, 4).map(({ id }) => ['incidents', 'show', String(id), ...url]),
      ['doctor', ...home],
    ];
    const printed = [validated, ...(await Promise.all(calls.map((argv) => brainstem(argv, environment))))];
    await scene.home.write({ 'probes/broken.yaml': '' });
    const names = [
      'bearer',
      'basic',
      'userinfo',
      'from-file',
      'refused',
      'printing',
      'token',
      'manifested',
      'variables',
    ];
    const probed = names.map((name, index) =>
      brainstem(['probe', name, ...home, ...(index % 2 === 0 ? ['--json'] : [])], environment),
    );
    printed.push(...(await Promise.all(probed)));
    for (const { out, err } of printed) expect(leaksIn(out + err)).toEqual([]);
  }, 120_000);

  it('stands in no byte of the data folder', async () => {
    expect(await daemon.stop()).toBe(0);
    const folder = join(scene.home.path, 'data');
    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const file of files.filter((each) => each.isFile())) {
      const bytes = await readFile(join(file.parentPath, file.name));
      expect({ file: file.name, leaks: leaksIn(bytes.toString('latin1')) }).toEqual({ file: file.name, leaks: [] });
      expect({ file: file.name, leaks: leaksIn(bytes.toString('utf8')) }).toEqual({ file: file.name, leaks: [] });
    }
  });
});
