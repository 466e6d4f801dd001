/** Credentials and variables as people live with them: accepted, revoked, and nobody there who could tell. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { close, listen } from '../estate/faults.ts';
import {
  incidentsOf,
  probeOf,
  type Scene,
  type SeenIncident,
  setScene,
  untilIncident,
  untilState,
} from '../estate/scene.ts';

const TOKEN = `ghp-${randomBytes(12).toString('hex')}`;

let scene: Scene;
let daemon: Daemon;
let answer: { status: number; body: unknown } = { status: 200, body: { login: 'octocat' } };
const server = createServer((request, response) => {
  const isRight = request.headers.authorization === `Bearer ${TOKEN}` && request.url === '/user';
  response.writeHead(isRight ? answer.status : 418, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer.body));
});

const quick = 'every: 500ms, timeout: 400ms, retry_every: 200ms, fail_after: 2, recover_after: 2, relapse: 0s';

const isOpen = ({ resolved_at: resolvedAt }: SeenIncident) => resolvedAt === undefined;

/** Values of a metric's series, by the rest of the line. */
async function series(name: string): Promise<string[]> {
  const text = await (await daemon.fetch('/metrics')).text();
  return text.split('\n').filter((line) => line.startsWith(`${name}{`));
}

beforeAll(async () => {
  const port = await listen(server);
  scene = await setScene(() => ({
    'probes/credentials.yaml': `defaults: { ${quick}, severity: critical }
probes:
  - name: github-token
    credential: { provider: github, token: "\${GITHUB_TOKEN}", url: "http://127.0.0.1:${port}" }
  - name: variables
    environment:
`,
    'credentials.yaml': `variables:
  - { name: GITHUB_TOKEN, owner: platform, pattern: "^ghp-", secret: true }
  - { name: STRIPE_KEY, owner: payments, rotate: docs/stripe.md, pattern: "^sk-" }
`,
    '.env': `GITHUB_TOKEN=${TOKEN}\n`,
  }));
  daemon = await scene.start();
});

afterAll(async () => {
  await scene.close();
  await close(server);
});

describe('a credential', () => {
  it('that is accepted is up, and has a series', async () => {
    await untilState(daemon, 'github-token', 'up');
    expect(await series('brainstem_credential_valid')).toEqual([
      expect.stringMatching(/\{.*probe="github-token".*credential="github-token",provider="github"\} 1$/),
    ]);
  });

  it('whose provider is down is unknown: a warning, no series, and no failure', async () => {
    answer = { status: 503, body: { message: 'down' } };
    await untilState(daemon, 'github-token', 'unknown');
    const incident = await untilIncident(daemon, 'github-token', 'open', isOpen);
    expect(incident).toMatchObject({ severity: 'warning', reason: 'internal' });
    expect(incident.cause).toContain('github cannot tell whether it is valid: it answered 503');
    expect(await series('brainstem_credential_valid')).toEqual([]);
  });

  it('that is refused is down, and an outage neither ends that nor makes it worse', async () => {
    answer = { status: 401, body: { message: 'Bad credentials' } };
    await untilState(daemon, 'github-token', 'down');
    const before = await untilIncident(
      daemon,
      'github-token',
      'critical',
      (one) => isOpen(one) && one.severity === 'critical',
    );
    expect(before).toMatchObject({ reason: 'auth' });
    answer = { status: 502, body: {} };
    await untilState(daemon, 'github-token', 'unknown');
    const during = (await incidentsOf(daemon, 'github-token')).filter(isOpen);
    expect(during).toMatchObject([{ id: before.id, severity: 'critical', reason: 'auth' }]);
    answer = { status: 200, body: { login: 'octocat' } };
    await untilState(daemon, 'github-token', 'up');
    expect((await incidentsOf(daemon, 'github-token')).filter(isOpen)).toEqual([]);
  });
});

describe('variables', () => {
  it('that are missing are told by name and owner, and are there as soon as .env has them', async () => {
    const incident = await untilIncident(daemon, 'variables', 'open', isOpen);
    expect(incident.cause).toBe('1 of 2 variables: STRIPE_KEY is missing (owner: payments; renew: docs/stripe.md)');
    await scene.home.write({ '.env': `GITHUB_TOKEN=${TOKEN}\nSTRIPE_KEY=pk-wrong-kind\n` });
    await until(async () => JSON.stringify(await probeOf(daemon, 'variables')).includes('does not match its pattern'), {
      what: 'the wrong value to be seen',
    });
    await scene.home.write({ '.env': `GITHUB_TOKEN=${TOKEN}\nSTRIPE_KEY=sk-right-kind\n` });
    await untilState(daemon, 'variables', 'up');
    expect(daemon.log.map((line) => JSON.stringify(line)).join('')).not.toContain(TOKEN);
  });
});
