/** The probes by group: those with trouble first, unconfigured ones folded away. */

import { type Html, html, type Part } from '../html.ts';
import { STATE_NAMES, type StateName } from '../model.ts';
import type { ProbeView } from '../ports.ts';
import { ago, duration, section, stateMark } from './page-frame.ts';

interface GroupsView {
  readonly now: number;
  readonly probes: readonly ProbeView[];
  readonly redact: (text: string) => string;
}

/** Of one group. A page of thousands of rows would help nobody, and hold up the probes while it is made. */
const ROWS_SHOWN = 100;

/** What needs eyes first. */
const URGENCY: readonly StateName[] = ['down', 'degraded', 'unknown'];

export function probeGroups(view: GroupsView): Part {
  const groups = new Map<string, ProbeView[]>();
  for (const probe of view.probes.filter(({ state }) => state.state !== 'unconfigured')) {
    const group = probe.probe.group;
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [probe]);
    else members.push(probe);
  }
  const sorted = [...groups].sort(([left, a], [right, b]) => most(a) - most(b) || left.localeCompare(right));
  return [
    sorted.map(([name, probes], index) => section(`group-${index}`, name, groupTable(probes, view))),
    unconfigured(view.probes.filter(({ state }) => state.state === 'unconfigured')),
  ];
}

function urgency({ state }: ProbeView): number {
  const index = URGENCY.indexOf(state.state);
  return index === -1 ? STATE_NAMES.length : index;
}

function most(probes: readonly ProbeView[]): number {
  return Math.min(...probes.map(urgency));
}

function groupTable(probes: readonly ProbeView[], view: GroupsView): Html {
  const sorted = probes.toSorted((a, b) => urgency(a) - urgency(b) || (a.probe.name < b.probe.name ? -1 : 1));
  return html`<table class="probes">
<thead><tr><th scope="col">State</th><th scope="col">Probe</th><th scope="col">Last seen</th><th scope="col" class="number">For</th><th scope="col" class="number">Ran</th><th scope="col" class="number">Latency</th></tr></thead>
<tbody>
${sorted.slice(0, ROWS_SHOWN).map((probe) => probeRow(probe, view))}</tbody></table>${rest(sorted.slice(ROWS_SHOWN))}`;
}

function rest(probes: readonly ProbeView[]): Part {
  if (probes.length === 0) return undefined;
  const counts = STATE_NAMES.map((name) => [probes.filter(({ state }) => state.state === name).length, name] as const);
  const told = counts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`);
  return html`\n<p class="note">And ${probes.length} more: ${told.join(', ')}. <code>brainstem status</code> lists them all.</p>`;
}

function probeRow(view: ProbeView, { now, redact }: GroupsView): Html {
  const { probe, state, last, stale } = view;
  return html`<tr class="${state.state}">
<td>${stateMark(state.state)}</td>
<th scope="row">${titleOf(probe.title)}<span class="where">${redact(probe.target)}</span></th>
<td data-label="Last seen" class="seen">${seen(view, redact)}${stale && html` <span class="stale">out of date</span>`}</td>
<td data-label="For" class="number">${ago(state.since, now)}</td>
<td data-label="Ran" class="number">${last === undefined ? '–' : ago(last.observation.startedAt, now, ' ago')}</td>
<td data-label="Latency" class="number">${last === undefined ? '–' : duration(last.observation.latencyMs)}</td>
</tr>
`;
}

/** An item of many goes to a line of its own before it is broken in two: `shop[branch-00.example.org]`. */
function titleOf(title: string): Part {
  const [, name, item] = /^([^[\]]+)(\[[^[\]]+\])$/.exec(title) ?? [];
  return item === undefined ? title : html`${name}<span class="item">${item}</span>`;
}

function seen({ last, probe }: ProbeView, redact: (text: string) => string): Part {
  if (last === undefined) return probe.paused ? '–' : 'not run yet';
  const { kind, reason, summary } = last.verdict;
  if (kind === 'pass') return 'ok';
  return html`<b>${reason}</b>${summary !== '' && html` <span class="summary">${redact(summary)}</span>`}`;
}

function unconfigured(probes: readonly ProbeView[]): Part {
  if (probes.length === 0) return undefined;
  const variables = (names: readonly string[]) =>
    names.map((name, index) => html`${index > 0 && ', '}<code>${name}</code>`);
  return html`<details class="unconfigured"><summary>${probes.length} more wait to be configured</summary>
<ul>${probes.map(({ probe }) => html`<li>${probe.title} <span class="where">${probe.unset.length > 0 && html`set ${variables(probe.unset)}`}</span></li>\n`)}</ul></details>
`;
}
