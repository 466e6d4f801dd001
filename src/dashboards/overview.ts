/** The dashboard of a person on call: what is wrong first, then why, then whether Brainstem itself can be believed. */
import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { daemon } from './daemon.ts';
import { healing } from './healing.ts';
import { incidents } from './incidents.ts';
import { COLORS, PROMETHEUS, toBrainstem } from './panels.ts';
import { probes } from './probes.ts';
import { trouble } from './trouble.ts';

export function overview(): Dashboard {
  const builder = new DashboardBuilder('Brainstem')
    .uid('brainstem-overview')
    .description('What is down and since when, what was tried, who was told, and how Brainstem itself fares.')
    .tags(['brainstem'])
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(toBrainstem('Brainstem', '/'))
    .link(toBrainstem('Incidents', '/#incidents'))
    .annotation(loaded())
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(choice('group', 'Group', 'label_values(brainstem_probe_info, group)'))
    .withVariable(choice('probe', 'Probe', 'label_values(brainstem_probe_info{group=~"$group"}, probe)'))
    .withVariable(
      new TextBoxVariableBuilder('brainstem')
        .label('Brainstem’s address')
        .description('`http.public_url` of brainstem.yml, for the links')
        .defaultValue('http://127.0.0.1:9911'),
    );
  for (const panel of trouble()) builder.withPanel(panel);
  for (const [title, panels] of Object.entries(ROWS)) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels()) builder.withPanel(panel);
  }
  return numbered(builder.build());
}

const ROWS = { Probes: probes, 'Incidents and notifications': incidents, Healing: healing, 'Brainstem itself': daemon };

function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(PROMETHEUS)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ text: ['All'], value: ['$__all'] });
}

/** Where a graph bends, the first question is what was changed. A start is a load as well. */
function loaded(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name('Configuration loaded')
    .datasource(PROMETHEUS)
    .enable(true)
    .iconColor(COLORS.calm)
    .expr('max(brainstem_config_last_reload_success_timestamp_seconds) * 1000')
    .useValueForTime(true)
    .titleFormat('Configuration loaded');
}

/** Grafana wants ids, which the builders do not give. */
function numbered(dashboard: Dashboard): Dashboard {
  return { ...dashboard, panels: dashboard.panels?.map((panel, index) => ({ ...panel, id: index + 1 })) ?? [] };
}
