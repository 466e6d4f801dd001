/**
 * An alert as HTML that mail readers agree on: tables, inline styles, nothing from elsewhere, no script. Pure.
 *
 * Every foreign text is a text node. The style sheet of the head only adds what a reader may leave out: dark colours, and a
 * tighter frame on phones. Outlook on Windows knows neither `max-width` nor rounded corners, and shows a plain column.
 * @see https://www.caniemail.com
 */
import { type Html, html, toText } from '../html.ts';
import type { Alert } from '../model.ts';
import { footer } from './email-text.ts';
import {
  ACKNOWLEDGING,
  acknowledgeCommand,
  digestGroups,
  factsOf,
  linkTo,
  oneLine,
  statusOf,
  type Tone,
  tame,
  toneOf,
} from './email-words.ts';

const TITLE_MAX = 200;
const TEXT_MAX = 4_000;
const PREVIEW_MAX = 200;

/** White on each of these has a contrast of at least 5:1. */
const COLOURS: Readonly<Record<Tone, string>> = {
  critical: '#b42318',
  warning: '#a15c07',
  info: '#175cd3',
  good: '#067647',
  neutral: '#475467',
  test: '#5925dc',
};

const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";
const BREAK = 'overflow-wrap:anywhere;word-break:break-word';
const PAGE = 'background-color:#f2f4f7';
const CARD = 'background-color:#ffffff;border:1px solid #d0d5dd;border-radius:10px;border-collapse:separate';
const INK = 'color:#101828';
const FAINT = 'color:#475467';
const LINE = 'border-top:1px solid #eaecf0';
const QUOTE = 'background-color:#f2f4f7;border-radius:6px';

const SHEET = `
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (max-width: 480px) {
  .frame { padding: 0 !important; }
  .card { border-width: 0 !important; }
  .card, .banner { border-radius: 0 !important; }
  .inset { padding-left: 18px !important; padding-right: 18px !important; }
}
@media (prefers-color-scheme: dark) {
  .page { background-color: #0c111d !important; }
  .card { background-color: #161b26 !important; border-color: #333741 !important; }
  .ink, .ink a { color: #f5f5f6 !important; }
  .faint { color: #a6adb8 !important; }
  .line { border-color: #333741 !important; }
  .quote { background-color: #0c111d !important; }
}
`;

export function htmlOf(alert: Alert): string {
  const colour = COLOURS[toneOf(alert)];
  return toText(html`<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no">
<meta name="x-apple-disable-message-reformatting">
<title>${oneLine(alert.title, TITLE_MAX)}</title>
<style>${SHEET}</style>
</head>
<body class="page" style="margin:0;padding:0;${PAGE}">
${preview(alert)}
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" style="${PAGE}">
<tr><td class="frame" align="center" style="padding:24px 12px">
<table role="presentation" class="card" width="600" cellpadding="0" cellspacing="0" border="0" style="width:100%;max-width:600px;${CARD}">
${banner(alert, colour)}
${headline(alert)}
${facts(alert)}${digest(alert)}${button(alert, colour)}${acknowledge(alert)}${foot(alert)}
</table>
</td></tr>
</table>
</body>
</html>
`);
}

/** What a list of messages shows beside the subject. The blanks keep what follows out of it. */
function preview(alert: Alert): Html {
  const hidden = 'display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all';
  return html`<div style="${hidden}">${oneLine(alert.text, PREVIEW_MAX)}${'\u00a0\u200c'.repeat(60)}</div>`;
}

function banner(alert: Alert, colour: string): Html {
  const style = `padding:11px 28px;background-color:${colour};border-radius:9px 9px 0 0;color:#ffffff;${FONT};font-size:14px;font-weight:600;line-height:20px`;
  return html`<tr><td class="banner inset" bgcolor="${colour}" style="${style}">${statusOf(alert)}</td></tr>`;
}

