/** What every type calls a secret, said back by servers that refuse everybody, stands in nothing that the daemon tells or keeps. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { notifierTypes } from '../../src/notifiers/index.ts';
import { registries } from '../../src/registries.ts';
import { canaryOf, createCanaries } from '../estate/canaries.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import { type EchoServers, startEchoServers } from '../estate/echo-servers.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { type Authority, createAuthority } from '../estate/hostile-certificates.ts';
import { type Leaky, leakyActions, leakyProbes } from '../estate/leaky-definitions.ts';
import { brainstem } from '../estate/program.ts';
import { type Scene, setScene } from '../estate/scene.ts';
import { secretOptions, secretsFilled } from '../estate/secret-options.ts';

const canaries = createCanaries();
const { hide, leaksIn, environment } = canaries;
const token = canaryOf('daemon');
hide('token of the daemon', token);
const known = canaryOf('mysql');

let authority: Authority;
let servers: EchoServers;
let slack: FakeSlack;
let scene: Scene;
let daemon: Daemon;
let definitions: Readonly<Record<'probeTypes' | 'actionTypes' | 'notifierTypes', readonly Leaky[]>>;

const MODULE = (body: string) => `import { defineProbe } from 'brainstem';
export default defineProbe({ fields: { said: { type: 'string' } }, async run(context): Promise<any> {
  const { password } = context.secrets as { password: string };
  context.log('told', { password, [password]: true });
  console.error(password);
  ${body}
} });
`;

const nameOf = ({ type }: Leaky, index: number) => `${type}-${index}`;

function entry(leaky: Leaky, index: number, more: object): Record<string, unknown> {
  return { name: nameOf(leaky, index), [leaky.type]: leaky.spec, ...more, ...leaky.more };
}

beforeAll(async () => {
  authority = await createAuthority();
  slack = await startFakeSlack();
  servers = await startEchoServers(known, () => canaries.add('a value that a step saved', canaryOf('minted')));
  const client = await authority.issue('client', { names: 'DNS:client', days: 30 });
  const surroundings = { servers, canaries, client };
  const echo = `http://127.0.0.1:${servers.port}`;
  const notifiers: readonly Leaky[] = [
    { type: 'slack', spec: { token: hide('slack token'), channel: 'ops', api_url: `${echo}/slack/` } },
    {
      type: 'webhook',
      spec: {
        url: `${echo}/${hide('webhook url')}`,
        secret: hide('webhook secret'),
        headers: { Authorization: hide('webhook header') },
      },
    },
    {
      type: 'email',
      spec: {
        smtp: `smtp://ops:${hide('email smtp')}@127.0.0.1:${servers.smtp}`,
        from: 'a@example.com',
        to: ['b@example.com'],
      },
    },
  ];
  definitions = {
    probeTypes: leakyProbes(surroundings),
    actionTypes: leakyActions(surroundings),
    notifierTypes: notifiers,
  };
  const quick = { every: '30s', timeout: '2s', retry_every: '5s', fail_after: 1, relapse: '0s' };
  const broken = definitions.actionTypes.map((action, index) => ({
    ...{ name: `broken-${index}`, tcp: { host: '127.0.0.1', port: 1 }, ...quick },
    remediate: [{ try: [nameOf(action, index)] }],
  }));
  const limits = { timeout: '5s', settle: '0s', verify_within: '1s', cooldown: '0s', limit: '100 in 1h' };
  const settings = {
    notifiers: Object.fromEntries(
      [...notifiers, { type: 'slack', spec: { token: hide('slack'), channel: 'ops', api_url: slack.url } }].map(
        (leaky, index) => [nameOf(leaky, index), { [leaky.type]: leaky.spec, burst: 1000, timeout: '2s' }],
      ),
    ),
    healing: { budget: '1000 in 10m' },
    watchdog: { url: `${echo}/${hide('watchdog url')}`, every: '1s' },
  };
  scene = await setScene(() => ({
    'probes/all.yaml': stringify({
      probes: [...definitions.probeTypes.map((one, index) => entry(one, index, quick)), ...broken],
    }),
    'remediations/all.yaml': stringify({
      remediations: definitions.actionTypes.map((one, index) => entry(one, index, limits)),
    }),
    'probes/lib/throws.ts': MODULE('throw new Error(password);'),
    'probes/lib/returns.ts': MODULE(
      'return { said: password, name: password, [password]: 1, deep: { reason: password, [password]: password } };',
    ),
    canary: canaries.add('a file', canaryOf('file')),
  }));
  const own = await readFile(join(scene.home.path, 'brainstem.yml'), 'utf8');
  const { notifiers: more, ...rest } = settings;
  const spoken = own
    .replace('listen: "${LISTEN}"', 'listen: "${LISTEN}", token: "${CANARY_0}"')
    .replace('debug', 'trace');
  const indented = stringify(more).replaceAll(/^/gm, '  ').trimEnd();
  await scene.home.write({ 'brainstem.yml': `${spoken}${indented}\n${stringify(rest)}` });
  daemon = await scene.start({ environment: { ...environment } });
  await provoke();
}, 120_000);

afterAll(async () => {
  await scene?.close();
  await servers?.close();
  await slack?.close();
  await authority?.remove();
});

const ask = (path: string) => daemon.fetch(path, { headers: { authorization: `Bearer ${token}` } });
const read = async <T>(path: string) => (await (await ask(`/api/v1/${path}`)).json()) as T;
interface SeenProbe {
  readonly name: string;
  readonly verdict?: string;
}

/** Every probe has run and every fix was tried; a job says everything that it knows. */
async function provoke(): Promise<void> {
  const job = Object.entries(environment).find(([, value]) => value.startsWith('heartbeat'))?.[1] ?? '';
  await daemon.fetch(`/ping/${job}/fail`, { method: 'POST', body: Object.values(environment).join(' ') });
  await until(async () => (await read<{ probes: SeenProbe[] }>('probes')).probes.every(({ verdict }) => verdict), {
    what: 'every probe to have run',
    withinMs: 60_000,
  });
  const fixes = definitions.actionTypes.length;
  await until(
    async () => {
      const { attempts } = await read<{ attempts: { remediation: string; ended_at?: string }[] }>('attempts');
      return new Set(attempts.filter(({ ended_at }) => ended_at).map(({ remediation }) => remediation)).size === fixes;
    },
    { what: 'every fix to have been tried', withinMs: 60_000 },
  );
  await until(() => slack.messages().length >= 8 && scene.alerts.of().length > 20, {
    what: 'the messages',
    withinMs: 60_000,
  });
}

