/**
 * `npm test`: installs the real parts where it may, names what has to be left out where it may not, runs every suite.
 * Arguments go to vitest: `npm test -- test/engine`.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { installParts, missingParts } from './debian.ts';

const REPORT = '.cache/test-report.json';

installParts();
const missing = missingParts();
for (const part of missing) {
  console.log(`left out: ${part.suites.join(', ')} (${part.package} is not installed: ${part.provides} is missing)`);
}
if (missing.length > 0 && process.env['CI'] === 'true') {
  console.error('CI leaves nothing out: install the packages above');
  process.exit(1);
}

mkdirSync('.cache', { recursive: true });
const vitest = [
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${REPORT}`,
  ...process.argv.slice(2),
];
const { status } = spawnSync('npx', vitest, { stdio: 'inherit' });
const report = JSON.parse(readFileSync(REPORT, 'utf8')) as {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
};
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed, ${report.numPendingTests} skipped`);
process.exit(status ?? 1);
