/** Two daemons on one real PostgreSQL: one is the brain, the other stands by. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHome, type Daemon, freePort, type Home, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { type PostgresServer, startPostgres } from '../estate/postgres.ts';
import { incidentsOf, metricOf, pass, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';
import type { Targets } from '../estate/targets.ts';
import { startTcpProxy, type TcpProxy } from '../estate/tcp-proxy.ts';

let postgres: PostgresServer;
let proxy: TcpProxy;
let scene: Scene | undefined;
let otherHome: Home | undefined;
let databases = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  proxy = await startTcpProxy(postgres.port);
});
afterEach(async () => {
  await scene?.close();
  await otherHome?.remove();
  proxy.restore();
  proxy.cut();
  [scene, otherHome] = [undefined, undefined];
});
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

const SETTINGS = 'store: { url: "${STORE_URL}" }\ncluster: true\n';

interface Cluster extends Scene {
  /** A daemon with its store at the server itself, or behind the proxy. Only the brain becomes ready. */
  join(ready: boolean, behindProxy?: boolean, home?: Home): Promise<Daemon>;
}

async function setCluster(definitions: (targets: Targets) => Readonly<Record<string, string>>): Promise<Cluster> {
  databases += 1;
  const url = await postgres.createDatabase(`cluster${databases}`);
  const proxied = new URL(url);
  proxied.port = String(proxy.port);
  const set = await setScene((targets) => ({ 'brainstem.yml': SETTINGS, ...definitions(targets) }));
  scene = set;
  return {
    ...set,
    async join(ready, behindProxy = false, home = set.home) {
      const environment = { STORE_URL: behindProxy ? proxied.href : url };
      const daemon = await set.start({ home, ready, port: await freePort(), environment });
      if (!ready) await untilLogged(daemon, 'standing_by');
      return daemon;
    },
  };
}

const hasLogged = (daemon: Daemon, name: string) => daemon.log.some(({ event }) => event === name);
const untilLogged = (daemon: Daemon, name: string, withinMs = 40_000) =>
  until(() => hasLogged(daemon, name), { withinMs, what: `"${name}" in the log` });

const twoProbes = (targets: Targets) => ({
  'probes/all.yaml': probesFile(probe(targets, 'web'), probe(targets, 'mended', ['remediate: [{ try: [mend] }]'])),
  'remediations/all.yaml': remediationsFile(fix(targets, 'mend', 'mended', 'mends')),
});

describe('a daemon that stands by', () => {
  it('probes nothing, and says over HTTP what it is and where the brain is', async () => {
    const { join } = await setCluster(twoProbes);
    const brain = await join(true);
    const standby = await join(false);
    expect((await standby.fetch('/-/healthy')).status).toBe(200);
    const ready = await standby.fetch('/-/ready');
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringMatching(/^this daemon stands by: another daemon is the brain \(from 127\.0\.0\.1, /),
    ]);
    expect(await metricOf(standby, 'brainstem_brain')).toBe(0);
    expect(await metricOf(standby, 'brainstem_store_up')).toBe(1);
    expect(await metricOf(brain, 'brainstem_brain')).toBe(1);
    const headers = { 'content-type': 'application/json' };
    for (const [path, init] of [
      ['/api/v1/freeze', { method: 'POST', headers, body: '{"why":"careful"}' }],
      ['/api/v1/status', {}],
      ['/ping/some-key', { method: 'POST', body: 'done' }],
      ['/', {}],
    ] as const) {
      const answer = await standby.fetch(path, init);
      expect([path, answer.status, answer.headers.get('retry-after')]).toEqual([path, 503, '5']);
      expect(await answer.json()).toMatchObject({ code: 'standby', detail: expect.stringContaining('stands by') });
    }
    expect((await standby.fetch('/nothing-here')).status).toBe(404);
    await untilState(brain, 'web', 'up');
    expect(hasLogged(standby, 'probe_ran')).toBe(false);
    expect(await standby.stop()).toBe(0);
    expect(await brain.stop()).toBe(0);
  }, 60_000);

  it('is refused where it is not said to be of a cluster', async () => {
    const { join, start } = await setCluster(twoProbes);
    await join(true);
    const environment = { STORE_URL: postgres.url(`cluster${databases}`) };
    otherHome = await createHome({
      'brainstem.yml': 'http: { listen: "${LISTEN}" }\nstore: { url: "${STORE_URL}" }\n',
    });
    const second = await start({
      home: otherHome,
      ready: false,
      port: await freePort(),
      environment,
    });
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(/another daemon holds the database .*cluster: true/);
  }, 60_000);
});

