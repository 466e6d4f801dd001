import { spawnSync } from 'node:child_process';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createExposition } from '../../src/metrics/exposition.ts';
import { createMeter } from '../../src/metrics/instruments.ts';
import type { Probe } from '../../src/model.ts';
import type { ProbeType, SeriesFamily } from '../../src/ports.ts';
import { probeTypes as realTypes } from '../../src/probe-types/index.ts';
import {
  clock,
  emptyWorld,
  incident,
  type Logged,
  NOW,
  notifier,
  probe,
  recordingLog,
  remediation,
  silence,
  view,
  viewsOf,
  type World,
} from '../server/world.ts';

const status: SeriesFamily = {
  name: 'probe_http_status_code',
  help: 'Status of the last answer.',
  sample: (fields) => (typeof fields['status'] === 'number' ? fields['status'] : undefined),
};
const phases: SeriesFamily = {
  name: 'probe_http_duration_seconds',
  help: 'Phases.',
  sample: (fields) =>
    Object.entries((fields['phases'] as Record<string, number>) ?? {}).map(([phase, value]) => ({
      labels: { phase },
      value,
    })),
};
const broken: SeriesFamily = {
  name: 'probe_broken',
  help: 'A family with a bug.',
  sample: () => {
    throw new TypeError('no such thing');
  },
};

function type(name: string, families: readonly SeriesFamily[]): ProbeType {
  return {
    name,
    summary: '',
    spec: z.unknown(),
    mainOption: '',
    example: '',
    fields: {},
    families,
    target: () => '',
    run: async () => ({ reason: 'ok', fields: {} }),
  };
}

let world: World;
let logged: Logged[];

beforeEach(() => {
  world = emptyWorld();
  logged = [];
});

function build(secret = 'nothing-to-hide') {
  const instruments = createMeter({ version: '1.2.3', startedAt: NOW });
  const probeTypes = { http: type('http', [status, phases, broken]), tcp: type('tcp', [status]) };
  const views = viewsOf(world);
  const exposition = createExposition({
    views,
    instruments,
    probeTypes,
    clock,
    log: recordingLog(logged),
    redact: (text) => text.replaceAll(secret, '[redacted]'),
  });
  const scrape = async (format: 'text' | 'openmetrics' = 'text') => (await exposition.render(format)).body.toString();
  return { ...instruments, scrape, render: exposition.render };
}

const lines = (body: string, start: string) => body.split('\n').filter((line) => line.startsWith(start));

describe('what a probe saw', () => {
  test('is exported under the names of blackbox, with probe and instance', async () => {
    const web = probe('web', { target: 'http://web:8080/' });
    world.probes = [view(web, { latencyMs: 250, fields: { status: 200, phases: { connect: 0.1, tls: 0.2 } } })];
    const body = await build().scrape();
    const labels = 'probe="web",instance="http://web:8080/"';
    expect(lines(body, 'probe_')).toEqual([
      `probe_success{${labels}} 1`,
      `probe_duration_seconds{${labels}} 0.25`,
      `probe_http_status_code{${labels}} 200`,
      `probe_http_duration_seconds{${labels},phase="connect"} 0.1`,
      `probe_http_duration_seconds{${labels},phase="tls"} 0.2`,
    ]);
  });

  test('probe_success is the raw verdict, not the debounced state', async () => {
    world.probes = [
      view(probe('failing'), { state: 'up', verdict: 'fail', reason: 'timeout' }),
      view(probe('warned'), { state: 'up', verdict: 'warn', reason: 'condition' }),
    ];
    const body = await build().scrape();
    expect(body).toMatch(/^probe_success\{probe="failing",.*\} 0$/m);
    expect(body).toMatch(/^probe_success\{probe="warned",.*\} 1$/m);
    expect(body).toContain('brainstem_probe_state{probe="failing",state="up"} 1');
  });

  test.each([
    ['unknown', { verdict: 'unknown' }],
    ['stale', { stale: true }],
    ['paused', { state: 'paused' }],
    ['unconfigured', { state: 'unconfigured' }],
    ['not run yet', { ran: false }],
  ] as const)('is absent while the probe is %s, but its state is there', async (_name, seen) => {
    world.probes = [view(probe('web', { exportFields: ['status'] }), { fields: { status: 200 }, ...seen })];
    const body = await build().scrape();
    expect(lines(body, 'probe_')).toEqual([]);
    expect(lines(body, 'brainstem_probe_field{')).toEqual([]);
    expect(lines(body, 'brainstem_probe_state{')).toHaveLength(7);
  });

  test('a family that two types share is written once', async () => {
    world.probes = [
      view(probe('a'), { fields: { status: 1 } }),
      view(probe('b', { type: 'tcp' }), { fields: { status: 2 } }),
    ];
    const body = await build().scrape();
    expect(lines(body, '# TYPE probe_http_status_code')).toHaveLength(1);
    expect(lines(body, 'probe_http_status_code{')).toHaveLength(2);
  });

  test('a family that throws is logged once and harms nothing else', async () => {
    world.probes = [view(probe('a')), view(probe('b'))];
    const { scrape } = build();
    await scrape();
    expect(lines(await scrape(), 'probe_success')).toHaveLength(2);
    expect(logged.filter(({ event }) => event === 'metric_family_failed')).toHaveLength(1);
  });
});

