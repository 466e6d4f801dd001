/**
 * `npm run check`: everything that can be known without running the daemon. Each check names what it found; all run.
 */
import { spawnSync } from 'node:child_process';
import { importProblems } from './imports.ts';
import { measure } from './measure.ts';

interface Check {
  readonly name: string;
  run(): boolean;
}

const command = (name: string, ...argv: string[]): Check => ({
  name,
  run: () => spawnSync('npx', argv, { stdio: 'inherit' }).status === 0,
});

const CHECKS: readonly Check[] = [
  command('types', 'tsc', '-p', 'tsconfig.json'),
  command('lint and format', 'biome', 'ci', '--error-on-warnings', '.'),
  command('dead code', 'knip'),
  { name: 'import directions and circles', run: () => report(importProblems()) },
  command('generated files', 'jiti', 'scripts/generate.ts', '--check'),
  { name: 'measures', run: () => measure() },
];

function report(problems: readonly string[]): boolean {
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

const failed = CHECKS.filter(({ name, run }) => {
  console.log(`── ${name}`);
  return !run();
});
if (failed.length > 0) {
  console.error(`check failed: ${failed.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
console.log('check passed');
