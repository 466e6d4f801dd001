/** One incident, told from its opening to its end. */

import { type Html, html, type Part } from '../html.ts';
import type { Attempt, Incident, Notification, Silence, TimelineEntry } from '../model.ts';
import { attemptTable } from './attempt-table.ts';
import { ago, duration, moment, page, section, severityMark } from './page-frame.ts';

export interface IncidentView {
  readonly now: number;
  readonly version: string;
  readonly incident: Incident;
  /** Keeps it from people now. */
  readonly silence: Silence | undefined;
  readonly timeline: readonly TimelineEntry[];
  readonly attempts: readonly Attempt[];
  readonly notifications: readonly Notification[];
  readonly redact: (text: string) => string;
}

export function incidentPage(view: IncidentView): string {
  const { incident, attempts, notifications, redact } = view;
  const open = incident.resolvedAt === undefined;
  return page(
    { title: `${redact(incident.title)} · Brainstem`, icon: open ? 'trouble' : 'fine', refresh: open, ...view },
    html`<p class="crumb"><a href="/">All probes</a> › Incident ${incident.id}</p>
<h1 class="${open ? 'trouble' : 'fine'}">${redact(incident.title)}</h1>
<p class="lead">${redact(incident.cause)}</p>
${facts(view)}${section('timeline', 'What happened', story(view))}${attempts.length > 0 && section('fixes', 'Fixes', [attemptTable(attempts, view), attempts.map((attempt) => output(attempt, redact))])}${notifications.length > 0 && section('messages', 'Messages', messages(view))}`,
  );
}

function facts({ incident, silence, now }: IncidentView): Html {
  const { resolvedAt, resolution, activeAt } = incident;
  const rows: readonly (readonly [string, Part])[] = [
    ['Severity', severityMark(incident.severity)],
    ['Reason', html`<code>${incident.reason}</code>`],
    ['Subject', `${incident.subject}${incident.source === 'probe' ? '' : ` (${incident.source})`}`],
    ['Opened', ago(incident.openedAt, now, ' ago')],
    [resolvedAt === undefined ? 'Open for' : 'Lasted', duration((resolvedAt ?? now) - activeAt)],
    [
      'Ended',
      resolvedAt !== undefined && [ago(resolvedAt, now, ' ago'), resolution && `, ${resolution.replaceAll('_', ' ')}`],
    ],
    ['Healed by', incident.healedBy],
    ['Acknowledged by', incident.acknowledgedBy],
    ['Silenced', silence && [`by ${silence.author}, until `, moment(silence.endsAt)]],
    [
      'Caused by',
      incident.parentId !== undefined &&
        html`<a href="/incidents/${incident.parentId}">incident ${incident.parentId}</a>`,
    ],
    ['Reopened', incident.reopened > 0 && `${incident.reopened}×`],
  ];
  const present = rows.filter(([, value]) => value !== undefined && value !== false);
  return html`<dl class="facts">${present.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>\n`)}</dl>
`;
}

function story({ timeline, redact }: IncidentView): Html {
  return html`<ol class="story">
${timeline.map(
  ({ at, kind, text, actor }) => html`<li>${moment(at)}
<div><p><b>${kind.replaceAll('_', ' ')}</b>${actor !== 'brainstem' && html` <span class="by">${actor}</span>`}</p>${body(redact(text))}</div></li>
`,
)}</ol>`;
}

/** A line as a paragraph, several lines as they were printed. */
function body(text: string): Part {
  if (text === '') return undefined;
  return text.includes('\n') ? html`<pre tabindex="0">${text}</pre>` : html`<p>${text}</p>`;
}

function output({ id, remediation, output: printed }: Attempt, redact: (text: string) => string): Part {
  if (printed === undefined || printed === '') return undefined;
  return html`<details><summary>Output of ${remediation} (attempt ${id})</summary><pre tabindex="0">${redact(printed)}</pre></details>\n`;
}

function messages({ notifications, now, redact }: IncidentView): Html {
  return html`<table class="messages">
<thead><tr><th scope="col">State</th><th scope="col">Message</th><th scope="col">Notifier</th><th scope="col" class="number">Tries</th><th scope="col" class="number">When</th></tr></thead>
<tbody>${notifications.map(
    ({ alert, notifier, state, tries, createdAt, sentAt, lastError }) => html`<tr>
<td>${state}</td><th scope="row">${alert.kind.replaceAll('_', ' ')}${lastError !== undefined && state !== 'sent' && html`<span class="where">${redact(lastError)}</span>`}</th><td data-label="Notifier">${notifier}</td><td data-label="Tries" class="number">${tries}</td><td data-label="When" class="number">${ago(sentAt ?? createdAt, now, ' ago')}</td></tr>
`,
  )}</tbody></table>`;
}