describe('what the daemon knows', () => {
  test('the state is a set of all states as 0 or 1', async () => {
    world.probes = [view(probe('web'), { state: 'down' })];
    const body = await build().scrape();
    expect(lines(body, 'brainstem_probe_state{')).toEqual(
      ['up', 'degraded', 'down', 'unknown', 'paused', 'maintenance', 'unconfigured'].map(
        (state) => `brainstem_probe_state{probe="web",state="${state}"} ${state === 'down' ? 1 : 0}`,
      ),
    );
    const since = `brainstem_probe_state_since_timestamp_seconds{probe="web"} ${(NOW - 3_600_000) / 1_000}`;
    expect(body).toContain(since);
  });

  test('info carries labels from files, which cannot replace the fixed ones', async () => {
    world.probes = [view(probe('web', { labels: { team: 'a"b\\c\nd', probe: 'forged' } }))];
    expect(await build().scrape()).toContain(
      'brainstem_probe_info{probe="web",instance="http://127.0.0.1/web",type="http",group="applications",severity="warning",team="a\\"b\\\\c\\nd"} 1',
    );
  });

  test('the objective of a probe that has one, as a ratio', async () => {
    const slo = { objectivePercent: 99.9, windowMs: 30 * 86_400_000 };
    world.probes = [view(probe('web', { slo })), view(probe('db'))];
    expect(lines(await build().scrape(), 'brainstem_probe_slo_')).toEqual([
      'brainstem_probe_slo_objective_ratio{probe="web"} 0.999',
      'brainstem_probe_slo_window_seconds{probe="web"} 2592000',
    ]);
  });

  test('exported fields: numbers, structures by path, maps by item', async () => {
    const fields = { load1: 0.5, ok: true, tls: { days: 7 }, disk_percent: { '/': 40, '/var': 60 }, name: 'x' };
    world.probes = [
      view(probe('host', { exportFields: ['load1', 'ok', 'tls.days', 'disk_percent', 'name', 'none'] }), { fields }),
    ];
    expect(lines(await build().scrape(), 'brainstem_probe_field{')).toEqual([
      'brainstem_probe_field{probe="host",field="load1"} 0.5',
      'brainstem_probe_field{probe="host",field="ok"} 1',
      'brainstem_probe_field{probe="host",field="tls.days"} 7',
      'brainstem_probe_field{probe="host",field="disk_percent",item="/"} 40',
      'brainstem_probe_field{probe="host",field="disk_percent",item="/var"} 60',
    ]);
  });

  test('a label explosion is cut at 100 items, and counted', async () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`item-${index}`, index]));
    world.probes = [view(probe('host', { exportFields: ['items'] }), { fields: { items: many, phases: many } })];
    const { scrape } = build();
    const body = await scrape();
    expect(lines(body, 'brainstem_probe_field{')).toHaveLength(100);
    expect(lines(body, 'probe_http_duration_seconds{')).toHaveLength(100);
    expect(body).toContain('brainstem_series_dropped_total 199800');
  });

  test('incidents, holds and queues are there at 0 before anything happens', async () => {
    world.notifiers = [notifier('oncall')];
    const body = await build().scrape();
    for (const severity of ['info', 'warning', 'critical']) {
      expect(body).toContain(`brainstem_incidents_open{severity="${severity}"} 0`);
      expect(body).toContain(`brainstem_incidents_silenced{severity="${severity}"} 0`);
    }
    expect(body).toContain('brainstem_healing_held{reason="frozen"} 0');
    expect(body).toContain('brainstem_notification_queue{notifier="oncall"} 0');
  });

  test('incidents, freeze, disarmed remediations and queues are counted', async () => {
    world.notifiers = [notifier('oncall')];
    world.incidents = [incident(1, 'web'), incident(2, 'db')];
    world.silences = [silence(1), silence(2, { matchers: [], startsAt: NOW + 1 })];
    world.frozen = { at: NOW, by: 'ann', why: '' };
    world.disarmed = [{ remediation: 'restart', at: NOW, why: 'limit' }];
    world.queues = new Map([['oncall', 4]]);
    const body = await build().scrape();
    expect(body).toContain('brainstem_incidents_open{severity="critical"} 2');
    expect(body).toContain('brainstem_incidents_silenced{severity="critical"} 1');
    expect(body).toContain('brainstem_silences_active 1');
    expect(body).toContain('brainstem_healing_held{reason="frozen"} 1');
    expect(body).toContain('brainstem_healing_held{reason="disarmed"} 1');
    expect(body).toContain('brainstem_notification_queue{notifier="oncall"} 4');
  });

  test('no secret reaches a label', async () => {
    const secret = ['canary', 'label'].join('-');
    const phasesOf = { phases: { [secret]: 1 } };
    world.probes = [
      view(probe('web', { target: `http://h/${secret}`, labels: { team: secret } }), { fields: phasesOf }),
    ];
    const body = await build(secret).scrape();
    expect(body).not.toContain(secret);
    expect(body).toContain('[redacted]');
  });
});

