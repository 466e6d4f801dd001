/** Runs of remediations, as a table on both pages. */

import { type Html, html } from '../html.ts';
import type { Attempt } from '../model.ts';
import { ago, duration } from './page-frame.ts';

export function attemptTable(
  attempts: readonly Attempt[],
  { now, redact }: { readonly now: number; readonly redact: (text: string) => string },
): Html {
  return html`<table class="attempts">
<thead><tr><th scope="col">Outcome</th><th scope="col">Fix</th><th scope="col">For</th><th scope="col">Asked by</th><th scope="col" class="number">Took</th><th scope="col" class="number">When</th></tr></thead>
<tbody>
${attempts.map((attempt) => row(attempt, now, redact))}</tbody></table>`;
}

function row(attempt: Attempt, now: number, redact: (text: string) => string): Html {
  const { state, remediation, probe, incidentId, requestedBy, intendedAt, endedAt, error } = attempt;
  return html`<tr>
<td><span class="outcome ${state}">${state}${attempt.refusal !== undefined && ` (${attempt.refusal})`}</span></td>
<th scope="row">${remediation}<span class="where">${redact(attempt.resource)}</span>${error !== undefined && html`<span class="where">${redact(error)}</span>`}</th>
<td data-label="For">${incidentId === undefined ? probe : html`<a href="/incidents/${incidentId}">${probe}</a>`}</td>
<td data-label="Asked by">${requestedBy}</td>
<td data-label="Took" class="number">${endedAt === undefined ? '…' : duration(endedAt - intendedAt)}</td>
<td data-label="When" class="number">${ago(intendedAt, now, ' ago')}</td>
</tr>
`;
}