function headline({ title, text }: Alert): Html {
  return html`<tr><td class="inset" style="padding:22px 28px 20px">
<h1 class="ink" style="margin:0 0 6px;${INK};${FONT};font-size:22px;font-weight:700;line-height:28px;${BREAK}">${oneLine(title, TITLE_MAX)}</h1>
<p class="ink" style="margin:0;${INK};${FONT};font-size:16px;line-height:24px;${BREAK}">${lines(tame(text, TEXT_MAX))}</p>
</td></tr>`;
}

function facts(alert: Alert): Html {
  const cell = (more: string) =>
    `padding:9px 0;${LINE};${FONT};font-size:14px;line-height:20px;vertical-align:top;${more}`;
  const rows = factsOf(alert).map(
    ({ label, value }) => html`<tr>
<td class="faint line" width="112" style="${cell(`width:112px;padding-right:12px;${FAINT};${BREAK}`)}">${label}</td>
<td class="ink line" style="${cell(`${INK};${BREAK}`)}">${lines(value)}</td>
</tr>
`,
  );
  return section(
    rows.length > 0 &&
      html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">
${rows}</table>`,
  );
}

function digest(alert: Alert): Html {
  const heading = `padding:14px 0 5px;${FAINT};${FONT};font-size:13px;font-weight:600;line-height:18px`;
  const cell = `padding:7px 0;${LINE};${INK};${FONT};font-size:15px;line-height:20px;${BREAK}`;
  const groups = digestGroups(alert).map(
    ({ heading: title, entries }) => html`<tr><td class="faint" style="${heading}">${title}</td></tr>
${entries.map(
  (
    entry,
  ) => html`<tr><td class="ink line" style="${cell}">${linked(entry.title, entry.url)} <span class="faint" style="${FAINT}">#${entry.incidentId}</span></td></tr>
`,
)}`,
  );
  return section(
    groups.length > 0 &&
      html`<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">
${groups}</table>`,
  );
}

function linked(text: string, url: string | undefined): Html {
  if (url === undefined) return html`${text}`;
  return html`<a href="${url}" style="${INK};text-decoration:underline">${text}</a>`;
}

function section(content: Html | false): Html {
  if (content === false) return html``;
  return html`<tr><td class="inset" style="padding:0 28px 8px">${content}</td></tr>
`;
}

function button({ url }: Alert, colour: string): Html {
  const link = linkTo(url);
  if (link === undefined) return html``;
  const style = `display:block;padding:13px 20px;color:#ffffff;${FONT};font-size:16px;font-weight:600;line-height:20px;text-align:center;text-decoration:none`;
  return html`<tr><td class="inset" style="padding:14px 28px 8px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>
<td bgcolor="${colour}" style="background-color:${colour};border-radius:8px"><a href="${link}" style="${style}">Open in Brainstem</a></td>
</tr></table>
</td></tr>
`;
}

function acknowledge(alert: Alert): Html {
  const command = acknowledgeCommand(alert);
  if (command === undefined) return html``;
  const text = `${FAINT};${FONT};font-size:13px;line-height:19px`;
  return html`<tr><td class="inset" style="padding:10px 28px 8px">
<div class="quote faint" style="padding:12px 14px;${QUOTE};${text}">Acknowledge: ${ACKNOWLEDGING}<code class="ink" style="display:block;padding-top:5px;${INK};${MONO};font-size:14px">${command}</code></div>
</td></tr>
`;
}

function foot(alert: Alert): Html {
  const style = `padding:14px 28px 22px;${FAINT};${FONT};font-size:12px;line-height:18px;${BREAK}`;
  return html`<tr><td class="inset faint" style="${style}">${lines(footer(alert).join('\n'))}</td></tr>`;
}

/** Line breaks as elements. */
function lines(text: string): readonly Html[] {
  return text.split('\n').map((line, index) => (index === 0 ? html`${line}` : html`<br>${line}`));
}
