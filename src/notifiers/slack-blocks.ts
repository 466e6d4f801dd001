/**
 * How an alert looks in Slack: Block Kit, and the plain text that phones show. Pure.
 *
 * Limits are Slack's: header 150 characters, section 3,000, ten fields of 2,000, and about 12,000 over all blocks of
 * one message, which is not documented but answered with `msg_blocks_too_long` (slackapi/bolt-js#2509); the caps here
 * stay well below the sum. All text is foreign: `& < >` become entities, so that nothing in it mentions or links,
 * and `verbatim` keeps Slack from making links of it. `*`, `_`, `~` and backticks in it may still format.
 * @see https://docs.slack.dev/reference/block-kit/blocks
 */
import { ALERT_KINDS, type Alert, type Severity } from '../model.ts';
import { KIND_TITLES } from './kind-titles.ts';

interface PlainText {
  readonly type: 'plain_text';
  readonly text: string;
  readonly emoji: false;
}

interface Markdown {
  readonly type: 'mrkdwn';
  readonly text: string;
  readonly verbatim: true;
}

type SlackBlock =
  | { readonly type: 'header'; readonly text: PlainText }
  | { readonly type: 'section'; readonly text: Markdown }
  | { readonly type: 'section'; readonly fields: Markdown[] }
  | { readonly type: 'context'; readonly elements: Markdown[] };

export interface SlackMessage {
  /** What notifications and screen readers say. */
  readonly text: string;
  readonly blocks: SlackBlock[];
}

const HEADER_MAX = 150;
const TEXT_MAX = 2_000;
const FIELDS_MAX = 10;
const FIELD_MAX = 500;
const LIST_MAX = 2_800;
/** Sections of names in one message: with header and context below 9,000 characters. */
const LISTS_PER_MESSAGE = 3;

/** The incident's own message: always its latest state. */
export function incidentMessage(alert: Alert): SlackMessage {
  return {
    text: `${emojiOf(alert)} ${escapeText(alert.text, TEXT_MAX)}`,
    blocks: [header(alert), section(escapeText(alert.text, TEXT_MAX)), ...fields(alert), context(alert)],
  };
}

/** What just happened, in the thread of the incident's message. */
export function replyMessage(alert: Alert): SlackMessage {
  const text = `${emojiOf(alert)} ${escapeText(alert.text, TEXT_MAX)}`;
  return { text, blocks: [section(text)] };
}

/** A digest as one message, and what does not fit into it for its thread. */
export function digestMessages(alert: Alert): readonly [SlackMessage, ...SlackMessage[]] {
  const lists = nameLists(alert.digest ?? []);
  const text = `${emojiOf(alert)} ${escapeText(alert.text, TEXT_MAX)}`;
  const first: SlackMessage = {
    text,
    blocks: [
      header(alert),
      section(escapeText(alert.text, TEXT_MAX)),
      ...lists.slice(0, LISTS_PER_MESSAGE).map(section),
      context(alert),
    ],
  };
  const rest: SlackMessage[] = [];
  for (let start = LISTS_PER_MESSAGE; start < lists.length; start += LISTS_PER_MESSAGE) {
    rest.push({ text, blocks: lists.slice(start, start + LISTS_PER_MESSAGE).map(section) });
  }
  return [first, ...rest];
}

/** Slack's three control characters as entities, in one piece, cut so that the result has at most `max` characters. */
function escapeText(text: string, max: number): string {
  let escaped = '';
  for (const character of text) {
    const next = ENTITIES[character] ?? character;
    if (escaped.length + next.length > max - 1) return `${escaped}…`;
    escaped += next;
  }
  return escaped;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function header(alert: Alert): SlackBlock {
  const title = `${emojiOf(alert)} ${alert.title.replace(/\s+/g, ' ').trim()}`;
  return { type: 'header', text: { type: 'plain_text', text: escapeText(title, HEADER_MAX), emoji: false } };
}

function section(text: string): SlackBlock {
  return { type: 'section', text: markdown(text) };
}

/** Slack refuses an empty list of fields. */
function fields({ facts }: Alert): SlackBlock[] {
  if (facts.length === 0) return [];
  const shown = facts.slice(0, FIELDS_MAX);
  return [{ type: 'section', fields: shown.map(({ label, value }) => markdown(field(label, value))) }];
}

function field(label: string, value: string): string {
  return `*${escapeText(label, 80)}*\n${escapeText(value, FIELD_MAX)}`;
}

function context({ severity, incident, url }: Alert): SlackBlock {
  const parts: string[] = [severity];
  if (incident) parts.push(`incident ${incident.id}`);
  if (url !== '') parts.push(`<${linkTarget(url)}|Open in Brainstem>`);
  return { type: 'context', elements: [markdown(parts.join(' · '))] };
}

/** The characters that would end a `<target|label>` early are percent-encoded. */
function linkTarget(url: string): string {
  return url
    .replace(/[<>|\s]/g, encodeURIComponent)
    .replaceAll('&', '&amp;')
    .slice(0, 1_000);
}

function markdown(text: string): Markdown {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** Names grouped by what happened to them, in pieces that fit a section each. */
function nameLists(entries: NonNullable<Alert['digest']>): string[] {
  return ALERT_KINDS.flatMap((kind) => {
    const names = entries.filter((entry) => entry.kind === kind).map(({ title }) => escapeText(title, 100));
    return names.length === 0 ? [] : pieces(`*${KIND_TITLES[kind]}* (${names.length}): `, names);
  });
}

function pieces(heading: string, names: readonly string[]): string[] {
  const lists: string[] = [];
  let list = heading;
  let separator = '';
  for (const name of names) {
    if (list.length + separator.length + name.length > LIST_MAX) {
      lists.push(list);
      list = '';
      separator = '';
    }
    list += separator + name;
    separator = ', ';
  }
  return [...lists, list];
}

const SEVERITY_EMOJI: Readonly<Record<Severity, string>> = { critical: '🔴', warning: '🟠', info: '🔵' };

function emojiOf({ kind, severity, incident }: Alert): string {
  if (kind === 'test') return '🔔';
  if (kind === 'closed') return '⚪';
  if (kind === 'resolved' || kind === 'healed_itself' || incident?.resolvedAt !== undefined) return '✅';
  return SEVERITY_EMOJI[severity];
}
