/** Fixes of PostgreSQL and in sequence, through the whole daemon: a condition, the act, the proof, and a kill in between. */
import { Client } from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { FAILPOINT_CONSENT, FAILPOINT_VARIABLE } from '../../src/failpoint.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { brainstem } from '../estate/program.ts';
import { type Files, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene;
let server: PostgresServer | undefined;
const sessions: Client[] = [];
afterEach(async () => {
  await scene?.close();
  for (const session of sessions.splice(0)) await session.end().catch(() => undefined);
  await server?.stop();
  server = undefined;
});

const armed = (failpoints: string) => ({
  environment: { [FAILPOINT_VARIABLE]: failpoints, [FAILPOINT_CONSENT.name]: FAILPOINT_CONSENT.value },
});

describe('a PostgreSQL whose pool is full', { timeout: 120_000 }, () => {
  /** SQLSTATE of a server that has no slot left. */
  const TOO_MANY = '53300';
  /** Made up at run time. */
  const password = ['never', 'to', 'be', 'seen'].join('-');

  async function fillPool(postgres: PostgresServer): Promise<void> {
    for (let count = 0; count < 10; count += 1) {
      const session = new Client({ connectionString: `postgres://app@127.0.0.1:${postgres.port}/shop` });
      session.on('error', () => undefined);
      try {
        await session.connect();
      } catch (error) {
        if (codeOf(error) === TOO_MANY) return;
        throw error;
      }
      sessions.push(session);
      await session.query('begin');
    }
    throw new Error('the pool was never full');
  }

  it('is healed by ending the sessions that idle in it, and the password is in none of what is told', async () => {
    const postgres = await startPostgres(['max_connections=10', 'superuser_reserved_connections=3']);
    server = postgres;
    await postgres.psql('create role app login; create role fixer superuser login');
    await postgres.createDatabase('shop');
    const asApp = JSON.stringify(['psql', '-XAtqc', 'select 1', `postgres://app@127.0.0.1:${postgres.port}/shop`]);
    const rule = 'end: { state: idle in transaction, longer_than: 300ms, user: app, at_most: 50 }';
    scene = await setScene(() => ({
      'probes/shop.yaml': `
probes:
  - name: shop
    exec: { argv: ${asApp} }
    every: 500ms
    fail_after: 2
    recover_after: 2
    remediate: [{ try: [end-idle] }]
`,
      'remediations/shop.yaml': `
remediations:
  - name: end-idle
    postgres: { url: "\${ADMIN_URL}", ${rule} }
    timeout: 20s
    verify_within: 20s
    cooldown: 0s
`,
    }));
    const ADMIN_URL = `postgres://fixer:${password}@127.0.0.1:${postgres.port}/shop`;
    const daemon = await scene.start({ environment: { ADMIN_URL } });
    await untilState(daemon, 'shop', 'up');
    const dry = await brainstem(['remediate', 'end-idle', '--probe', 'shop', '--dry-run', '--url', daemon.url]);
    expect(dry.out).toContain(
      'end at most 50 sessions idle in transaction for longer than 300ms in shop on 127.0.0.1:',
    );
    await fillPool(postgres);
    const story = await untilIncident(daemon, 'shop', 'healed', ({ healed_by }) => healed_by === 'end-idle');
    expect(story.attempts.map(({ state }) => state)).toEqual(['healed']);
    const told = JSON.stringify([story, scene.alerts.of(), daemon.log, dry.out]) + daemon.output();
    expect(told).toMatch(/ended \d+\\+npid \d+, user app/);
    expect(told).not.toContain(password);
  });
});

const STEPS = (targets: Scene['targets'], wait: string) =>
  [
    'sequence:',
    '      steps:',
    `        - exec: { argv: ${targets.fix('first', 'shop', 'nothing')} }`,
    `        - wait: ${wait}`,
    '        - notify: half of it is done',
    `        - exec: { argv: ${targets.fix('second', 'shop', 'mends')} }`,
  ].join('\n');

const filesOf =
  (wait: string, more: readonly string[] = []): Files =>
  (targets) => ({
    'probes/shop.yaml': probesFile(probe(targets, 'shop', ['remediate: [{ try: [in-order] }]'])),
    'remediations/shop.yaml': remediationsFile(
      fix(targets, 'in-order', 'shop', 'mends', more).replace(/exec: .*/, STEPS(targets, wait)),
    ),
  });

describe('a sequence', { timeout: 120_000 }, () => {
  async function broken(): Promise<void> {
    const daemon = await scene.start();
    await untilState(daemon, 'shop', 'up');
    expect(await daemon.stop()).toBe(0);
    scene.targets.set('shop', 'broken');
  }

  const attemptsOf = async (daemon: Daemon) =>
    (await untilIncident(daemon, 'shop', 'tried', ({ attempts }) => attempts.every(({ state }) => OVER.has(state))))
      .attempts;
  const OVER = new Set(['healed', 'failed', 'unknown', 'refused']);

  it('heals by its steps in order, and tells people how far it is', async () => {
    scene = await setScene(filesOf('500ms'));
    const daemon = await scene.start();
    await untilState(daemon, 'shop', 'up');
    scene.targets.set('shop', 'broken');
    await untilIncident(daemon, 'shop', 'healed', ({ healed_by }) => healed_by === 'in-order');
    const [first, second] = scene.targets.fixes();
    expect(scene.targets.fixNames()).toEqual(['first', 'second']);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(490);
    await until(() => scene.alerts.of('shop').some(({ text }) => text.includes('half of it is done')), {
      what: 'people to hear how far it is',
    });
  });

  it('that is killed in the middle is verified, never gone on with, and never begun again', async () => {
    scene = await setScene(filesOf('1m', ['timeout: 2m', 'verify_within: 2s']));
    await broken();
    const first = await scene.start();
    await until(() => scene.targets.fixNames().length === 1, { what: 'the first step to run' });
    await first.kill();
    const daemon = await scene.start();
    await untilIncident(daemon, 'shop', 'given up', ({ exhausted }) => exhausted);
    expect((await attemptsOf(daemon)).map(({ state }) => state)).toEqual(['unknown']);
    expect(scene.targets.fixNames()).toEqual(['first']);
  });

  it('that is killed while its second program waits at the gate has not run that one, and does not', async () => {
    scene = await setScene(filesOf('100ms', ['verify_within: 2s']));
    await broken();
    const dying = await scene.start({ ...armed('child_gated=kill@2'), ready: false });
    expect(await dying.exited, dying.output()).toBeNull();
    const daemon = await scene.start();
    await untilIncident(daemon, 'shop', 'given up', ({ exhausted }) => exhausted);
    expect((await attemptsOf(daemon)).map(({ state }) => state)).toEqual(['unknown']);
    expect(scene.targets.fixNames()).toEqual(['first']);
  });
});