describe('counters', () => {
  test('exist at 0 for everything the configuration names, and go with it', async () => {
    world.probes = [view(probe('web'))];
    world.remediations = [remediation('restart')];
    world.notifiers = [notifier('oncall')];
    const { scrape, meter } = build();
    const first = await scrape();
    expect(first).toContain('brainstem_probe_runs_total{probe="web",reason="ok"} 0');
    expect(first).toContain('brainstem_probe_overruns_total{probe="web"} 0');
    expect(first).toContain('brainstem_incidents_total{severity="critical",reason="timeout"} 0');
    expect(first).toContain('brainstem_remediation_attempts_total{remediation="restart",outcome="healed"} 0');
    expect(first).toContain('brainstem_remediation_refusals_total{remediation="restart",reason="cooldown"} 0');
    expect(first).toContain('brainstem_notifications_total{notifier="oncall",outcome="dropped"} 0');
    expect(first).toContain('brainstem_remediation_duration_seconds_count{remediation="restart"} 0');
    expect(first).toContain('brainstem_time_to_recover_seconds_count{healed_by="restart"} 0');
    meter.attemptEnded('restart', 'healed', 3);
    meter.timeToRecover(4, 'restart');
    Object.assign(world, { ...emptyWorld(), revision: 'r2' });
    const second = await scrape();
    for (const gone of ['"web"', '"restart"', '"oncall"']) expect(second).not.toContain(gone);
  });

  test('keep what was counted before the first scrape', async () => {
    world.remediations = [remediation('restart')];
    const { scrape, meter } = build();
    meter.attemptEnded('restart', 'healed', 3);
    meter.timeToRecover(4, 'restart');
    const body = await scrape();
    expect(body).toContain('brainstem_remediation_attempts_total{remediation="restart",outcome="healed"} 1');
    expect(body).toContain('brainstem_remediation_duration_seconds_count{remediation="restart"} 1');
    expect(body).toContain('brainstem_time_to_recover_seconds_count{healed_by="restart"} 1');
  });

  test('count what the meter is told', async () => {
    world.probes = [view(probe('web'))];
    const { scrape, meter } = build();
    meter.probeRun('web', 'ok');
    meter.probeRun('web', 'timeout');
    meter.probeOverrun('web');
    meter.incidentOpened(incident(1, 'web'));
    meter.timeToRecover(20, undefined);
    meter.historyKept(86_400_000, 4_096);
    meter.reloaded(false, NOW + 5_000);
    meter.resultsBuffered(7);
    meter.resultsDropped(2);
    meter.storeUp(false);
    meter.processPaused(12);
    const body = await scrape();
    for (const line of [
      'brainstem_probe_runs_total{probe="web",reason="ok"} 1',
      'brainstem_probe_runs_total{probe="web",reason="timeout"} 1',
      'brainstem_probe_overruns_total{probe="web"} 1',
      'brainstem_incidents_total{severity="critical",reason="connect_refused"} 1',
      'brainstem_time_to_recover_seconds_bucket{le="30",healed_by="none"} 1',
      'brainstem_history_oldest_timestamp_seconds 86400',
      'brainstem_store_used_bytes 4096',
      'brainstem_config_last_reload_successful 0',
      `brainstem_config_last_reload_success_timestamp_seconds ${NOW / 1_000}`,
      'brainstem_store_buffered_results 7',
      'brainstem_store_dropped_results_total 2',
      'brainstem_store_up 0',
      'brainstem_process_pauses_total 1',
      'brainstem_process_paused_seconds_total 12',
      `brainstem_build_info{version="1.2.3",node_version="${process.version}"} 1`,
    ]) {
      expect(body.split('\n')).toContain(line);
    }
  });
});

