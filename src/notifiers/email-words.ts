/**
 * What the text and the HTML of an e-mail both say, and how foreign text is tamed for either. Pure.
 */
import { ALERT_KINDS, type Alert, type AlertKind } from '../model.ts';
import { KIND_TITLES } from './kind-titles.ts';

/** What colours an e-mail: the severity while an incident is open, else what became of it. */
export type Tone = 'critical' | 'warning' | 'info' | 'good' | 'neutral' | 'test';

export function toneOf({ kind, severity, incident }: Alert): Tone {
  if (kind === 'test') return 'test';
  if (kind === 'closed') return 'neutral';
  if (kind === 'resolved' || kind === 'healed_itself' || incident?.resolvedAt !== undefined) return 'good';
  return severity;
}

/** `Critical · Still failing`; a severity says nothing any more about what is over. */
export function statusOf(alert: Alert): string {
  const tone = toneOf(alert);
  const title = KIND_TITLES[alert.kind];
  return tone === 'critical' || tone === 'warning' || tone === 'info' ? `${capital(tone)} · ${title}` : title;
}

function capital(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

export interface Fact {
  readonly label: string;
  readonly value: string;
}

const LABEL_MAX = 80;
const VALUE_MAX = 2_000;
/** More than any alert has. */
const FACTS_MAX = 20;

export function factsOf({ facts }: Alert): readonly Fact[] {
  return facts
    .slice(0, FACTS_MAX)
    .map(({ label, value }) => ({ label: oneLine(label, LABEL_MAX), value: tame(legible(value), VALUE_MAX) }));
}

/** Machines read ISO times; people at night read `2026-11-23 04:00:00 UTC`. */
function legible(value: string): string {
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? momentOf(Date.parse(value)) : value;
}

export function momentOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The command that acknowledges; undefined when there is nothing to acknowledge, or somebody has. */
export function acknowledgeCommand({ kind, incident }: Alert): string | undefined {
  if (!incident || kind === 'closed') return undefined;
  const open = incident.resolvedAt === undefined && incident.acknowledgedAt === undefined;
  return open ? `brainstem incidents ack ${incident.id}` : undefined;
}

export const ACKNOWLEDGING = 'no reminders and no automatic fixes until it is resolved';

export interface DigestGroup {
  readonly heading: string;
  readonly entries: readonly {
    readonly incidentId: number;
    readonly title: string;
    readonly url: string | undefined;
  }[];
}

const TITLE_MAX = 200;

/** Every incident of a digest, by what happened to it. */
export function digestGroups({ digest = [], url }: Alert): readonly DigestGroup[] {
  return ALERT_KINDS.flatMap((kind: AlertKind) => {
    const entries = digest
      .filter((entry) => entry.kind === kind)
      .map(({ incidentId, title }) => ({
        incidentId,
        title: oneLine(title, TITLE_MAX),
        url: linkTo(`${url.replace(/\/$/, '')}/incidents/${incidentId}`),
      }));
    return entries.length === 0 ? [] : [{ heading: `${KIND_TITLES[kind]} (${entries.length})`, entries }];
  });
}

/** A web address that may be linked to; anything else would be a link that runs or reads something. */
export function linkTo(url: string): string | undefined {
  return /^https?:\/\//i.test(url) && URL.canParse(url) ? new URL(url).href : undefined;
}

/** What is shown as nothing, steers a terminal, or turns the direction of writing around. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text on one line, as headers and headings need it. */
export function oneLine(text: string, max: number): string {
  return cut(text.replace(/\s+/g, ' ').replace(UNSEEN, '').trim(), max);
}

/** Text with its lines. */
export function tame(text: string, max: number): string {
  return cut(
    text.replaceAll('\r\n', '\n').replace(UNSEEN, (character) => (character === '\n' ? '\n' : ' ')),
    max,
  );
}

/** Between two characters, so that no half of a pair is left. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
