/** The daemon itself: whether what it says can be believed. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { bars, COLORS, figure, graph, type Steps } from './panels.ts';
import { own, quantile, risen } from './queries.ts';

const LAG = 'brainstem_event_loop_lag_seconds';
const DELAY = 'brainstem_probe_schedule_delay_seconds';
const YES_OR_NO: Steps = [COLORS.worst, [1, COLORS.good]];

export const daemon = (): readonly Builder<Panel>[] => [...condition(), ...pace(), ...footprint(), ...losses()];

/** Whether it works at all, in a word or a number each. */
const condition = (): readonly Builder<Panel>[] => [
  figure(
    {
      title: 'Store',
      description: 'While it does not answer nothing is healed, and results wait in memory.',
      unit: 'none',
      steps: YES_OR_NO,
    },
    'min(brainstem_store_up)',
    { 0: 'away', 1: 'answers' },
  ),
  figure(
    {
      title: 'Configuration',
      description:
        'Broken files change nothing: the configuration before them goes on. `brainstem validate` names file, line and column.',
      unit: 'none',
      steps: YES_OR_NO,
    },
    'min(brainstem_config_last_reload_successful)',
    { 0: 'broken files', 1: 'as in its files' },
  ),
  figure(
    { title: 'Configuration loaded', description: 'When what runs now was read.', unit: 'dateTimeFromNow' },
    'max(brainstem_config_last_reload_success_timestamp_seconds) * 1000',
  ),
  figure(
    {
      title: 'Running for',
      description: 'Since the process started. A small figure that stays small is a crash loop.',
      unit: 'dtdurations',
    },
    `time() - max(${own('process_start_time_seconds')})`,
  ),
  figure(
    {
      title: 'Stood still',
      description:
        'How long the whole process was stopped in the time that is shown: a paused machine, a full swap. What ran then is not judged.',
      unit: 's',
      steps: [COLORS.good, [1, COLORS.odd], [60, COLORS.bad]],
    },
    'sum(increase(brainstem_process_paused_seconds_total[$__range]))',
  ),
  figure(
    {
      title: 'Results lost',
      description:
        'Results that did not fit into memory while the store was away, or that it did not take, in the time that is shown.',
      unit: 'none',
      steps: [COLORS.good, [1, COLORS.worst]],
    },
    'sum(increase(brainstem_store_dropped_results_total[$__range]))',
  ).decimals(0),
];

/** Whether it keeps up. */
const pace = (): readonly Builder<Panel>[] => [
  graph(
    {
      title: 'Event loop lag',
      description: 'How late its timers ran. Above a second what probes see is suspect: their own latency is in it.',
      unit: 's',
      steps: [COLORS.good, [1, COLORS.worst]],
    },
    { median: quantile(0.5, LAG, '$__rate_interval'), p99: quantile(0.99, LAG, '$__rate_interval') },
  ),
  graph(
    {
      title: 'Schedule delay',
      description: 'How late probes started. It grows when there is more to do than the machine can.',
      unit: 's',
      steps: [COLORS.good, [1, COLORS.worst]],
    },
    { median: quantile(0.5, DELAY, '$__rate_interval'), p99: quantile(0.99, DELAY, '$__rate_interval') },
  ),
  graph(
    {
      title: 'Runs',
      description: 'Runs of probes each second, and runs left out because the one before had not ended.',
      unit: 'suffix:/s',
    },
    {
      runs: 'sum(rate(brainstem_probe_runs_total[$__rate_interval]))',
      'left out': 'sum(rate(brainstem_probe_overruns_total[$__rate_interval]))',
    },
  ),
];

/** What it takes of the machine. */
const footprint = (): readonly Builder<Panel>[] => [
  graph(
    {
      title: 'Memory',
      description: 'Resident, and JavaScript objects. A line that only rises over days is a leak: tell us.',
      unit: 'bytes',
      steps: [COLORS.good, [512 * 2 ** 20, COLORS.bad]],
    },
    { resident: own('process_resident_memory_bytes'), heap: own('nodejs_heap_size_used_bytes') },
  ),
  graph(
    {
      title: 'CPU',
      description: 'Share of one core.',
      unit: 'percentunit',
      steps: [COLORS.good, [0.8, COLORS.bad]],
    },
    { cpu: own('rate(process_cpu_seconds_total[$__rate_interval])') },
  ),
  graph(
    { title: 'Size of the store', description: 'It stays below `history.max_bytes` of brainstem.yml.', unit: 'bytes' },
    { size: 'max(brainstem_store_used_bytes)' },
  ),
];

/** What may be missed. */
const losses = (): readonly Builder<Panel>[] => [
  graph(
    {
      title: 'Results that wait for the store',
      description: 'They rise while it is away or slow, and are lost when the buffer is full.',
      unit: 'none',
    },
    { results: 'max(brainstem_store_buffered_results)' },
  ),
  bars(
    {
      title: 'Watchdog',
      description:
        'Pings that were due. withheld: probes, store or notifiers did not work, and the watchdog is to raise the alarm.',
      unit: 'none',
    },
    { '{{outcome}}': risen('brainstem_watchdog_pings_total', 'outcome') },
    { sent: COLORS.good, failed: COLORS.bad, withheld: COLORS.worst },
  ),
  graph(
    {
      title: 'Left out',
      description:
        'Series of scrapes, by the cap on items of one probe: an export has too many. Lines of the log, while Papertrail is away.',
      unit: 'suffix:/s',
    },
    {
      series: 'sum(rate(brainstem_series_dropped_total[$__rate_interval]))',
      'log lines': 'sum(rate(brainstem_log_lines_dropped_total[$__rate_interval]))',
    },
  ),
];
