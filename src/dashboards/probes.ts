/** What probes saw: states, latency, reasons. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { VisibilityMode } from '@grafana/grafana-foundation-sdk/common';
import { MappingType, type Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StateTimelineBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { STATE_NAMES, type StateName } from '../model.ts';
import { bars, COLORS, GRID, graph, PROMETHEUS, query, type Shown } from './panels.ts';
import { chosen } from './queries.ts';

const STATE_COLORS: Readonly<Record<StateName, string>> = {
  up: COLORS.good,
  degraded: COLORS.bad,
  down: COLORS.worst,
  unknown: COLORS.odd,
  paused: COLORS.calm,
  maintenance: COLORS.calm,
  unconfigured: COLORS.idle,
};

/** A state as its index in `STATE_NAMES`, because the series of a timeline have numbers. */
const STATE_CODE = STATE_NAMES.map((state, code) => `(brainstem_probe_state{state="${state}"} == 1) * ${code}`).join(
  ' or ',
);

/** A house of thousands of probes has a few rows. */
const TROUBLED = 'max_over_time(brainstem_probe_state{state=~"down|degraded"}[$__range] @ end()) == 1';

const states: Shown = {
  title: 'Probes that were down or degraded in this time',
  description: 'Debounced states, as incidents follow them. Probes that were fine all the time are left out.',
  unit: 'none',
};

const LATENCY = chosen('max by (probe) (probe_duration_seconds)');
const SLOWEST = `topk(20, ${chosen('max by (probe) (avg_over_time(probe_duration_seconds[$__range] @ end()))')})`;

export const probes = (): readonly Builder<Panel>[] => [
  new StateTimelineBuilder()
    .title(states.title)
    .description(states.description)
    .unit(states.unit)
    .datasource(PROMETHEUS)
    .height(GRID.graph.height)
    .span(GRID.width)
    .noValue('Nothing was down or degraded')
    .showValue(VisibilityMode.Never)
    .mappings([{ type: MappingType.ValueToText, options: Object.fromEntries(STATE_NAMES.map(stateText)) }])
    .withTarget(query(`max by (probe) (${STATE_CODE}) and on (probe) (${chosen(TROUBLED)})`).legendFormat('{{probe}}')),
  graph(
    {
      title: 'Latency of the slowest twenty',
      description:
        'How long runs took, of the probes that were the slowest on average. A line that ends has no fresh result.',
      unit: 's',
    },
    { '{{probe}}': `${LATENCY} and on (probe) ${SLOWEST}` },
  ).span(GRID.width / 2),
  bars(
    {
      title: 'Runs that saw something wrong',
      description: 'By reason. One cause behind many probes shows here first: everything that says dns, or timeout.',
      unit: 'none',
    },
    {
      '{{reason}}': `sum by (reason) (${chosen('increase(brainstem_probe_runs_total{reason!="ok"}[$__interval])')}) > 0`,
    },
  ).span(GRID.width / 2),
];

function stateText(state: StateName, code: number) {
  return [code, { text: state, color: STATE_COLORS[state], index: code }] as const;
}
