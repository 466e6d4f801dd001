/** Incidents, and who was told of them. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { bars, COLORS, colored, figures, graph, table } from './panels.ts';
import { quantile, risen } from './queries.ts';

const SEVERITY_COLORS = { critical: COLORS.worst, warning: COLORS.bad, info: COLORS.calm };
const DETECT = 'brainstem_time_to_detect_seconds';
const RECOVER = 'brainstem_time_to_recover_seconds';

export const incidents = (): readonly Builder<Panel>[] => [
  colored(
    graph(
      {
        title: 'Open incidents',
        description: 'By severity, and how many of them a silence keeps from people.',
        unit: 'none',
      },
      {
        '{{severity}}': 'sum by (severity) (brainstem_incidents_open)',
        silenced: 'sum(brainstem_incidents_silenced)',
      },
    ).decimals(0),
    { ...SEVERITY_COLORS, silenced: COLORS.idle },
  ),
  bars(
    {
      title: 'Incidents opened',
      description: 'By what the probe saw. Many at once with one reason have one cause.',
      unit: 'none',
    },
    { '{{reason}}': `${risen('brainstem_incidents_total', 'reason')} > 0` },
  ),
  figures(
    {
      title: 'How long it took',
      description:
        'In the time that is shown: from the first failing run to the incident, and from there to its end. Too slow to detect: a ' +
        'lower fail_after or a retry_every. Too slow to recover: see which fixes fail.',
      unit: 's',
    },
    {
      'detect, median': quantile(0.5, DETECT, '$__range'),
      'detect, p95': quantile(0.95, DETECT, '$__range'),
      'recover, median': quantile(0.5, RECOVER, '$__range'),
      'recover, p95': quantile(0.95, RECOVER, '$__range'),
    },
  ),
  table(
    {
      title: 'Incidents ended, by what healed them',
      description: 'In the time that is shown. none: they ended by themselves, or a person ended them.',
      unit: 'none',
    },
    `sum by (healed_by) (increase(${RECOVER}_count[$__range])) > 0`,
    { healed_by: 'Healed by', Value: 'Incidents' },
  ).decimals(0),
  bars(
    {
      title: 'Notifications',
      description: 'retried: a channel did not take it, and is asked again. digested: it went into a digest.',
      unit: 'none',
    },
    { '{{notifier}} {{outcome}}': `${risen('brainstem_notifications_total', 'notifier, outcome')} > 0` },
  ),
  graph(
    {
      title: 'Notifications that wait',
      description:
        'For delivery. More than none for minutes: the channel is away; `brainstem notify --test NAME` says why.',
      unit: 'none',
      steps: [COLORS.good, [1, COLORS.bad]],
    },
    { '{{notifier}}': 'max by (notifier) (brainstem_notification_queue)' },
  ),
];
