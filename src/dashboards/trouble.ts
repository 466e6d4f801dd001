/** The top: what is wrong, since when, and whether anything keeps it from being healed or told. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { TableCellDisplayMode, TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common';
import { MappingType, type Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { StateName } from '../model.ts';
import { COLORS, figure, GRID, type Steps, table, toBrainstem } from './panels.ts';
import { CHOSEN, chosen } from './queries.ts';

const fineUntil = (color: string): Steps => [COLORS.good, [1, color]];

export const trouble = (): readonly Builder<Panel>[] => [
  ...verdicts().map((panel, _, { length }) => panel.span(GRID.width / length)),
  whatIsWrong(),
];

const verdicts = () => [
  stateFigure('Down', 'down', 'Probes that failed as often in a row as their fail_after says.', COLORS.worst),
  stateFigure(
    'Degraded',
    'degraded',
    'Probes whose target works, but not as well as their warn conditions ask.',
    COLORS.bad,
  ),
  stateFigure(
    'Unknown',
    'unknown',
    'Probes that have seen nothing yet, or that have a fault of their own. Nothing is healed for them.',
    COLORS.odd,
  ),
  figure(
    {
      title: 'Open incidents',
      description: 'Of every probe, whatever is chosen above: acknowledged, silenced and held ones as well.',
      unit: 'none',
      steps: fineUntil(COLORS.worst),
    },
    'sum(brainstem_incidents_open)',
  ),
  figure(
    {
      title: 'Healing held back',
      description:
        'Reasons for which fixes do not run: a freeze, a mode that is not auto, remediations that were disarmed after too many ' +
        'attempts. `brainstem status` names them; `brainstem unfreeze` and `brainstem arm NAME` undo them.',
      unit: 'none',
      steps: fineUntil(COLORS.bad),
    },
    'sum(brainstem_healing_held)',
    { 0: 'no' },
  ),
  figure(
    {
      title: 'Silenced',
      description: 'Open incidents that a silence keeps from people. `brainstem silence list` says whose.',
      unit: 'none',
      steps: fineUntil(COLORS.odd),
    },
    'sum(brainstem_incidents_silenced)',
  ),
  figure(
    {
      title: 'Sight',
      description:
        'Blind: no vantage probe answers, so the fault may be in our own network. Nothing is judged over it, and nothing is healed.',
      unit: 'none',
      steps: fineUntil(COLORS.worst),
    },
    'max(brainstem_blind)',
    { 0: 'clear', 1: 'blind' },
  ),
  figure(
    {
      title: 'Brainstem',
      description:
        'Whether Prometheus reaches it. While it is gone nothing is watched, and the figures beside this one are missing.',
      unit: 'none',
      steps: [COLORS.worst, [1, COLORS.good]],
    },
    'count(brainstem_build_info) or vector(0)',
    { 0: 'gone', 1: 'running' },
  ).links([toBrainstem('Its own page', '/')]),
];

function stateFigure(title: string, state: StateName, description: string, color: string) {
  const inState = `max by (probe) (brainstem_probe_state{state="${state}"})`;
  return figure({ title, description, unit: 'none', steps: fineUntil(color) }, `sum(${chosen(inState)})`);
}

/** Two daemons may know a probe of the same name: the labels are taken from one of them, else the join would fail. */
const WRONG_FOR = [
  '(time() - max by (probe) (brainstem_probe_state_since_timestamp_seconds))',
  'on (probe) group_right () max by (probe, state) (brainstem_probe_state{state=~"down|degraded|unknown"} == 1)',
  `on (probe) group_left (severity, group, type, instance) topk by (probe) (1, ${CHOSEN})`,
].join(' * ');

function whatIsWrong(): Builder<Panel> {
  const description =
    'Every chosen probe that is not up, the newest trouble first. Its incident on Brainstem’s own page says what was seen and tried.';
  const columns = {
    probe: 'Probe',
    state: 'State',
    Value: 'For',
    severity: 'Severity',
    group: 'Group',
    type: 'Type',
    instance: 'Target',
  };
  return table({ title: 'What is wrong, and for how long', description, unit: 'dtdurations' }, WRONG_FOR, columns)
    .span(GRID.width)
    .noValue('Nothing is down, degraded or unknown')
    .links([toBrainstem('Incidents', '/#incidents')])
    .sortBy([new TableSortByFieldStateBuilder().displayName('For').desc(false)])
    .overrideByName('State', [
      { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.ColorBackground } },
      { id: 'mappings', value: [STATE_COLORS] },
    ]);
}

const STATE_COLORS = {
  type: MappingType.ValueToText,
  options: { down: { color: COLORS.worst }, degraded: { color: COLORS.bad }, unknown: { color: COLORS.odd } },
};
