/**
 * Which incidents a silence keeps from people. Matchers read as in Alertmanager: `probe=web`, `group=~"web-.*"`,
 * `severity!=info`, `team!~"a|b"`; all must hold, a regular expression must match the whole value, and what is absent is
 * the empty text. Pure.
 */
import { messageOf, UsageError } from '../errors.ts';
import { INCIDENT_SOURCES, type Incident, type Probe, SEVERITIES } from '../model.ts';
import { own } from '../own.ts';
import { createMatcher } from './matches.ts';

/** What matchers can name, besides the labels of probes. */
export const SILENCE_FIELDS = ['probe', 'group', 'severity', 'source'] as const;

export interface SilenceMatcher {
  readonly name: string;
  /** As it is stored and shown: `probe="web"`. */
  readonly text: string;
  /** The text, or the pattern. */
  readonly value: string;
  /** `!=` and `!~`. */
  readonly excludes: boolean;
  test(value: string): boolean;
}

export interface SilenceFacts {
  readonly incident: Pick<Incident, 'source' | 'subject' | 'severity'>;
  /** Absent for incidents of our own. */
  readonly probe: Pick<Probe, 'group' | 'labels'> | undefined;
}

const MATCHER = /^([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*)$/s;

/** Errors: UsageError `matcher_invalid`, with what to write instead. */
export function parseMatcher(written: string): SilenceMatcher {
  const [, name = '', operator = '', rest = ''] = MATCHER.exec(written.trim()) ?? [];
  if (name === '') throw invalid(written, 'write NAME=VALUE, NAME!=VALUE, NAME=~PATTERN or NAME!~PATTERN');
  const value = rest.startsWith('"') ? unquote(rest, written) : rest;
  const matches = operator.endsWith('~') ? wholeMatch(value, written) : (text: string) => text === value;
  const excludes = operator.startsWith('!');
  return {
    ...{ name, value, excludes },
    text: `${name}${operator}${JSON.stringify(value)}`,
    test: (text) => matches(text) !== excludes,
  };
}

/** Errors: UsageError `matcher_invalid`, also for a set that leaves nothing out: an empty selector never means all. */
export function parseMatchers(written: readonly string[]): readonly SilenceMatcher[] {
  const matchers = written.map(parseMatcher);
  if (matchers.every(matchesEverything)) {
    const what = matchers.length === 0 ? 'no matcher' : matchers.map(({ text }) => text).join(', ');
    throw new UsageError('matcher_invalid', `${what} would silence everything: name a probe, a group, a severity …`);
  }
  return matchers;
}

export function matchesAll(matchers: readonly SilenceMatcher[], facts: SilenceFacts): boolean {
  return matchers.every(({ name, test }) => test(named(name, facts)));
}

function named(name: string, { incident, probe }: SilenceFacts): string {
  if (name === 'severity') return incident.severity;
  if (name === 'source') return incident.source;
  if (name === 'probe') return incident.source === 'probe' ? incident.subject : '';
  return probe === undefined ? '' : traitOf(name, probe);
}

/** Its group, or one of its labels. */
export function traitOf(name: string, { group, labels }: Pick<Probe, 'group' | 'labels'>): string {
  return name === 'group' ? group : (own(labels, name) ?? '');
}

/** It holds for every value there is, or for an incident of which nothing is known. */
function matchesEverything({ name, test }: SilenceMatcher): boolean {
  if (name === 'severity') return SEVERITIES.every(test);
  return name === 'source' ? INCIDENT_SOURCES.every(test) : test('');
}

function wholeMatch(pattern: string, written: string): (text: string) => boolean {
  try {
    // By itself first: `a)|(b` is no pattern, though it would be one between our brackets.
    createMatcher(pattern);
    return createMatcher(`^(?:${pattern})$`).test;
  } catch (error) {
    throw invalid(written, messageOf(error), error);
  }
}

function unquote(quoted: string, written: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch (error) {
    throw invalid(written, 'its quotes do not end, or what stands between them is not escaped as in JSON', error);
  }
}

function invalid(written: string, why: string, cause?: unknown): UsageError {
  return new UsageError('matcher_invalid', `${JSON.stringify(written)} is not a matcher: ${why}`, { cause });
}
