/** Many runs with steps leave nothing behind: no descriptor, no handle, no memory. */
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { http } from '../../src/probe-types/http.ts';
import { tcp } from '../../src/probe-types/tcp.ts';
import { serveCommands } from '../estate/command-server.ts';
import { type Authority, createAuthority, type KeyPair } from '../estate/hostile-certificates.ts';
import { closedPort, probe, serveHttp, serveRaw } from '../estate/hostile-network.ts';
import { doesNotGrow, leavesNothing } from '../estate/leaks.ts';

let authority: Authority;
let good: KeyPair;
beforeAll(async () => {
  authority = await createAuthority();
  good = await authority.issue('good', { names: 'IP:127.0.0.1', days: 30 });
});
afterAll(() => authority.remove());

const upgrade = [{ expect: '^220' }, { send: 'STARTTLS\r\n' }, { expect: '^220' }, { starttls: true }];

describe('dialogues over TCP', () => {
  const secured = () => serveCommands(good, () => '250 fine\r\n');
  const kinds: Record<string, [string, number, () => Promise<Record<string, unknown>>]> = {
    'a dialogue over TLS': [
      'ok',
      30_000,
      async () => ({
        port: (await secured()).port,
        tls: { ca: authority.cert },
        steps: [...upgrade, { send: 'NOOP\r\n' }, { expect_line: '^(?P<code>250)' }, { observe: { code: '{{code}}' } }],
      }),
    ],
    'an untrusted certificate': ['tls', 30_000, async () => ({ port: (await secured()).port, steps: upgrade })],
    'no handshake': [
      'timeout',
      2_000,
      async () => {
        const { port } = await serveRaw((socket) => {
          socket.write('220 a\r\n');
          socket.once('data', () => socket.write('220 b\r\n'));
        });
        return { port, steps: upgrade };
      },
    ],
    'a refusal': [
      'auth',
      30_000,
      async () => ({ port: (await secured()).port, steps: [{ expect: { match: 'never', fail: { auth: '^220' } } }] }),
    ],
  };
  test.each(Object.entries(kinds))(
    '%s leaves nothing behind',
    async (_name, [reason, timeoutMs, target]) => {
      const spec = tcp.spec.parse({ host: '127.0.0.1', ...(await target()) });
      await leavesNothing(async () => expect((await probe(tcp, spec, { timeoutMs })).reason).toBe(reason), 100, 50);
    },
    90_000,
  );

  test('do not grow the heap', async () => {
    const { port } = await secured();
    const tls = { ca: authority.cert };
    const spec = tcp.spec.parse({
      host: '127.0.0.1',
      port,
      tls,
      steps: [...upgrade, { send: 'A\r\n' }, { expect: '(.*)' }],
    });
    await doesNotGrow(async () => expect((await probe(tcp, spec)).reason).toBe('ok'));
  }, 90_000);
});

describe('several requests', () => {
  const save = { token: { json: 'token' } };
  const login = { url: '/', save };
  const answer = (_: unknown, response: ServerResponse) =>
    void response.setHeader('Set-Cookie', 'sid=1').end('{"token":"abc"}');
  const kinds: Record<string, [string, number, () => Promise<readonly object[]>]> = {
    success: ['ok', 30_000, async () => [login, { url: '/{{token}}', expect: ['json.token == saved.token'] }]],
    'a false condition': ['body', 30_000, async () => [login, { url: '/', expect: ['json.token == "x"'] }]],
    silence: ['timeout', 3_000, async () => [login, { url: `http://127.0.0.1:${(await serveRaw(() => {})).port}/` }]],
    refused: ['connect_refused', 30_000, async () => [login, { url: `http://127.0.0.1:${await closedPort()}/` }]],
  };
  test.each(Object.entries(kinds))(
    '%s leaves nothing behind',
    async (_name, [reason, timeoutMs, requests]) => {
      const { port } = await serveHttp(answer);
      const steps = (await requests()).map((request) => ({ request }));
      const spec = http.spec.parse({ url: `http://127.0.0.1:${port}`, steps });
      await leavesNothing(async () => expect((await probe(http, spec, { timeoutMs })).reason).toBe(reason), 100, 50);
    },
    90_000,
  );

  test('do not grow the heap', async () => {
    const { port } = await serveHttp(answer);
    const steps = [{ request: login }, { request: { url: '/{{token}}' } }];
    const spec = http.spec.parse({ url: `http://127.0.0.1:${port}`, steps });
    await doesNotGrow(async () => expect((await probe(http, spec)).reason).toBe('ok'));
  }, 90_000);
});
