/**
 * Definitions that have a made-up secret wherever a type takes one, and servers that say it back: `secrets-of-types.test.ts` sees to
 * it that none is missing.
 */
import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { actionTypes } from '../../src/action-types/index.ts';
import { probeTypes } from '../../src/probe-types/index.ts';
import { type Canaries, canaryOf } from './canaries.ts';
import type { EchoServers } from './echo-servers.ts';
import type { KeyPair } from './hostile-certificates.ts';
import { createHierarchy, createIdentity } from './nats-identities.ts';
import { secretOptions } from './secret-options.ts';

/** An entry of a file: its type, the spec of it, and whatever else it says. */
export interface Leaky {
  readonly type: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
}

export interface Surroundings {
  readonly servers: EchoServers;
  readonly canaries: Canaries;
  readonly client: KeyPair;
}

/** What conditions show when they are false. */
const SHOWS = { expect: ['json.said == "nothing"', 'status < 600'] };

export function leakyProbes({ servers, canaries: { hide, add }, client }: Surroundings): readonly Leaky[] {
  const { port, grpc, nats, smtp, mysql } = servers;
  const url = `http://127.0.0.1:${port}`;
  const key = (type: string) => ({ cert: client.cert, key: hide(`${type} tls.key`, client.key) });
  const login = (type: string) => `ops:${hide(`${type} url`)}@127.0.0.1`;
  const headers = (type: string, at = '') =>
    secretHeaders(probeTypes[type]?.spec, at, (name) => hide(`${type} ${name}`));
  const auths = (type: string) => [
    { basic: { username: 'ops', password: hide(`${type} basic`) } },
    { bearer: hide(`${type} bearer`) },
    { oauth2: { token_url: `${url}/token`, client_id: 'ops', client_secret: hide(`${type} oauth2`) } },
  ];
  const http = (type: string, path: string, more: object): readonly Leaky[] => [
    { type, spec: { url: `${url}${path}`, headers: headers(type, '.headers'), ...more } },
    { type, spec: { url: `http://${login(type)}:${port}${path}`, ...more } },
    { type, spec: { url: `${url}${path}`, proxy: `http://${login(type)}:${port}`, ...more } },
    { type, spec: { url: `https://127.0.0.1:${port}${path}`, tls: key(type), ...more } },
  ];
  const database = (
    type: string,
    [scheme, secured]: readonly [string, string],
    at: number,
    more: object = {},
  ): readonly Leaky[] => {
    const option = type === 'celery' ? 'broker' : 'url';
    const rest = `${login(type)}:${at}`;
    return [
      { type, spec: { [option]: `${scheme}://${rest}`, ...more } },
      { type, spec: { [option]: `${secured}://${rest}`, tls: key(type), ...more } },
    ];
  };
  const jwt = [{ alg: 'HS256', typ: 'JWT' }, { exp: 1, sub: 'ops' }, randomBytes(32).toString('hex')]
    .map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
    .join('.');
  const { credentials } = createHierarchy();
  const asks = (path: string, canary: string) => ({
    ...{ url: path, headers: headers('http', '.steps[].request.headers'), save: { token: { json: 'said' } } },
    ...{ method: 'POST', form: { password: '{{password}}', token: '{{fresh}}', canary } },
  });
  const mint = { request: { url: '/mint', save: { fresh: { json: 'token' }, session: { cookie: 'session' } } } };
  const steps = (path: string, auth: object): Leaky => {
    const request = { ...asks(path, '{{session}}'), auth };
    return {
      type: 'http',
      spec: { url, secrets: { password: hide('http secrets') }, steps: [mint, { request }] },
      more: SHOWS,
    };
  };
  const stepAuths = () => [
    { basic: { username: 'ops', password: hide('http step basic') } },
    { bearer: hide('http step bearer') },
  ];
  return [
    ...auths('http').map((auth) => ({ type: 'http', spec: { url: `${url}/a`, auth }, more: SHOWS })),
    ...http('http', '/b', {}).map((one) => ({ ...one, more: SHOWS })),
    // A password with an @ that nobody encoded.
    {
      type: 'http',
      spec: {
        url: `http://ops:${hide('http url with an @', `half@${add('half of a password', canaryOf('half'))}`)}@127.0.0.1:${port}/c`,
      },
      more: SHOWS,
    },
    ...stepAuths().flatMap((auth) => [steps('/deep', auth), steps('/fine', auth)]),
    ...auths('prometheus').map((auth) => ({ type: 'prometheus', spec: { url, query: 'up', auth } })),
    ...http('prometheus', '', { query: 'up' }),
    ...http('statuspage', '', {}),
    ...http('selenium-grid', '', {}),
    { type: 'websocket', spec: { url: `ws://127.0.0.1:${port}/w`, headers: headers('websocket', '.headers') } },
    { type: 'websocket', spec: { url: `ws://${login('websocket')}:${port}/w` } },
    { type: 'websocket', spec: { url: `wss://127.0.0.1:${port}/w`, tls: key('websocket') } },
    { type: 'grpc', spec: { address: `127.0.0.1:${grpc}`, metadata: headers('grpc', '.metadata') } },
    { type: 'grpc', spec: { address: `127.0.0.1:${port}`, tls: key('grpc') } },
    ...database('postgres', ['postgres', 'postgres'], port),
    ...database('redis', ['redis', 'rediss'], port),
    ...database('celery', ['redis', 'rediss'], port),
    ...database('mqtt', ['mqtt', 'mqtts'], port, { protocol: '5.0' }),
    ...database('rabbitmq', ['amqp', 'amqps'], port),
    ...database('mysql', ['mysql', 'mysql'], mysql),
    ...database('smtp', ['smtp', 'smtp'], smtp),
    ...database('nats', ['nats', 'tls'], nats),
    { type: 'nats', spec: { url: `nats://127.0.0.1:${nats}`, nkey: hide('nats nkey', createIdentity('U').seed) } },
    { type: 'nats', spec: { url: `nats://127.0.0.1:${nats}`, credentials: hide('nats credentials', credentials) } },
    {
      type: 'supervisor',
      spec: { url: `${url}/RPC2`, program: 'web', user: 'ops', password: hide('supervisor password') },
    },
    { type: 'credential', spec: { provider: 'http', url: `${url}/t`, token: hide('credential token') } },
    {
      type: 'credential',
      spec: { provider: 'http', url: `https://127.0.0.1:${port}/`, token: 'x-x', tls: key('credential') },
    },
    {
      type: 'credential',
      spec: { provider: 'jwt', token: hide('credential jwt', jwt), secret: hide('credential secret') },
    },
    { type: 'tls', spec: { host: '127.0.0.1', port, ...key('tls') } },
    { type: 'dns', spec: { name: 'shop.test', server: `127.0.0.1:${port}`, transport: 'tls', tls: key('dns') } },
    {
      type: 'tcp',
      spec: {
        ...{ host: '127.0.0.1', port, secrets: { password: hide('tcp secrets') } },
        steps: [{ send: 'AUTH {{password}}\r\n' }, { expect: { match: 'welcome', fail: { auth: 'AUTH .*' } } }],
      },
    },
    { type: 'tcp', spec: { host: '127.0.0.1', port, tls: key('tcp'), steps: [{ send: 'x' }] } },
    { type: 'custom', spec: { module: './lib/throws.ts', secrets: { password: hide('custom thrown') } } },
    {
      type: 'custom',
      spec: { module: './lib/returns.ts', secrets: { password: hide('custom returned') } },
      more: { expect: ['said == "nothing"'] },
    },
    { type: 'heartbeat', spec: { key: hide('heartbeat key'), period: '1h', grace: '1h' } },
    {
      type: 'exec',
      spec: {
        argv: ['/bin/sh', '-c', `echo "OK | ${'$CANARY'}=1;"; echo "$CANARY" >&2; exit 2`],
        env: { CANARY: '${file:./canary}' },
      },
    },
    {
      type: 'browser',
      spec: {
        ...{ url: `${url}/page`, sandbox: false, secrets: { password: hide('browser secrets') } },
        steps: [{ fill: { field: '#field', text: '{{password}}' } }, { click: 'text=Send' }, { screenshot: 'said' }],
      },
      more: { expect: ['title == "nothing"', 'text == "nothing"'], timeout: '20s', every: '1m', retry_every: '1m' },
    },
    { type: 'browser', spec: { url: `${url}/page`, grid: `http://ops:${hide('browser grid')}@127.0.0.1:${port}` } },
  ];
}

