/**
 * What makes a silence look like a slip: a matcher names what no probe is, or has, by now. It may be right all the same, about
 * a probe that is to come. Pure.
 */
import { INCIDENT_SOURCES, type Probe, SEVERITIES } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import { type SilenceMatcher, traitOf } from './silence.ts';

/** A probe as far as matchers can tell it from others. */
export type Nameable = Pick<Probe, 'name' | 'group' | 'labels'>;

/** Trouble of our own, and an alert of somebody else's, is about no probe. */
const NO_PROBE: Nameable = { name: '', group: '', labels: {} };

/** Sentences; empty when an incident could match. Matchers that exclude (`!=`, `!~`) are no slip by themselves. */
export function doubtsAbout(matchers: readonly SilenceMatcher[], probes: readonly Nameable[]): readonly string[] {
  const subjects = subjectsOf(matchers, probes);
  const doubts = matchers.flatMap((matcher) => doubtAbout(matcher, subjects) ?? []);
  const bySubject = matchers.filter(({ name }) => name !== 'severity' && name !== 'source');
  const some = subjects.some((subject) => bySubject.every(({ name, test }) => test(partOf(name, subject))));
  if (doubts.length > 0 || some) return doubts;
  return [`nothing matches all of it now: ${matchers.map(({ text }) => text).join(', ')}`];
}

/** What an incident of the sources that are meant can be about. */
function subjectsOf(matchers: readonly SilenceMatcher[], probes: readonly Nameable[]): readonly Nameable[] {
  const sources = INCIDENT_SOURCES.filter((source) =>
    matchers.every(({ name, test }) => name !== 'source' || test(source)),
  );
  return [
    ...(sources.includes('probe') ? probes : []),
    ...(sources.some((each) => each !== 'probe') ? [NO_PROBE] : []),
  ];
}

function doubtAbout({ name, text, value, excludes, test }: SilenceMatcher, subjects: readonly Nameable[]) {
  const values = valuesOf(name, subjects);
  if (excludes || values.some((each) => test(each))) return undefined;
  return `${text} matches nothing now${didYouMean(value, values)}`;
}

function valuesOf(name: string, subjects: readonly Nameable[]): readonly string[] {
  if (name === 'severity') return SEVERITIES;
  if (name === 'source') return INCIDENT_SOURCES;
  return [...new Set(subjects.map((subject) => partOf(name, subject)))];
}

function partOf(name: string, subject: Nameable): string {
  return name === 'probe' ? subject.name : traitOf(name, subject);
}