describe('the text', () => {
  const full = () => {
    const definitions: Probe[] = [
      probe('web', { labels: { team: 'é"\\\n' }, slo: { objectivePercent: 99.5, windowMs: 604_800_000 } }),
      probe('db', { type: 'tcp' }),
    ];
    world = emptyWorld({
      probes: definitions.map((each) => view(each, { fields: { status: 503, phases: { connect: 0.001 } } })),
      remediations: [remediation('restart')],
      notifiers: [notifier('oncall')],
    });
    const built = build();
    built.meter.scheduleDelay(0.002);
    built.meter.attemptEnded('restart', 'failed', 2);
    built.meter.loopLag(0.01);
    return built;
  };

  test('passes promtool check metrics', async () => {
    const {
      status: exit,
      stdout,
      stderr,
    } = spawnSync('promtool', ['check', 'metrics'], {
      input: await full().scrape(),
      encoding: 'utf8',
    });
    expect([exit, stdout, stderr]).toEqual([0, '', '']);
  });

  test('as OpenMetrics ends in EOF and heads counters without _total', async () => {
    const body = await full().scrape('openmetrics');
    expect(body.endsWith('# EOF\n')).toBe(true);
    expect(body).toContain('# TYPE brainstem_probe_runs counter\n');
    expect(body).toContain('\nbrainstem_probe_runs_total{probe="web",reason="ok"} 0\n');
    expect(body).not.toMatch(/# TYPE \S+_total /);
  });

  test('heads every family once, and every sample stands under its own head', async () => {
    const seen = new Set<string>();
    let family = '';
    for (const line of (await full().scrape()).trimEnd().split('\n')) {
      const head = /^# HELP (\S+) ./.exec(line)?.[1];
      if (head !== undefined) {
        expect(seen.has(head)).toBe(false);
        seen.add(head);
        family = head;
      }
      expect(line.startsWith('#') || line.startsWith(family)).toBe(true);
    }
  });

  test('leaves out the misnamed gauges of Node', async () => {
    expect(await full().scrape()).not.toMatch(/^nodejs_\w+_total[ {]/m);
    expect(await full().scrape()).toMatch(/^nodejs_heap_size_used_bytes /m);
  });

  test('of every real probe type passes promtool with families that are well named', async () => {
    const heads = Object.values(realTypes)
      .flatMap(({ families }) => families)
      .map(({ name, help }) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} 1\n`);
    const input = [...new Set(heads)].join('');
    const { status: exit, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect([exit, stdout, stderr]).toEqual([0, '', '']);
  });
});

describe('the memory of a scrape', () => {
  test('serves the next one when it was sent, and never another before', async () => {
    world.probes = [view(probe('web'))];
    const { render } = build();
    const sent = await render('text');
    sent.release();
    const next = await render('text');
    expect(next.body.buffer).toBe(sent.body.buffer);
    const text = next.body.toString();
    const [one, another] = await Promise.all([render('text'), render('text')]);
    expect(one.body.buffer).not.toBe(another.body.buffer);
    expect(next.body.toString()).toBe(text);
  });

  test('grows with the text', async () => {
    const { render, scrape } = build();
    (await render('text')).release();
    world.probes = Array.from({ length: 500 }, (_, index) => view(probe(`probe-${index}`)));
    const states = lines(await scrape(), 'brainstem_probe_state{');
    expect(states).toHaveLength(7 * 500);
    expect(states).toEqual(lines(await build().scrape(), 'brainstem_probe_state{'));
  });
});

test('100,000 series are rendered in slices that let the loop run', async () => {
  const fields = { status: 200, phases: { a: 1, b: 2, c: 3, d: 4, e: 5 } };
  world.probes = Array.from({ length: 5_000 }, (_, index) => view(probe(`probe-${index}`), { fields }));
  const { scrape } = build();
  await scrape();
  let turns = 0;
  const ticker = setInterval(() => {
    turns += 1;
  }, 1);
  const body = await scrape();
  clearInterval(ticker);
  expect(body.split('\n').length).toBeGreaterThan(90_000);
  // Some 40 slices on a fast machine, and more on a slow one: between them the loop has turned.
  expect(turns).toBeGreaterThan(10);
});