describe('a brain that is killed', () => {
  it('is followed within five seconds by one that goes on with its incidents, and tells nothing twice', async () => {
    const { join, targets, alerts } = await setCluster(twoProbes);
    const brain = await join(true);
    const standby = await join(false);
    await untilState(brain, 'web', 'up');
    targets.set('web', 'broken');
    const { id } = await untilIncident(brain, 'web', 'told', ({ paged }) => paged);
    const delivered = 'brainstem_notifications_total{notifier="bus",outcome="delivered"}';
    await until(async () => (await metricOf(brain, delivered)) === 1, { what: 'the page to be on record as sent' });
    await brain.kill();
    const diedAt = Date.now();
    await until(async () => (await standby.fetch('/-/ready')).status === 200, { what: 'the other to be the brain' });
    expect(Date.now() - diedAt).toBeLessThan(5_000);
    expect(await metricOf(standby, 'brainstem_brain')).toBe(1);
    targets.set('mended', 'broken');
    await untilIncident(standby, 'mended', 'healed', ({ healed_by }) => healed_by === 'mend');
    targets.set('web', 'ok');
    await untilIncident(standby, 'web', 'over', ({ resolved_at }) => resolved_at !== undefined);
    await until(() => alerts.kinds('web').includes('resolved'), { what: 'the end to be told' });
    expect((await incidentsOf(standby, 'web')).map((incident) => incident.id)).toEqual([id]);
    expect(alerts.kinds('web')).toEqual(['opened', 'resolved']);
    expect(targets.fixNames()).toEqual(['mend']);
  }, 90_000);

  it('is followed with the definitions that were saved meanwhile, or without them when they do not load', async () => {
    const { join, targets, home } = await setCluster(twoProbes);
    const brain = await join(true);
    const standby = await join(false);
    await home.write({ 'probes/late.yaml': probesFile(probe(targets, 'late')) });
    targets.set('late', 'broken');
    const { id } = await untilIncident(brain, 'late', 'open');
    await brain.kill();
    await untilLogged(standby, 'started');
    targets.set('late', 'ok');
    await untilState(standby, 'late', 'up');
    expect(await incidentsOf(standby, 'late')).toMatchObject([{ id, resolution: 'recovered' }]);

    const third = await join(false);
    await home.write({ 'probes/later.yaml': 'probes: [{ nonsense: true }]\n' });
    await standby.kill();
    await untilLogged(third, 'started');
    await untilState(third, 'late', 'up');
    await until(async () => (await metricOf(third, 'brainstem_config_last_reload_successful')) === 0, {
      what: 'the error to be told',
    });
  }, 90_000);
});

/** A fix that reports, and then goes on acting for a minute. */
const lasting = (targets: Targets) => ({
  'probes/all.yaml': probesFile(probe(targets, 'slow', ['remediate: [{ try: [{ name: last, tries: 5 }] }]'])),
  'remediations/all.yaml': remediationsFile(
    fix(targets, 'last', 'slow', 'nothing', [
      `exec: { argv: ["/bin/sh", "-c", '"$@"; exec sleep 61', "sh", ${targets.fix('last', 'slow', 'nothing').slice(1)} }`,
      'timeout: 90s',
      'verify_within: 3s',
      'limit: 1 in 1h',
    ]),
  ),
});

describe('a brain that stands still', () => {
  it('is followed by another one, and when it goes on it neither acts nor alerts, and ends', async () => {
    const { join, targets, alerts } = await setCluster(twoProbes);
    const brain = await join(true);
    const standby = await join(false);
    await untilState(brain, 'mended', 'up');
    brain.signal('SIGSTOP');
    targets.set('mended', 'broken');
    await untilLogged(standby, 'started');
    await untilIncident(standby, 'mended', 'healed', ({ healed_by }) => healed_by === 'mend');
    targets.set('mended', 'broken');
    brain.signal('SIGCONT');
    expect(await brain.exited).toBe(1);
    expect(brain.output()).toMatch(/brainstem ends: another daemon of the cluster is the brain/);
    await until(() => targets.fixes().length === 2, { what: 'the new brain to fix it again' });
    await pass(1_000);
    expect(hasLogged(brain, 'attempt')).toBe(false);
    expect(targets.fixNames()).toEqual(['mend', 'mend']);
    expect(alerts.kinds('store')).toEqual([]);
    expect(alerts.kinds('mended').filter((kind) => kind === 'opened')).toHaveLength(2);
  }, 120_000);
});

describe('a brain that is cut off from its store', () => {
  it('ends what acts before another one takes over, which verifies it and does not repeat it', async () => {
    const { join, targets, alerts } = await setCluster(lasting);
    const brain = await join(true, true);
    const standby = await join(false);
    await untilState(brain, 'slow', 'up');
    targets.set('slow', 'broken');
    await until(() => targets.fixes().length === 1, { what: 'the fix to act' });
    proxy.swallow();
    await untilLogged(brain, 'store_lost');
    await until(() => actsEnded(brain), { what: 'the act to be ended' });
    expect(hasLogged(standby, 'started')).toBe(false);
    await untilLogged(standby, 'started');
    await untilIncident(standby, 'slow', 'verified', ({ attempts }) =>
      attempts.some(({ state }) => state === 'unknown'),
    );
    await until(() => alerts.kinds('store').includes('opened'), { what: 'the old one to tell that it is cut off' });
    proxy.restore();
    expect(await brain.exited).toBe(1);
    expect(alerts.kinds('store')).toEqual(['opened', 'progress']);
    expect(alerts.of('store').at(-1)?.text).toMatch(/another daemon of the cluster is the brain/);
    expect(targets.fixNames()).toEqual(['last']);
  }, 120_000);

  it('ends what acts, and is the brain again when nobody came between', async () => {
    const { join, targets } = await setCluster(lasting);
    const brain = await join(true, true);
    await untilState(brain, 'slow', 'up');
    targets.set('slow', 'broken');
    await until(() => targets.fixes().length === 1, { what: 'the fix to act' });
    proxy.cut();
    const story = await untilIncident(brain, 'slow', 'on record', ({ attempts }) =>
      attempts.some(({ state }) => state === 'failed'),
    );
    expect(story.timeline.map(({ text }) => text).join('\n')).toMatch(/last failed: .*connection/);
    targets.set('slow', 'ok');
    await untilState(brain, 'slow', 'up');
    expect(await brain.stop()).toBe(0);
  }, 90_000);
});

/** It says so in the row that it keeps. */
const actsEnded = ({ log }: Daemon) => log.some(({ event, state }) => event === 'attempt' && state === 'failed');
