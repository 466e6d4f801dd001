/** The style sheet and the icons of the pages. Nothing is inline, so that the content policy can forbid it. */
import { createHash } from 'node:crypto';

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --raised: #ffffff; --ink: #21201c; --soft: #5f5c54; --line: #e4e1d9;
  --up: #2c6e49; --degraded: #8a5a00; --down: #b02a20; --unknown: #6a4c93; --held: #6b6860;
  --tint-down: #fbeae7; --tint-held: #f3efe4; --link: #1f4f8f;
  --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161614; --raised: #1e1e1b; --ink: #ebe8e0; --soft: #a5a197; --line: #34332e;
    --up: #7cc79a; --degraded: #e3b04b; --down: #f28b7d; --unknown: #c0a3e5; --held: #a5a197;
    --tint-down: #33201d; --tint-held: #28261f; --link: #9cc0f0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 0 2rem 3rem; max-width: 72rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.5 var(--sans); font-variant-numeric: tabular-nums;
}
a { color: var(--link); text-underline-offset: .18em; text-decoration-thickness: .06em; }
a:hover { text-decoration-thickness: .12em; }
:focus-visible { outline: .18rem solid var(--link); outline-offset: .15rem; border-radius: .15rem; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--raised); padding: .5rem 1rem; }
.masthead { display: flex; justify-content: space-between; align-items: baseline; padding: 1.5rem 0 0; color: var(--soft); font-size: .875rem; }
.masthead p { margin: 0; }
.wordmark { color: var(--soft); text-decoration: none; font-weight: 600; letter-spacing: .01em; }
.wordmark:hover { color: var(--ink); }
h1 { font: 400 clamp(2.1rem, 6vw, 3.4rem)/1.1 var(--serif); letter-spacing: -.012em; margin: 3.2rem 0 .6rem; text-wrap: balance; overflow-wrap: anywhere; }
h1::first-letter { text-transform: uppercase; }
h1.trouble { color: var(--down); }
.lead { font-size: 1.125rem; color: var(--soft); margin: 0 0 2.5rem; max-width: 44rem; overflow-wrap: anywhere; }
.lead strong { color: var(--ink); font-weight: 600; }
.crumb { color: var(--soft); font-size: .875rem; margin: 2.5rem 0 -2rem; }
section { margin: 0 0 2.75rem; }
h2 { font: 400 1.35rem/1.3 var(--serif); margin: 0 0 .5rem; }
h2::first-letter { text-transform: uppercase; }
.banner { background: var(--tint-held); border-left: .25rem solid var(--degraded); padding: .8rem 1.1rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
.banner.bad { background: var(--tint-down); border-color: var(--down); }
.banner + section, .banner + table { margin-top: 2.5rem; }
.banner pre { margin: .6rem 0 0; }
pre { font: .8125rem/1.5 var(--mono); white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto; background: var(--raised); border: 1px solid var(--line); padding: .7rem .9rem; }
code { font: .875em var(--mono); }
.note { color: var(--soft); font-size: .9375rem; margin: .15rem 0 0; }
.note strong { color: var(--ink); font-weight: 600; }
.incidents { list-style: none; margin: 0; padding: 0; }
.incidents > li { background: var(--raised); border: 1px solid var(--line); border-left: .25rem solid var(--held); padding: .9rem 1.1rem 1rem; margin: 0 0 .75rem; }
.incidents > li.critical { border-left-color: var(--down); }
.incidents > li.warning { border-left-color: var(--degraded); }
.incidents p { margin: 0; overflow-wrap: anywhere; }
.what { font-size: 1.125rem; font-weight: 600; }
.incidents .why { margin: .2rem 0 .25rem; }
.severity { font-size: .8125rem; font-weight: 500; color: var(--soft); margin-left: .35rem; white-space: nowrap; }
dd .severity { margin: 0; font-size: inherit; }
.severity.critical { color: var(--down); }
.severity.warning { color: var(--degraded); }
table { width: 100%; border-collapse: collapse; }
thead th { text-align: left; font-weight: 400; font-size: .8125rem; color: var(--soft); padding: .3rem 1rem .35rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody th, td { text-align: left; font-weight: 400; vertical-align: top; padding: .6rem 1rem .6rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tbody th { font-weight: 550; }
tr > :last-child { padding-right: 0; }
.number { text-align: right; white-space: nowrap; }
.probes td:first-child, .probes thead th:first-child { width: 8.5rem; }
.probes tbody th { width: 30%; }
.probes .number { width: 5.5rem; color: var(--soft); }
.probes thead .number { color: var(--soft); }
.attempts td:first-child, .messages td:first-child { width: 11rem; }
.attempts .number, .messages .number { color: var(--soft); }
.where { display: block; font-weight: 400; font-size: .875rem; color: var(--soft); overflow-wrap: anywhere; }
.item { display: inline-block; max-width: 100%; }
.seen { color: var(--soft); }
.seen b { color: var(--ink); font: 500 .875em var(--mono); }
.down .seen b { color: var(--down); }
.degraded .seen b { color: var(--degraded); }
.summary { display: block; font-size: .9375rem; }
.stale { color: var(--degraded); white-space: nowrap; }
.state { font-weight: 550; white-space: nowrap; }
.mark { display: inline-block; width: 1.3em; font-size: .85em; }
.state.up, .outcome.healed { color: var(--up); }
.state.down, .outcome.failed { color: var(--down); }
.state.degraded, .outcome.unknown { color: var(--degraded); }
.state.unknown { color: var(--unknown); }
.state.paused, .state.maintenance, .state.unconfigured, .outcome.refused { color: var(--held); }
.outcome { font-weight: 550; }
details summary { cursor: pointer; color: var(--soft); padding: .35rem 0; }
.unconfigured { margin: 0 0 2.75rem; }
.unconfigured ul { list-style: none; margin: .3rem 0 0; padding: 0; columns: 20rem; column-gap: 2.5rem; }
.unconfigured li { padding: .3rem 0; break-inside: avoid; }
.facts { display: flex; flex-wrap: wrap; gap: 1.1rem 2.6rem; margin: 0 0 2.75rem; }
dt { font-size: .8125rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.story { list-style: none; margin: 0; padding: 0; }
.story > li { display: grid; grid-template-columns: 11.5rem 1fr; gap: 0 1rem; padding: .55rem 0; border-top: 1px solid var(--line); }
.story p { margin: 0; overflow-wrap: anywhere; }
.story p b { display: inline-block; font-weight: 600; }
.story p b::first-letter { text-transform: uppercase; }
.story time { color: var(--soft); }
.story time b { color: var(--ink); font-weight: 500; }
.story pre { margin: .4rem 0 0; }
.by { color: var(--soft); }
footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .5rem 2rem; margin-top: 4rem; border-top: 1px solid var(--line); padding-top: 1rem; color: var(--soft); font-size: .875rem; }
footer p { margin: 0; }
footer a { margin-left: 1.2rem; color: var(--soft); }
footer a:first-child { margin-left: 0; }
@media (max-width: 46rem) {
  body { padding: 0 1.1rem 2rem; }
  h1 { margin-top: 2.2rem; }
  .lead { margin-bottom: 2rem; }
  table, tbody { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding: .8rem 0; border-bottom: 1px solid var(--line); }
  tbody tr > * { border: 0; padding: 0; width: auto !important; }
  tbody tr > th { order: -2; flex: 1 1 0; min-width: 60%; }
  tbody tr > :first-child { order: -1; text-align: right; }
  .mark { width: auto; margin-right: .3em; }
  tbody tr > .seen { flex: 0 0 100%; margin: .1rem 0; }
  tbody tr > td[data-label]:not(.seen) { flex: 0 0 auto; font-size: .875rem; color: var(--soft); text-align: left; }
  tbody tr > td[data-label]:not(.seen)::before { content: attr(data-label) " "; }
  .attempts tbody tr > td[data-label="For"] { flex-basis: 100%; }
  .story > li { grid-template-columns: 1fr; }
}
`;

/** The name changes with the content, so that a browser's copy is never the wrong one. */
export const STYLE_PATH = `/assets/page-${createHash('sha256').update(STYLE).digest('hex').slice(0, 8)}.css`;

const icon = (color: string, shape: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="${color}">${shape}</g></svg>`;

export const ICONS = {
  fine: icon('#2c6e49', '<circle cx="8" cy="8" r="6"/>'),
  trouble: icon('#b02a20', '<rect x="2" y="2" width="12" height="12"/>'),
};
