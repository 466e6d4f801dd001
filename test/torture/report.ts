/** The outcome of an ordeal as text. */
import { formatDuration } from '../../src/units.ts';
import type { Evidence } from './evidence.ts';
import { type Finding, repeatedAlerts } from './judgement.ts';
import type { Progress } from './ordeal.ts';

/** Violations that are written out; what exceeds them is counted. */
const SHOWN = 5;

export function report(progress: Progress, evidence: Evidence, findings: readonly Finding[]): string {
  return [...facts(progress, evidence), '', ...table(findings)].join('\n');
}

/** A line for each invariant, then what violates it. */
export function table(findings: readonly Finding[]): readonly string[] {
  const width = Math.max(...findings.map(({ invariant }) => invariant.length));
  const lines = findings.map(({ invariant, checked, violations }) => {
    const count = String(checked).padStart(7);
    return `${invariant.padEnd(width)} ${count}  ${violations.length === 0 ? 'holds' : `${violations.length} VIOLATED`}`;
  });
  return [...lines, ...findings.flatMap(details)];
}

function facts({ seed, kills, deaths, breaks, elapsedMs }: Progress, evidence: Evidence): readonly string[] {
  const { oracles, attempts, incidents, bus, slack } = evidence;
  const fixes = [...oracles.values()].flat().filter(({ what }) => what === 'fix').length;
  const digests = evidence.notifications.filter(({ alert }) => alert.kind === 'digest').length;
  return [
    `seed ${seed}: ${kills} kills in ${formatDuration(elapsedMs)} (${tally(deaths)})`,
    `${breaks.length} breaks (${tally(countBy(breaks.map(({ how }) => how)))}), ${incidents.length} incidents`,
    `${fixes} runs of fixes, ${attempts.length} attempts (${tally(countBy(attempts.map(outcome)))})`,
    `${bus.length} alerts to bus, ${slack.length} calls of Slack (${digests} digests), ${repeatedAlerts(evidence)} repeated`,
  ];
}

function outcome({ state, refusal }: Evidence['attempts'][number]): string {
  return refusal === undefined ? state : `${state}: ${refusal}`;
}

function countBy(names: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function tally(counts: Readonly<Record<string, number>>): string {
  const largest = Object.entries(counts).sort(([, one], [, other]) => other - one);
  return largest.map(([name, count]) => `${count} ${name}`).join(', ');
}

function details({ invariant, violations }: Finding): readonly string[] {
  if (violations.length === 0) return [];
  const more = violations.length - SHOWN;
  return [
    '',
    `${invariant}:`,
    ...violations.slice(0, SHOWN).map((each) => `  ${each}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}
