/** Each rule of `prometheus.rules.yml`, evaluated by promtool over series that are fine first and then are not. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { parse } from 'yaml';

const RULES = resolve(import.meta.dirname, '../../prometheus.rules.yml');

interface Course {
  /** Values a minute apart, in promtool's notation: `0x5 1x20` is six zeros and then twenty ones and one more. */
  readonly series: Readonly<Record<string, string>>;
  /** Still fine, or not wrong for long enough. */
  readonly quietAt: string;
  readonly firesAt: string;
}

const course = (series: string, values: string, quietAt: string, firesAt: string): Course => ({
  series: { [series]: values },
  quietAt,
  firesAt,
});

/** Pings are sent for five minutes, and then are not. */
const watchdog = (outcome: string): Course => ({
  series: {
    'brainstem_watchdog_pings_total{outcome="sent"}': '0+1x5 5x30',
    [`brainstem_watchdog_pings_total{outcome="${outcome}"}`]: '0x5 1+1x30',
  },
  quietAt: '19m',
  firesAt: '22m',
});

const COURSES: Readonly<Record<string, Course>> = {
  BrainstemGone: course('up{job="brainstem"}', '1x5 0x10', '6m30s', '8m'),
  BrainstemWithoutBrain: course('brainstem_brain', '1x5 0x10', '6m30s', '8m'),
  BrainstemProbesNothing: course('brainstem_probe_runs_total{probe="web",reason="ok"}', '0+60x10 600x30', '19m', '22m'),
  ProbeDown: course('brainstem_probe_state{probe="web",state="down"}', '0x5 1x20', '10m', '12m'),
  ProbeUnknown: course('brainstem_probe_state{probe="web",state="unknown"}', '0x5 1x30', '20m', '22m'),
  // Ends an hour after seven days from the beginning.
  CertificateExpires: course('probe_ssl_earliest_cert_expiry{instance="web"}', '608400x200', '115m', '125m'),
  HealingHeld: course('brainstem_healing_held{reason="frozen"}', '0x5 1x90', '60m', '70m'),
  RemediationFails: course(
    'brainstem_remediation_attempts_total{remediation="restart",outcome="failed"}',
    '0x5 1 2 3 4x60',
    '6m',
    '10m',
  ),
  NotificationsStuck: course('brainstem_notification_queue{notifier="bus"}', '0x2 1x30', '12m', '14m'),
  WatchdogWithheld: watchdog('withheld'),
  WatchdogUnreached: watchdog('failed'),
  // Of the last hour three minutes are less than 14.4 times what 99.5 % allow, and five are more.
  SloBurnsFast: {
    series: {
      'probe_success{probe="web",instance="http://web/"}': '1x60 0x30',
      'brainstem_probe_slo_objective_ratio{probe="web",instance="127.0.0.1:9911"}': '0.995x90',
    },
    quietAt: '63m30s',
    firesAt: '67m',
  },
  ConfigurationNotLoaded: course('brainstem_config_last_reload_successful', '1x5 0x20', '10m', '12m'),
  BrainstemBlind: course('brainstem_blind', '0x5 1x10', '7m30s', '9m'),
  BrainstemStoreAway: course('brainstem_store_up', '1x5 0x20', '6m30s', '8m'),
  ResultsLost: course('brainstem_store_dropped_results_total', '0x5 1x10', '5m', '7m'),
  LogLinesDropped: course('brainstem_log_lines_dropped_total', '0x5 1x10', '5m', '7m'),
  BrainstemLate: {
    series: {
      'brainstem_event_loop_lag_seconds_bucket{le="1"}': '0+10x10 100x20',
      'brainstem_event_loop_lag_seconds_bucket{le="2.5"}': '0+10x30',
      'brainstem_event_loop_lag_seconds_bucket{le="+Inf"}': '0+10x30',
    },
    quietAt: '10m',
    firesAt: '17m',
  },
};

const folder = mkdtempSync(join(tmpdir(), 'brainstem-rules-'));

afterAll(() => rmSync(folder, { recursive: true }));

it('every rule has a course here', () => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: { alert: string }[] }[] };
  const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  expect(Object.keys(COURSES).sort()).toEqual(alerts.sort());
});

it.each(Object.entries(COURSES))('%s fires when it must, and not before', (alert, { series, quietAt, firesAt }) => {
  const firing = (at: string, samples: readonly object[]) => ({
    expr: `count by (alertname) (ALERTS{alertstate="firing",alertname="${alert}"})`,
    eval_time: at,
    exp_samples: samples,
  });
  const suite = {
    rule_files: [RULES],
    evaluation_interval: '15s',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [firing(quietAt, []), firing(firesAt, [{ labels: `{alertname="${alert}"}`, value: 1 }])],
      },
    ],
  };
  const file = join(folder, `${alert}.json`);
  writeFileSync(file, JSON.stringify(suite));
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  expect({ status, said: `${stdout}${stderr}` }).toMatchObject({ status: 0, said: expect.stringContaining('SUCCESS') });
});
