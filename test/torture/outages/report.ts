/** The outcome of a campaign as text. */
import { formatDuration } from '../../../src/units.ts';
import type { Finding } from '../judgement.ts';
import { table } from '../report.ts';
import type { Evidence } from './evidence.ts';
import { killsOf, type Span } from './ordeal.ts';

export function report(evidence: Evidence, findings: readonly Finding[]): string {
  return [...facts(evidence), '', ...table(findings)].join('\n');
}

function facts({ seed, pieces, outages, breaks, fixes, transitions, results, bus, ownStory, lags }: Evidence) {
  const lasted = outages
    .flat()
    .map(lengthOf)
    .sort((one, other) => one - other);
  const starts = lags.reduce((sum, lag) => sum + lag.starts, 0);
  const late = lags.reduce((sum, lag) => sum + lag.late, 0);
  const runs = [...results.values()].reduce((sum, times) => sum + times.length, 0);
  const own = bus.filter(({ body }) => body.incident?.subject === 'store').length;
  const begun = ownStory.filter(({ kind }) => kind !== 'resolved').length;
  return [
    `seed ${seed}: ${killsOf(outages)} kills of PostgreSQL, ${outages.length} outages, in ${formatDuration(sum(pieces.map(lengthOf)))}`,
    `away for ${lasted[0]} to ${lasted.at(-1)} ms, ${formatDuration(sum(lasted))} in all`,
    `${breaks.length} breaks, ${transitions.length} transitions, ${fixes.length} runs of fixes, ${runs} results`,
    `${begun} outages on record; ${bus.length} alerts, ${own} of them about the store`,
    `${starts} starts of probes, ${late} more than half a second late`,
  ];
}

function lengthOf({ from, until }: Span): number {
  return until - from;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
