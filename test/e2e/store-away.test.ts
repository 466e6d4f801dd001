/** The daemon on a real PostgreSQL that is killed, cut off, slow or locked. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import {
  incidentsOf,
  metricOf,
  pass,
  probeOf,
  type Scene,
  setScene,
  untilIncident,
  untilState,
} from '../estate/scene.ts';
import { startTcpProxy, type TcpProxy } from '../estate/tcp-proxy.ts';

let postgres: PostgresServer;
let proxy: TcpProxy;
let scene: Scene | undefined;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres(['fsync=off']);
  proxy = await startTcpProxy(postgres.port);
});
afterEach(async () => {
  await scene?.close();
  proxy.restore();
  proxy.delay(0);
  proxy.cut();
  scene = undefined;
});
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

const KEY = 'key-of-job';

/** The daemon with its store behind the proxy, all probes up. */
async function started(): Promise<{ daemon: Daemon; scene: Scene; database: string }> {
  databases += 1;
  const database = `away${databases}`;
  const url = new URL(await postgres.createDatabase(database));
  url.port = String(proxy.port);
  const set = await setScene((targets) => ({
    'brainstem.yml': 'store: { url: "${STORE_URL}" }\n',
    'probes/all.yaml': probesFile(
      probe(targets, 'web'),
      probe(targets, 'mended', ['remediate: [{ try: [mend] }]']),
      probe(targets, 'job', ['fail_after: 1', 'recover_after: 1', `heartbeat: { key: ${KEY}, period: 1h, grace: 1h }`]),
      ...Array.from({ length: 30 }, (_, index) => probe(targets, `steady-${index}`)),
    ),
    'remediations/all.yaml': remediationsFile(fix(targets, 'mend', 'mended', 'mends')),
  }));
  scene = set;
  const daemon = await set.start({ environment: { STORE_URL: url.href } });
  await until(async () => (await daemon.fetch(`/ping/${KEY}`)).status === 200, { what: 'the key to be known' });
  for (const name of ['web', 'mended', 'job']) await untilState(daemon, name, 'up');
  return { daemon, scene: set, database };
}

const isAway = async (daemon: Daemon) => (await metricOf(daemon, 'brainstem_store_up')) === 0;
const isBack = async (daemon: Daemon) => (await metricOf(daemon, 'brainstem_store_up')) === 1;
const untilAway = (daemon: Daemon) => until(() => isAway(daemon), { withinMs: 40_000, what: 'it to be noticed' });
const untilBack = (daemon: Daemon) => until(() => isBack(daemon), { withinMs: 60_000, what: 'the store to be back' });

/** Starts of probes that were more than half a second late. */
async function lateStarts(daemon: Daemon): Promise<number> {
  const all = (await metricOf(daemon, 'brainstem_probe_schedule_delay_seconds_count')) ?? 0;
  return all - ((await metricOf(daemon, 'brainstem_probe_schedule_delay_seconds_bucket{le="0.5"}')) ?? 0);
}

async function steadyAreUp(daemon: Daemon): Promise<boolean> {
  const { probes } = await daemon.api<{ probes: { name: string; state: string }[] }>('probes');
  return probes.filter(({ name }) => name.startsWith('steady')).every(({ state }) => state === 'up');
}

describe('a connection to PostgreSQL that is silently gone', () => {
  it('is noticed within its deadline, and the store is used again over a new one', async () => {
    const { daemon } = await started();
    proxy.swallow();
    const began = performance.now();
    await untilAway(daemon);
    expect(performance.now() - began).toBeLessThan(25_000);
    expect(await steadyAreUp(daemon)).toBe(true);
    proxy.restore();
    await untilBack(daemon);
    expect(await lateStarts(daemon)).toBeLessThan(10);
    expect(await steadyAreUp(daemon)).toBe(true);
    expect(await metricOf(daemon, 'brainstem_store_dropped_results_total')).toBe(0);
  }, 150_000);
});

