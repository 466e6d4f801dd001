/**
 * `npm run bench [-- SCENARIO… --write]`: the figures of docs/performance.md, measured here and now. `--write` puts those
 * that were measured into that page. Ends with 1 when a figure is missed.
 */
import { type Figure, isMet, type Scenario, toMarkdown, toText } from './figure.ts';
import { machine, writeReport } from './report.ts';
import { deadlines } from './scenarios/deadlines.ts';
import { healing } from './scenarios/healing.ts';
import { many } from './scenarios/many.ts';
import { memory } from './scenarios/memory.ts';
import { probing } from './scenarios/probing.ts';
import { scraping } from './scenarios/scraping.ts';
import { slowTargets } from './scenarios/slow-targets.ts';
import { storing } from './scenarios/storing.ts';
import { types } from './scenarios/types.ts';

const SCENARIOS: readonly Scenario[] = [
  ...[probing, slowTargets, memory, storing, scraping, healing, types, deadlines, many],
];

async function main(argv: readonly string[]): Promise<number> {
  const names = argv.filter((argument) => argument !== '--write');
  if (names.some((name) => !SCENARIOS.some((scenario) => scenario.name === name))) {
    console.error(`usage: npm run bench -- [${SCENARIOS.map(({ name }) => name).join(' | ')}]… [--write]`);
    return 2;
  }
  const figures: Figure[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.log(`── ${scenario.name}: ${scenario.summary}`);
    const found = await scenario.run((progress) => console.log(`   ${progress}`));
    if (argv.includes('--write')) await writeReport(scenario.name, toMarkdown(found));
    figures.push(...found);
  }
  console.log(`${toText(figures)}\n${machine()}`);
  return figures.some((figure) => isMet(figure) === false) ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