export function leakyActions({ servers, canaries: { hide } }: Surroundings): readonly Leaky[] {
  const { port } = servers;
  const url = (what: string) => `http://127.0.0.1:${port}/${hide(`${what} action url`)}`;
  const login = (type: string) => `ops:${hide(`${type} action`)}@127.0.0.1:${port}`;
  const headers = (at: string) => secretHeaders(actionTypes['http']?.spec, at, (name) => hide(`http action ${name}`));
  const basic = () => ({ basic: { username: 'ops', password: hide('http action basic') } });
  const bearer = () => ({ bearer: hide('http action bearer') });
  const waits = (auth: object) => ({
    ...{ url: `http://127.0.0.1:${port}/fine/wait`, headers: headers('.wait_until.headers'), auth, every: '200ms' },
    ...{ expect: ['json.said == "nothing"'], fail_when: ['status == 200'] },
  });
  const actions = (): readonly Leaky[] => [
    { type: 'http', spec: { url: url('http'), headers: headers('.headers') } },
    { type: 'http', spec: { url: url('http'), auth: basic() } },
    { type: 'http', spec: { url: url('http'), auth: bearer() } },
    ...[basic(), bearer()].map((auth) => ({
      type: 'http',
      spec: { url: `http://127.0.0.1:${port}/fine/${hide('http action url')}`, wait_until: waits(auth) },
    })),
    { type: 'redis', spec: { url: `redis://${login('redis')}`, purge_memory: true } },
    { type: 'celery', spec: { broker: `redis://${login('celery')}`, restart_pool: 'all' } },
    { type: 'sql', spec: { url: `postgres://${login('sql')}`, statements: ['select 1'] } },
    {
      type: 'postgres',
      spec: {
        url: `postgres://${login('postgres')}`,
        end: { state: 'idle in transaction', longer_than: '5m', user: 'app', application: 'web' },
      },
    },
    {
      type: 'supervisor',
      spec: { restart: 'web', url: `http://127.0.0.1:${port}/RPC2`, user: 'ops', password: hide('supervisor action') },
    },
  ];
  return [...actions(), { type: 'sequence', spec: { steps: actions().map(({ type, spec }) => ({ [type]: spec })) } }];
}

/** One of each header that a schema calls a secret. */
function secretHeaders(
  spec: z.ZodType | undefined,
  at: string,
  hide: (name: string) => string,
): Record<string, string> {
  const options = spec ? secretOptions(spec).filter((option) => option.startsWith(`${at}.`)) : [];
  return Object.fromEntries(options.map((option) => [option.slice(at.length + 1), hide(option)]));
}
