import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingParts } from '../../scripts/debian.ts';
import { probeTypes } from '../../src/probe-types/index.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { type Prometheus, startPrometheus } from '../estate/prometheus.ts';
import { type Scene, setScene, untilState } from '../estate/scene.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const missing = missingParts().some((part) => part.package === 'prometheus');

const promtool = (argv: readonly string[], input?: string) =>
  spawnSync('promtool', argv, { input, encoding: 'utf8', cwd: REPOSITORY });

/** One of each type whose target may as well be away: it runs, and says so. */
const REFUSED = {
  written: 'custom: { module: ./written.ts }',
  names: 'dns: { name: example.org, server: "127.0.0.1:1" }',
  gateway: 'icmp: { host: 127.0.0.1 }',
  orders: 'postgres: { url: "postgres://nobody@127.0.0.1:1/shop" }',
  workers: 'process: { pattern: "no such program" }',
  ratio: 'prometheus: { url: "http://127.0.0.1:1", query: up }',
  queue: 'redis: { url: "redis://127.0.0.1:1/0" }',
  certificate: 'tls: { host: 127.0.0.1, port: 1 }',
  unit: 'systemd: { unit: web, systemctl: [/bin/false] }',
  program: 'supervisor: { url: "http://127.0.0.1:1", program: web }',
  provider: 'statuspage: { url: "http://127.0.0.1:1" }',
  several: 'group: { probes: [port] }',
  shop: 'mysql: { url: "mysql://nobody@127.0.0.1:1/shop" }',
  tasks: 'celery: { broker: "redis://127.0.0.1:1/0" }',
  carts: 'grpc: { address: "127.0.0.1:1" }',
  mail: 'smtp: { url: "smtp://127.0.0.1:1" }',
  grid: 'selenium-grid: { url: "http://127.0.0.1:1" }',
  question: 'udp: { host: 127.0.0.1, port: 1, send: hello, expect: hello }',
  talk: 'websocket: { url: "ws://127.0.0.1:1" }',
  subjects: 'nats: { url: "nats://127.0.0.1:1" }',
  topics: 'mqtt: { url: "mqtt://127.0.0.1:1" }',
  messages: 'rabbitmq: { url: "amqp://nobody:nothing@127.0.0.1:1" }',
  token: 'credential: { provider: http, url: "http://127.0.0.1:1", token: a-made-up-token }',
  variables: 'environment: { at_least: 0.5 }',
  page: 'browser: { url: "http://127.0.0.1:1", executable: /nowhere/chromium }',
};

const MANIFEST = `variables:
  - name: SHOP_TOKEN
    owner: ana
    rotate: ask her
`;

const MODULE = `import { defineProbe } from 'brainstem';

export default defineProbe({ run: ({ failed }) => failed('not_found') });
`;

