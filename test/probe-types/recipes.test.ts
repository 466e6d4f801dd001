/** Every recipe of docs/recipes.md as it stands there, against the real server. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { NO_WINDOW } from '../../src/engine/condition.ts';
import { judge } from '../../src/engine/judge.ts';
import { registries } from '../../src/registries.ts';
import { createRunner } from '../../src/runtime/runner.ts';
import { load, only, type Variables } from '../config/homes.ts';
import { type Dovecot, startDovecot } from '../estate/dovecot.ts';
import { readBody } from '../estate/faults.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { serveHttp } from '../estate/hostile-network.ts';
import { startMailServer } from '../estate/mail-server.ts';
import { startPostgres } from '../estate/postgres.ts';
import { startSshd } from '../estate/sshd.ts';
import { startVsftpd } from '../estate/vsftpd.ts';
import { quietLog } from '../notifiers/alerts.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/recipes.md'), 'utf8');
const RECIPES = new Map(
  [...PAGE.matchAll(/```yaml\n# (probes\/\S+)\n([\s\S]*?)```/g)].map(([, name, text]) => [name, text]),
);
const PASSWORD = ['correct', 'horse'].join('-');

const tried = new Set<string>();

/** Loads a recipe with these variables and runs it once, as the daemon does. */
async function run(name: string, variables: Variables) {
  tried.add(`probes/${name}.yaml`);
  const text = RECIPES.get(`probes/${name}.yaml`);
  if (text === undefined) throw new Error(`docs/recipes.md has no ${name}`);
  const { probes, secrets } = await load({ 'probes/recipe.yaml': text }, variables);
  const probe = only(probes);
  expect(probe.unset).toEqual([]);
  const observation = await createRunner({
    ...{ probeTypes: registries.probeTypes, log: quietLog, environment: {}, home: () => '/', redact: (line) => line },
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    stalls: { since: () => undefined },
    heartbeat: () => Promise.reject(new Error('no heartbeat')),
    onScarce: () => undefined,
    stopping: new AbortController().signal,
  })(probe);
  const { kind, reason, summary } = judge(probe, observation, NO_WINDOW);
  for (const secret of secrets) expect(`${summary} ${observation.error} ${probe.target}`).not.toContain(secret);
  return { kind, reason, summary, fields: observation.fields };
}

let authority: Authority;
let keys: KeyPair;
let dovecot: Dovecot;

beforeAll(async () => {
  authority = await createAuthority();
  keys = await authority.issue('mail', { names: 'DNS:mail.test,IP:127.0.0.1', days: 30 });
  dovecot = await startDovecot(keys, { user: 'monitor', password: PASSWORD });
});

afterAll(async () => {
  await dovecot.stop();
  await authority.remove();
});

test('ssh', async () => {
  const server = await startSshd();
  onTestFinished(() => server.stop());
  const variables = { SSH_HOST: '127.0.0.1', SSH_PORT: String(server.port) };
  const { kind, summary, fields } = await run('ssh', variables);
  expect({ kind, summary }).toEqual({ kind: 'pass', summary: 'ok' });
  expect(fields['observed']).toEqual({ software: expect.stringMatching(/^OpenSSH_\d/) });
});

