/** An alert as plain text: for readers without HTML, for watches, and for `grep`. Pure. */
import type { Alert } from '../model.ts';
import {
  ACKNOWLEDGING,
  acknowledgeCommand,
  digestGroups,
  type Fact,
  factsOf,
  linkTo,
  momentOf,
  statusOf,
  tame,
} from './email-words.ts';

const TEXT_MAX = 4_000;

export function textOf(alert: Alert): string {
  const parts = [
    `${statusOf(alert).toUpperCase()}\n${tame(alert.text, TEXT_MAX)}`,
    table(factsOf(alert)),
    ...digestGroups(alert).map(({ heading, entries }) =>
      [heading, ...entries.map(({ incidentId, title }) => `  #${incidentId}  ${title}`)].join('\n'),
    ),
    table(whatToDo(alert)),
    // The delimiter of signatures (RFC 3676, 4.3): readers fold or grey what follows.
    `-- \n${footer(alert).join('\n')}`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Labels in a column; further lines of a value stand below its first. */
function table(facts: readonly Fact[]): string {
  const width = Math.max(0, ...facts.map(({ label }) => label.length)) + 2;
  return facts
    .map(({ label, value }) => `${label.padEnd(width)}${value.replaceAll('\n', `\n${' '.repeat(width)}`)}`)
    .join('\n');
}

function whatToDo(alert: Alert): Fact[] {
  const link = linkTo(alert.url);
  const command = acknowledgeCommand(alert);
  return [
    ...(link === undefined ? [] : [{ label: 'Open', value: link }]),
    ...(command === undefined ? [] : [{ label: 'Acknowledge', value: `${command}\n(${ACKNOWLEDGING})` }]),
  ];
}

/** Who says this, about what, and when it was. */
export function footer({ at, incident, eventId }: Alert): readonly string[] {
  const about = incident === undefined ? 'Brainstem' : `Brainstem · incident ${incident.id}`;
  return [`${about} · ${momentOf(at)}`, `event ${tame(eventId, 100)}`];
}
