/** What arguments of commands must look like; each complaint says what to write instead. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../units.ts';

const INCIDENTS = '`brainstem incidents list --all` shows those that there are';
const SILENCES = '`brainstem silence list --all` shows those that there are';

export const incidentId = idOf('an incident', INCIDENTS);
export const silenceId = idOf('a silence', SILENCES);

/** What to do about a number that the daemon does not know, by the code of its answer. */
export const ADVICE: Readonly<Record<string, string>> = { incident_unknown: INCIDENTS, silence_unknown: SILENCES };

/** `7` or `#7`. Whether there is such a one is the daemon's answer. */
function idOf(what: string, advice: string): (text: string) => number {
  return (text) => {
    if (/^#?[1-9]\d{0,14}$/.test(text)) return Number(text.replace('#', ''));
    throw new InvalidArgumentError(`It is the number of ${what}, such as 7: ${advice}.`);
  };
}

export function numberUpTo(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
    throw new InvalidArgumentError(`It is a whole number from 1 to ${most}.`);
  };
}

/** Looked at here for a complaint in the words of the command; the daemon reads it as it is written. */
export function durationText(text: string): string {
  if ((parseDuration(text) ?? 0) > 0) return text;
  throw new InvalidArgumentError('It is a duration, such as 30m, 2h or 1d12h.');
}
