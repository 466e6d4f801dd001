/** The kinds of panel that our dashboards are made of, with what all panels of a kind have in common. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueGraphMode,
  type DataSourceRef,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type DashboardLink,
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  MappingType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMap,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** Six figures or three graphs fill the width of the grid. */
export const GRID = { width: 24, figure: { width: 4, height: 4 }, graph: { width: 8, height: 8 } } as const;

export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Grafana's own names, so that both of its themes show them well. */
export const COLORS = {
  good: 'green',
  odd: 'yellow',
  bad: 'orange',
  worst: 'red',
  calm: 'blue',
  idle: 'text',
} as const;

/** From the value at which it begins; the first one holds from below. */
export type Steps = readonly [color: string, ...(readonly [from: number, color: string])[]];

export interface Shown {
  readonly title: string;
  /** What it says, and what to do about it. */
  readonly description: string;
  readonly unit: string;
  readonly steps?: Steps;
}

/** Expression by what it is called. */
export type Lines = Readonly<Record<string, string>>;

/** One figure, as of now. */
export function figure(shown: Shown, expression: string, texts: Readonly<Record<string, string>> = {}): StatBuilder {
  const panel = new StatBuilder()
    .title(shown.title)
    .description(shown.description)
    .unit(shown.unit)
    .datasource(PROMETHEUS)
    .thresholds(thresholds(shown.steps ?? [COLORS.idle]))
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .span(GRID.figure.width)
    .height(GRID.figure.height)
    .withTarget(query(expression).instant());
  return Object.keys(texts).length === 0 ? panel : panel.mappings([textsOf(texts)]);
}

/** Figures beside one another, as of now. A name may hold `{{label}}`. */
export function figures(shown: Shown, lines: Lines): StatBuilder {
  return figure(shown, '')
    .span(GRID.graph.width)
    .height(GRID.graph.height)
    .targets(queries(lines).map((target) => target.instant()));
}

/** Lines over time. A name may hold `{{label}}`. With `steps` the bounds are drawn. */
export function graph(shown: Shown, lines: Lines): TimeseriesBuilder {
  const panel = new TimeseriesBuilder()
    .title(shown.title)
    .description(shown.description)
    .unit(shown.unit)
    .datasource(PROMETHEUS)
    .min(0)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .span(GRID.graph.width)
    .height(GRID.graph.height)
    .targets(queries(lines));
  if (shown.steps === undefined) return panel;
  return panel
    .thresholds(thresholds(shown.steps))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
}

/** What was counted from one bar to the next. A bar is long enough for two scrapes that are a minute apart. */
export function bars(shown: Shown, lines: Lines, colors: Readonly<Record<string, string>> = {}): TimeseriesBuilder {
  const panel = graph(shown, lines)
    .drawStyle(GraphDrawStyle.Bars)
    .fillOpacity(80)
    .lineWidth(0)
    .decimals(0)
    .interval('2m')
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  return colored(panel, colors);
}

/** Gives series their color by name. */
export function colored(panel: TimeseriesBuilder, colors: Readonly<Record<string, string>>): TimeseriesBuilder {
  for (const [name, color] of Object.entries(colors)) {
    const fixed = new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(color).build();
    panel.overrideByName(name, [{ id: 'color', value: fixed }]);
  }
  return panel;
}

/** A row for each series, as of now: its labels and its value, called as `columns` says and in that order; the others are hidden. */
export function table(shown: Shown, expression: string, columns: Readonly<Record<string, string>>): TableBuilder {
  return new TableBuilder()
    .title(shown.title)
    .description(shown.description)
    .unit(shown.unit)
    .datasource(PROMETHEUS)
    .span(GRID.graph.width)
    .height(GRID.graph.height)
    .withTarget(query(expression).instant().format(PromQueryFormat.Table))
    .withTransformation({ id: 'filterFieldsByName', options: { include: { names: Object.keys(columns) } } })
    .withTransformation({
      id: 'organize',
      options: {
        renameByName: columns,
        indexByName: Object.fromEntries(Object.keys(columns).map((name, index) => [name, index])),
      },
    });
}

function queries(lines: Lines): DataqueryBuilder[] {
  return Object.entries(lines).map(([name, expression], index) => query(expression, index).legendFormat(name));
}

/** Queries of one panel are A, B, C …: `index` says which this is. */
export function query(expression: string, index = 0): DataqueryBuilder {
  return new DataqueryBuilder()
    .refId(String.fromCharCode(65 + index))
    .datasource(PROMETHEUS)
    .expr(expression);
}

function thresholds([first, ...others]: Steps): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...others.map(([value, color]) => ({ value, color }))]);
}

/** Words in place of values. */
function textsOf(texts: Readonly<Record<string, string>>): ValueMap {
  return {
    type: MappingType.ValueToText,
    options: Object.fromEntries(Object.entries(texts).map(([value, text], index) => [value, { text, index }])),
  };
}

/** A link to a path of Brainstem's own page; it stands in plain sight, not in the menu where the builder puts it. */
export function toBrainstem(title: string, path: string): Builder<DashboardLink> {
  const { placement: _, ...link } = new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .icon('external link')
    .tooltip('What was seen, what was tried, and what people said')
    .url(`\${brainstem:raw}${path}`)
    .targetBlank(true)
    .build();
  return { build: () => link };
}