describe('a PostgreSQL that is slow', () => {
  it('delays no probe, neither when each message takes seconds nor when a table is locked', async () => {
    const {
      daemon,
      scene: { targets },
      database,
    } = await started();
    proxy.delay(2_500);
    targets.set('web', 'broken');
    const seen = targets.requests('steady-0').length;
    await pass(6_000);
    proxy.delay(0);
    expect(targets.requests('steady-0').length).toBeGreaterThan(seen + 6);
    await untilState(daemon, 'web', 'down');
    await untilBack(daemon);

    const lock =
      'BEGIN; LOCK TABLE brainstem.probe_states, brainstem.transitions IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(14)';
    const holding = postgres.psql(`${lock}; ROLLBACK`, database);
    targets.set('web', 'ok');
    const before = targets.requests('steady-0').length;
    await holding;
    expect(targets.requests('steady-0').length).toBeGreaterThan(before + 14);
    await untilState(daemon, 'web', 'up');
    await untilBack(daemon);
    await untilIncident(daemon, 'web', 'over', ({ resolved_at }) => resolved_at !== undefined);
    expect(await lateStarts(daemon)).toBeLessThan(10);
    expect(await steadyAreUp(daemon)).toBe(true);
    expect((await probeOf(daemon, 'web')).state).toBe('up');
  }, 150_000);
});

describe('a PostgreSQL that is killed', () => {
  it('stops neither probes nor pings, blames no target, starts no fix, and is told from memory', async () => {
    const {
      daemon,
      scene: { targets, alerts },
    } = await started();
    const looked = targets.requests('steady-0').length;
    await postgres.kill();
    await untilAway(daemon);
    targets.set('mended', 'broken');
    await untilState(daemon, 'mended', 'down');
    expect((await daemon.fetch(`/ping/${KEY}/0`, { method: 'POST', body: 'kept' })).status).toBe(200);
    const ready = await daemon.fetch('/-/ready');
    expect([ready.status, await ready.text()]).toEqual([200, expect.stringContaining('the store is away since')]);
    const frozen = await daemon.fetch('/api/v1/freeze', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"why":"careful"}' },
    });
    expect(frozen.status).toBe(503);
    expect(frozen.headers.get('retry-after')).toBe('5');
    expect(await frozen.json()).toMatchObject({ code: 'store_away', detail: expect.stringContaining('data/FREEZE') });
    expect((await daemon.fetch('/')).status).toBe(200);
    expect((await daemon.fetch('/api/v1/incidents')).status).toBe(503);
    await until(() => alerts.kinds('store').includes('opened'), { what: 'the message from memory' });
    expect(alerts.of('store')[0]?.text).toMatch(/it does not answer.*; down: mended$/);
    expect(targets.fixes()).toEqual([]);
    expect(alerts.of('mended')).toEqual([]);
    expect(await metricOf(daemon, 'brainstem_remediation_refusals_total{remediation="mend",reason="store_away"}')).toBe(
      1,
    );
    expect(targets.requests('steady-0').length).toBeGreaterThan(looked + 3);

    await postgres.start();
    await untilBack(daemon);
    const story = await untilIncident(daemon, 'mended', 'healed', ({ resolved_at }) => resolved_at !== undefined);
    expect(story.healed_by).toBe('mend');
    expect(targets.fixNames()).toEqual(['mend']);
    expect(alerts.kinds('mended').filter((kind) => kind === 'opened')).toHaveLength(1);
    await until(() => alerts.kinds('store').includes('resolved'), { what: 'the end to be told' });
    expect(alerts.kinds('store')).toEqual(['opened', 'resolved']);
    expect(await incidentsOf(daemon, 'store')).toMatchObject([{ source: 'self', resolution: 'recovered' }]);
    expect(await daemon.api('probes/job')).toMatchObject({ state: 'up', fields: { exit_code: 0 } });
    expect(await steadyAreUp(daemon)).toBe(true);
    expect(await daemon.stop()).toBe(0);
    expect(await postgres.psql('SELECT body FROM brainstem.heartbeats', `away${databases}`)).toBe('kept');
  }, 120_000);
});
