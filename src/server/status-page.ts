/** The page of a person who wants to know: is everything up, what is wrong since when, and what is being done. */

import { type Html, html, type Part } from '../html.ts';
import { type Attempt, type Incident, type Problem, SEVERITIES, type Silence } from '../model.ts';
import type { Disarmed, Freeze, ProbeView } from '../ports.ts';
import { counted, listed } from '../words.ts';
import { attemptTable } from './attempt-table.ts';
import { problemLines } from './json.ts';
import { ago, moment, page, section, severityMark } from './page-frame.ts';
import { probeGroups } from './probe-groups.ts';

export interface StatusView {
  readonly now: number;
  readonly version: string;
  readonly probes: readonly ProbeView[];
  readonly incidents: readonly Incident[];
  /** Those that last or are to come. */
  readonly silences: readonly Silence[];
  silencedBy(incident: Incident): Silence | undefined;
  /** Newest first; undefined: the store did not answer. */
  readonly attempts: readonly Attempt[] | undefined;
  readonly active: readonly Attempt[];
  readonly frozen: Freeze | undefined;
  readonly disarmed: readonly Disarmed[];
  readonly problems: readonly Problem[];
  readonly redact: (text: string) => string;
}

export function statusPage(view: StatusView): string {
  const { text, trouble } = headline(view);
  return page(
    { title: `${text} · Brainstem`, icon: trouble ? 'trouble' : 'fine', refresh: true, ...view },
    html`<h1 class="${trouble ? 'trouble' : 'fine'}">${text}</h1>
<p class="lead">${lead(view)}</p>
${banners(view)}${view.incidents.length > 0 && section('incidents', 'Open incidents', incidentList(view))}${probeGroups(view)}${heals(view)}`,
  );
}

function headline({ probes, incidents }: StatusView): { readonly text: string; readonly trouble: boolean } {
  const count = (state: string) => probes.filter((probe) => probe.state.state === state).length;
  const wrong = (['down', 'degraded', 'unknown'] as const).filter((state) => count(state) > 0);
  if (wrong.length > 0) {
    return { text: `${listed(wrong.map((state) => `${count(state)} ${state}`))}.`, trouble: true };
  }
  if (incidents.length > 0) return { text: `${counted(incidents.length, 'open incident')}.`, trouble: true };
  if (count('up') === 0) return { text: 'Nothing is watched yet.', trouble: false };
  return { text: 'Everything is up.', trouble: false };
}

function lead({ probes, active, now }: StatusView): Part {
  const configured = probes.filter(({ state }) => state.state !== 'unconfigured' && state.state !== 'paused');
  const latest = Math.max(...probes.map(({ last }) => last?.observation.startedAt ?? 0), 0);
  return [
    html`${counted(configured.length, 'probe')} watching`,
    latest > 0 && html`, the latest ran ${ago(latest, now, ' ago')}`,
    active.length > 0 && html`; <strong>${counted(active.length, 'fix', 'fixes')} under way</strong>`,
    '.',
  ];
}

function banners({ frozen, problems, disarmed, silences, now, redact }: StatusView): Part {
  return [
    frozen !== undefined &&
      html`<div class="banner" role="status"><strong>Healing is frozen.</strong> By ${frozen.by}, ${ago(frozen.at, now, ' ago')}${frozen.why !== '' && `: ${redact(frozen.why)}`}. Let it go on with <code>brainstem unfreeze</code>.</div>\n`,
    problems.length > 0 &&
      html`<div class="banner bad" role="status"><strong>The last reload was refused;</strong> the configuration before it is running.<pre>${redact(problemLines(problems.slice(0, 20)))}</pre></div>\n`,
    disarmed.map(
      ({ remediation, why, at }) =>
        html`<div class="banner" role="status"><strong>${remediation} has disarmed itself</strong> ${ago(at, now, ' ago')}: ${redact(why)}. Look first, then <code>brainstem arm ${remediation}</code>.</div>\n`,
    ),
    silences.map(
      ({ id, matchers, author, comment, startsAt, endsAt }) =>
        html`<div class="banner" role="status"><strong>${startsAt > now ? 'To be silent' : 'Silent'} about</strong> <code>${redact(matchers.join(', '))}</code> ${startsAt > now && ['from ', moment(startsAt)]} until ${moment(endsAt)}, by ${author}: ${redact(comment)}. End it with <code>brainstem silence expire ${id}</code>.</div>\n`,
    ),
  ];
}

/** The worst first and then the oldest; each root with the incidents that it caused. */
function incidentList(view: StatusView): Html {
  const open = new Set(view.incidents.map(({ id }) => id));
  const roots = view.incidents
    .filter(({ parentId }) => parentId === undefined || !open.has(parentId))
    .sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) || a.activeAt - b.activeAt);
  return html`<ol class="incidents">
${roots.map((root) => incidentItem(root, view))}</ol>`;
}

function incidentItem(incident: Incident, view: StatusView): Html {
  const children = view.incidents.filter(({ parentId }) => parentId === incident.id);
  return html`<li class="${incident.severity}">
<p class="what"><a href="/incidents/${incident.id}">${view.redact(incident.title)}</a> ${severityMark(incident.severity)}</p>
<p class="why">${view.redact(incident.cause)}</p>
<p class="note">${incidentNotes(incident, view)}</p>
${children.length > 0 && html`<p class="note">Because of it: ${children.map((child, index) => html`${index > 0 && ', '}<a href="/incidents/${child.id}">${view.redact(child.title)}</a>`)}</p>`}</li>
`;
}

function incidentNotes(incident: Incident, { active, silencedBy, now }: StatusView): Part {
  const silence = silencedBy(incident);
  const fix = active.find(({ incidentId }) => incidentId === incident.id);
  return [
    html`for ${ago(incident.activeAt, now)}`,
    incident.reopened > 0 && ` · reopened ${incident.reopened}×`,
    fix !== undefined && html` · <strong>${fix.remediation}: ${fix.state}</strong>`,
    fix === undefined && incident.exhausted && ' · nothing more is tried by itself',
    incident.acknowledgedBy !== undefined && ` · acknowledged by ${incident.acknowledgedBy}`,
    silence && html` · silenced until ${moment(silence.endsAt)}`,
    incident.holdUntil !== undefined && incident.holdUntil > now && ' · the page is held while a fix is tried',
  ];
}

function heals(view: StatusView): Part {
  if (view.attempts === undefined)
    return section('heals', 'Fixes', html`<p class="note">The store does not answer.</p>`);
  if (view.attempts.length === 0) return undefined;
  return section('heals', 'Fixes', attemptTable(view.attempts, view));
}