describe.skipIf(missing)('Prometheus with the configuration of this repository', () => {
  let scene: Scene;
  let daemon: Daemon;
  let prometheus: Prometheus;
  const query = (expression: string) => prometheus.query(expression);

  beforeAll(async () => {
    scene = await setScene((targets) => ({
      'probes/written.ts': MODULE,
      'credentials.yaml': MANIFEST,
      'probes/all.yaml': probesFile(
        probe(targets, 'web', ['export: [latency_ms]']),
        probe(targets, 'queried', [`http: { url: "${targets.url('queried')}?token=1" }`, 'slo: { objective: 99.9 }']),
        probe(targets, 'port', ['tcp: { host: 127.0.0.1, port: 1 }']),
        probe(targets, 'script', ['exec: { argv: ["/bin/true"] }']),
        probe(targets, 'job', ['heartbeat: { key: a-key-of-a-job, period: 1h }']),
        probe(targets, 'container', ['docker: { container: web, socket: "/nowhere/docker.sock" }']),
        probe(targets, 'machine', ['host: {}', 'every: 1s', 'timeout: 1s']),
        ...Object.entries(REFUSED).map(([name, spec]) => probe(targets, name, [spec])),
        probe(targets, 'absent', [`http: { url: "\${NOWHERE}" }`]),
      ),
    }));
    scene.targets.set('queried', 'broken');
    daemon = await scene.start();
    await untilState(daemon, 'web', 'up');
    await untilState(daemon, 'queried', 'down');
    await untilState(daemon, 'machine', 'up');
    prometheus = await startPrometheus(scene.port);
  });

  afterAll(async () => {
    await prometheus?.stop();
    await scene?.close();
  });

  it('is accepted by promtool, as it stands', async () => {
    expect(promtool(['check', 'config', 'prometheus.yml'])).toMatchObject({ status: 0, stderr: '' });
    expect(promtool(['check', 'rules', 'prometheus.rules.yml'])).toMatchObject({ status: 0, stderr: '' });
    expect(await readFile(join(REPOSITORY, 'prometheus.yml'), 'utf8')).toContain('127.0.0.1:9911');
  });

  it('scrapes the daemon, and sees each probe under the address of its target', async () => {
    await until(async () => (await query('up{job="brainstem"}'))[0]?.value[1] === '1', { what: 'the target to be up' });
    const { targets } = scene;
    const seen = await until(
      async () => {
        const samples = await query('probe_success');
        return samples.length >= 6 && samples;
      },
      { what: 'a sample of every probe' },
    );
    const byProbe = new Map(
      seen.map(({ metric, value }) => [metric['probe'], { instance: metric['instance'], value: value[1] }]),
    );
    expect(byProbe.get('web')).toEqual({ instance: targets.url('web'), value: '1' });
    expect(byProbe.get('queried')).toEqual({ instance: targets.url('queried'), value: '0' });
    expect(byProbe.get('port')).toEqual({ instance: '127.0.0.1:1', value: '0' });
    expect(byProbe.has('absent')).toBe(false);
    const down = await query('brainstem_probe_state{state="down"} == 1');
    expect(down.map(({ metric }) => metric['probe'])).toContain('queried');
    const missed = await query('probe_success < on (job, probe) brainstem_probe_slo_objective_ratio');
    expect(missed).toMatchObject([{ metric: { probe: 'queried' } }]);
  });

  it('finds every metric that its rules ask for', async () => {
    const rules = await readFile(join(REPOSITORY, 'prometheus.rules.yml'), 'utf8');
    const exposed = await (await daemon.fetch('/metrics')).text();
    const asked = new Set(rules.match(/\b(brainstem|probe)_[a-z_]+\b/g));
    // Only https targets have certificates, and only with a remediation there are attempts.
    for (const name of ['probe_ssl_earliest_cert_expiry', 'brainstem_remediation_attempts_total']) asked.delete(name);
    for (const name of asked) expect(exposed).toMatch(new RegExp(`^${name}(\\{| )`, 'm'));
    await until(
      async () => {
        const response = await fetch(`${prometheus.url}/api/v1/rules`);
        const { data } = (await response.json()) as { data: { groups: { rules: { health: string }[] }[] } };
        const health = data.groups.flatMap((group) => group.rules.map((rule) => rule.health));
        return health.length > 5 && health.every((each) => each === 'ok');
      },
      { what: 'every rule to be evaluated' },
    );
  });

  it('gets metrics that promtool finds nothing wrong with, from every type of probe', async () => {
    await until(
      async () => {
        const { probes } = await daemon.api<{ probes: { type: string; last_run_at?: string }[] }>('probes');
        const used = new Set(probes.filter(({ last_run_at }) => last_run_at).map(({ type }) => type));
        return Object.keys(probeTypes).every((type) => used.has(type));
      },
      { what: `a run of each type of ${Object.keys(probeTypes)}` },
    );
    const metrics = await (await daemon.fetch('/metrics')).text();
    expect(promtool(['check', 'metrics'], metrics)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});