describe.each(Object.keys(registries) as (keyof typeof registries)[])('a secret of the %s', (kind) => {
  it.each(Object.keys(registries[kind]))('%s has a definition here', (type) => {
    const schema = registries[kind][type]?.spec as z.ZodType;
    const filled = definitions[kind]
      .filter((one) => one.type === type)
      .flatMap(({ spec }) => [...secretsFilled(schema, spec)]);
    expect(secretOptions(schema).filter((option) => !filled.includes(option))).toEqual([]);
  });
});

describe('a secret of any type', () => {
  it('was told to servers that said it back', async () => {
    expect(Object.keys(notifierTypes).sort()).toEqual(['email', 'slack', 'webhook']);
    expect(servers.minted().length).toBeGreaterThan(3);
    // What redaction left is where a secret was.
    const { probes } = await read<{ probes: SeenProbe[] }>('probes');
    const details = await Promise.all(
      probes.map(async ({ name }) => [name, await (await ask(`/api/v1/probes/${name}`)).text()]),
    );
    const hidden = details
      .filter(([, text]) => text?.includes('[redacted]'))
      .map(([name = '']) => name.replace(/-\d+$/, ''));
    const echoing = [
      'http',
      'prometheus',
      'statuspage',
      'redis',
      'celery',
      'rabbitmq',
      'custom',
      'browser',
      'grpc',
      'exec',
    ];
    expect(echoing.filter((type) => !hidden.includes(type))).toEqual([]);
  });

  it('stands in no line of the log', () => {
    expect(daemon.log.length).toBeGreaterThan(100);
    expect(leaksIn(daemon.log.map((line) => JSON.stringify(line)).join('\n'))).toEqual([]);
    expect(leaksIn(daemon.output())).toEqual([]);
  });

  it('stands in no metric, no answer of the API and no page', async () => {
    const { incidents } = await read<{ incidents: { id: number }[] }>('incidents');
    const { probes } = await read<{ probes: SeenProbe[] }>('probes');
    const names = probes.map(({ name }) => name);
    const paths = [
      ...['/metrics', '/', '/status', '/api/v1/openapi.json'],
      ...[
        'status',
        'probes',
        'incidents',
        'attempts',
        'events?limit=1000',
        'remediations',
        'config',
        'self',
        'silences',
      ].map((each) => `/api/v1/${each}`),
      ...names.flatMap((name) => [`/api/v1/probes/${name}`, `/api/v1/probes/${name}/history`]),
      ...incidents.flatMap(({ id }) => [`/api/v1/incidents/${id}`, `/incidents/${id}`]),
    ];
    const leaks: object[] = [];
    for (const path of paths) {
      const response = await ask(path);
      const found = leaksIn(`${[...response.headers].join('\n')}\n${await response.text()}`);
      if (found.length > 0) leaks.push({ path, found });
    }
    expect(leaks).toEqual([]);
  });

  it('stands in no alert', () => {
    expect(leaksIn(JSON.stringify(slack.calls()))).toEqual([]);
    expect(scene.alerts.of().length).toBeGreaterThan(20);
    expect(leaksIn(JSON.stringify(scene.alerts.receiver.deliveries()))).toEqual([]);
  });

  it('stands in no byte of the data folder, and in no name of a file', async () => {
    expect(await daemon.stop()).toBe(0);
    const files = await readdir(join(scene.home.path, 'data'), { recursive: true, withFileTypes: true });
    expect(leaksIn(files.map(({ name }) => name).join('\n'))).toEqual([]);
    for (const file of files.filter((each) => each.isFile())) {
      const bytes = await readFile(join(file.parentPath, file.name));
      for (const encoding of ['latin1', 'utf8'] as const) {
        expect({ file: file.name, leaks: leaksIn(bytes.toString(encoding)) }).toEqual({ file: file.name, leaks: [] });
      }
    }
  });

  // Without the daemon: it would be in the way.
  it('stands in nothing that the command line prints', async () => {
    const last = (check: (one: Leaky) => boolean) => {
      const index = definitions.probeTypes.findLastIndex(check);
      return `${definitions.probeTypes[index]?.type}-${index}`;
    };
    const steps = last(({ type, spec }) => type === 'http' && 'steps' in spec);
    const home = ['--home', scene.home.path];
    const calls = [
      ['probe', steps, ...home],
      ['probe', steps, '--json', ...home],
      ['probe', last(({ type }) => type === 'custom'), ...home],
    ];
    const given = { ...environment, LISTEN: '127.0.0.1:1', BUS_URL: scene.alerts.receiver.url };
    const printed: { readonly argv: readonly string[]; readonly leaks: readonly string[] }[] = [];
    for (const argv of calls) {
      const { out, err } = await brainstem(argv, given);
      printed.push({ argv: argv.slice(0, 2), leaks: leaksIn(out + err) });
    }
    expect(printed.filter(({ leaks }) => leaks.length > 0)).toEqual([]);
  }, 180_000);
});