describe.each(['imap', 'pop3'] as const)('%s', (protocol) => {
  const variables = (more: Record<string, string> = {}) => {
    const port = protocol === 'imap' ? dovecot.imapPort : dovecot.pop3Port;
    const own = { HOST: '127.0.0.1', PORT: String(port), CA: authority.cert, USER: 'monitor', PASSWORD, ...more };
    return Object.fromEntries(Object.entries(own).map(([key, value]) => [`${protocol.toUpperCase()}_${key}`, value]));
  };

  test('logs in over STARTTLS', async () => {
    const { kind, summary, fields } = await run(protocol, variables());
    expect({ kind, summary }).toEqual({ kind: 'pass', summary: 'ok' });
    expect(fields).toMatchObject({
      observed: { mails: '0' },
      certificate: { subject: 'CN=mail,O=Test' },
      tls: { version: 'TLS 1.3' },
    });
  });

  test('with a wrong password it is auth, at once', async () => {
    const startedAt = performance.now();
    const output = await run(protocol, variables({ PASSWORD: 'a-wrong-one' }));
    expect(output).toMatchObject({ kind: 'fail', reason: 'auth', summary: expect.stringContaining('(log in)') });
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  test('with a certificate for somebody else it is tls', async () => {
    expect(await run(protocol, variables({ NAME: 'web.test' }))).toMatchObject({ kind: 'fail', reason: 'tls' });
  });
});

test('smtp', async () => {
  const server = await startMailServer({ keys });
  onTestFinished(() => server.close());
  const variables = { SMTP_HOST: '127.0.0.1', SMTP_PORT: String(server.port), SMTP_CA: authority.cert };
  expect(await run('smtp', variables)).toMatchObject({ kind: 'pass', summary: 'ok' });
  expect(await run('smtp', { ...variables, SMTP_NAME: 'web.test' })).toMatchObject({ kind: 'fail', reason: 'tls' });
});

test('ftp', async () => {
  const server = await startVsftpd(keys);
  onTestFinished(() => server.stop());
  const variables = { FTP_HOST: '127.0.0.1', FTP_PORT: String(server.port), FTP_CA: authority.cert };
  const { kind, summary, fields } = await run('ftp', variables);
  expect({ kind, summary }).toEqual({ kind: 'pass', summary: 'ok' });
  expect(fields).toMatchObject({ certificate: { subject: 'CN=mail,O=Test' } });
  expect(await run('ftp', { ...variables, FTP_USER: 'somebody' })).toMatchObject({ kind: 'fail', reason: 'auth' });
});

test('postgres-certificate', async () => {
  const plain = await startPostgres();
  onTestFinished(() => plain.stop());
  const variables = { PGHOST: '127.0.0.1', PGPORT: String(plain.port), PG_CA: authority.cert };
  expect(await run('postgres-certificate', variables)).toMatchObject({ kind: 'fail', reason: 'tls' });
  const data = await plain.psql('show data_directory');
  await writeFile(join(data, 'server.crt'), keys.cert);
  await writeFile(join(data, 'server.key'), keys.key, { mode: 0o600 });
  await plain.own(['server.crt', 'server.key']);
  await plain.psql('alter system set ssl = on');
  await plain.psql('select pg_reload_conf()');
  await expect
    .poll(() => run('postgres-certificate', variables), { timeout: 20_000 })
    .toMatchObject({
      kind: 'pass',
      fields: { certificate: { subject: 'CN=mail,O=Test' } },
    });
});

test('shop-login', async () => {
  const { port } = await serveHttp(async (request, response) => {
    const isIn = request.headers.cookie === 'sid=in';
    if (request.url === '/account') return void response.end(isIn ? 'Sign out' : 'Sign in');
    if (request.method === 'GET') return void response.end('<input name="csrf" value="c5f">');
    const form = new URLSearchParams(await readBody(request));
    const isRight = form.get('csrf') === 'c5f' && form.get('user') === 'customer' && form.get('password') === PASSWORD;
    const headers = isRight ? { Location: '/account', 'Set-Cookie': 'sid=in' } : { Location: '/login?failed' };
    response.writeHead(302, headers).end();
  });
  const variables = { SHOP_URL: `http://127.0.0.1:${port}`, SHOP_USER: 'customer', SHOP_PASSWORD: PASSWORD };
  expect(await run('shop-login', variables)).toMatchObject({ kind: 'pass', summary: 'ok' });
  expect(await run('shop-login', { ...variables, SHOP_PASSWORD: 'a-wrong-one' })).toMatchObject({
    kind: 'fail',
    summary: expect.stringContaining('step 2 (log in)'),
  });
});

test('object-round-trip', async () => {
  const objects = new Map<string, string>();
  let loses = false;
  const json = (response: ServerResponse, value: unknown, status = 200) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const { port } = await serveHttp(async (request, response) => {
    const { method, url = '', headers } = request;
    if (headers.authorization !== `Bearer ${PASSWORD}`) return void json(response, { error: 'Unauthorized' }, 400);
    if (method === 'POST') {
      objects.set(url, loses ? '' : await readBody(request));
      return void json(response, { Key: url.replace('/storage/v1/object/', '') });
    }
    const text = objects.get(url);
    if (text === undefined) return void json(response, { error: 'not_found' }, 400);
    if (method === 'DELETE') objects.delete(url);
    response.end(text);
  });
  const url = `http://127.0.0.1:${port}`;
  const variables = { SUPABASE_URL: url, SUPABASE_KEY: PASSWORD, STORAGE_BUCKET: 'checks' };
  expect(await run('object-round-trip', variables)).toMatchObject({ kind: 'pass', summary: 'ok' });
  expect(objects.size).toBe(0);
  loses = true;
  expect(await run('object-round-trip', variables)).toMatchObject({
    kind: 'fail',
    reason: 'body',
    summary: expect.stringContaining('step 2 (read)'),
  });
});

test('no recipe was left out', () => {
  expect([...RECIPES.keys()].toSorted()).toEqual([...tried].toSorted());
});
