/** What both pages share: the frame, states with their marks, and times. */

import { type Html, html, type Part, toText } from '../html.ts';
import type { Severity, StateName } from '../model.ts';
import { formatDuration } from '../units.ts';
import { isoTime } from './json.ts';
import { STYLE_PATH } from './style.ts';

export interface Frame {
  readonly title: string;
  readonly icon: 'fine' | 'trouble';
  /** Loads itself again every ten seconds. */
  readonly refresh: boolean;
  readonly version: string;
  readonly now: number;
}

export function page(frame: Frame, main: Html): string {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${frame.refresh && html`<meta http-equiv="refresh" content="10">\n`}<title>${frame.title}</title>
<link rel="icon" type="image/svg+xml" href="/assets/icon-${frame.icon}.svg">
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="masthead"><a class="wordmark" href="/">Brainstem</a>
<p class="clock"><time datetime="${isoTime(frame.now)}">${clockText(frame.now)}</time></p></header>
<main id="main">
${main}
</main>
<footer><p>Brainstem ${frame.version}</p>
<nav aria-label="Machine-readable"><a href="/metrics">Metrics</a> <a href="/api/v1/status">Status</a> <a href="/api/v1/openapi.json">API</a></nav></footer>
</body>
</html>
`;
  return toText(document);
}

/** Told apart by shape and word, not by colour alone. */
const MARKS: Readonly<Record<StateName, string>> = {
  up: '●',
  degraded: '▲',
  down: '■',
  unknown: '?',
  paused: '‖',
  maintenance: '◆',
  unconfigured: '○',
};

export function stateMark(state: StateName): Html {
  return html`<span class="state ${state}"><span class="mark" aria-hidden="true">${MARKS[state]}</span>${state}</span>`;
}

export function severityMark(severity: Severity): Html {
  return html`<span class="severity ${severity}">${severity}</span>`;
}

/** How long ago, with the moment itself for whoever points at it. */
export function ago(at: number, now: number, words = ''): Html {
  const moment = isoTime(at);
  const text = now - at < 1_000 && words !== '' ? 'just now' : `${duration(now - at)}${words}`;
  return html`<time datetime="${moment}" title="${moment}">${text}</time>`;
}

/** `4m 12s`; clocks that disagree show nothing below zero. */
export function duration(durationMs: number): string {
  return formatDuration(Math.max(0, durationMs)).replace(/([a-z])(?=\d)/, '$1 ');
}

/** Date and time of a line in a story. */
export function moment(at: number): Html {
  return html`<time datetime="${isoTime(at)}">${isoTime(at).slice(0, 10)} <b>${isoTime(at).slice(11, 19)}</b></time>`;
}

function clockText(now: number): string {
  return `${isoTime(now).slice(0, 16).replace('T', ' ')} UTC`;
}

export function section(id: string, heading: string, content: Part): Html {
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${heading}</h2>\n${content}</section>\n`;
}
